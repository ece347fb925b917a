"""Model files: saved ones load to the same bits, and incomplete ones are refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import save_file

import recvae
from recvae.codec import Codec, load_model, shipped_model_name, shipped_models
from recvae.codec.model_folder import content_hash, save_model
from recvae.codec.vae.latents import BlockLatents
from recvae.errors import InputError
from recvae.rec import Block


@pytest.fixture
def folder(codec: Codec, tmp_path: Path) -> Path:
    codec.model.save(tmp_path)
    return tmp_path


def rewrite(folder: Path, tensors: dict | None = None, **fields: object) -> None:
    """Change a model and correct its hash, as an attacker would."""
    text = json.loads((folder / "model.json").read_text()) | fields
    if tensors is not None:
        save_file(tensors, folder / "weights.safetensors")
    text.pop("hash")
    text["hash"] = content_hash(text, load_arrays(folder / "weights.safetensors"))
    (folder / "model.json").write_text(json.dumps(text))


def test_saved_model_is_the_same(codec: Codec, folder: Path, digits: np.ndarray) -> None:
    again = recvae.load(folder)
    assert again.model.hash == codec.model.hash
    data = codec.compress(digits)
    assert again.compress(digits) == data
    assert np.array_equal(again.decompress(data), digits)


def test_a_model_that_is_replaced_keeps_its_permissions(codec: Codec, tmp_path: Path) -> None:
    save_model(codec.model, tmp_path / "model")
    (tmp_path / "model").chmod(0o750)
    for path in (tmp_path / "model").iterdir():
        path.chmod(0o640)
    save_model(codec.model, tmp_path / "model")
    paths = [tmp_path / "model", *(tmp_path / "model").iterdir()]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o750, 0o640, 0o640]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_else_is_in_the_folder_of_a_model_stays(codec: Codec, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    save_model(codec.model, tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    assert recvae.load(tmp_path).model.hash == codec.model.hash


def test_shipped_models_are_found_by_their_hash() -> None:
    assert "mnist" in shipped_models()
    for name in shipped_models():
        model = load_model(name)
        assert model.name == name
        assert shipped_model_name(model.file_id) == name
    assert shipped_model_name(bytes(16)) is None


@pytest.mark.slow
def test_loading_imports_no_compiler() -> None:
    """torch's takes seconds."""
    code = (
        "import sys, recvae; [recvae.load(name) for name in ('mnist-scans', 'mnist', 'mnist-mlp')];"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_pickled(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.safetensors"]
    data = (folder / "weights.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert all(set(entry) == {"dtype", "shape", "data_offsets"} for entry in header.values())


def test_unknown_model_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"no model 'cifar'.*mnist"):
        load_model("cifar")


def test_parts_must_make_a_model(codec: Codec) -> None:
    model, latents = codec.model, codec.model.latents
    assert isinstance(latents, BlockLatents)
    blocks, codes = latents.blocks, latents.rank_codes
    block, (none,) = blocks[0], BlockLatents.unfitted(0, [Block((0,), (1,), 1)]).rank_codes
    cases: dict[str, Callable[[], object]] = {
        "every latent": lambda: replace(latents, blocks=blocks[1:], rank_codes=codes[1:]),
        "rank_codes": lambda: replace(latents, rank_codes=codes[1:]),
        "num_candidates": lambda: replace(
            latents, blocks=(replace(block, num_candidates=1 << 21), *blocks[1:])
        ),
        "intervals": lambda: replace(block, intervals=block.intervals[1:]),
        "ranks": lambda: replace(latents, rank_codes=(none, *codes[1:])),
        "key is": lambda: replace(latents, key=-1),
        "exactly one block": lambda: replace(
            model, latents=BlockLatents.unfitted(0, [Block((0, 1), (2, 1), 4)])
        ),
    }
    assert codes[0].bits(torch.tensor([block.num_candidates - 1])) > 0
    for message, made in cases.items():
        with pytest.raises(ValueError, match=message):
            made()


def test_file_of_another_model(codec: Codec, folder: Path, digits: np.ndarray) -> None:
    rewrite(folder, key=12345)
    other = recvae.load(folder)
    data = other.compress(digits[:3])
    assert np.array_equal(other.decompress(data), digits[:3])
    with pytest.raises(InputError, match="another model"):
        codec.decompress(data)
    with pytest.raises(InputError, match="does not ship"):
        recvae.open(data)
    assert np.array_equal(recvae.open(data, model=folder)[:], digits[:3])


def test_a_path_is_a_folder_first(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Path("./mnist")` is `Path("mnist")`, and also the name of a shipped model."""
    monkeypatch.chdir(tmp_path)
    assert load_model(Path("./mnist")).name == "mnist"
    Path("mnist").mkdir()
    load_model("mnist-mlp").save(Path("mnist"))
    assert load_model(Path("./mnist")).name == load_model("./mnist").name == "mnist-mlp"
    assert load_model("mnist").name == "mnist"
