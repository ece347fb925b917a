"""Model files: what is saved loads to the same bits, and what is not whole is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import recvae
from recvae.codec import Codec, load_model, shipped_model_name, shipped_models
from recvae.codec.model import content_hash
from recvae.errors import InputError
from recvae.rec import fit_bucket_code
from recvae.vae.blocks import Block


@pytest.fixture
def folder(codec: Codec, tmp_path: Path) -> Path:
    codec.model.save(tmp_path)
    return tmp_path


def rewrite(folder: Path, tensors: dict | None = None, **fields: object) -> None:
    """Change a model and state the right hash, as one who means harm would."""
    text = json.loads((folder / "model.json").read_text()) | fields
    if tensors is not None:
        save_file(tensors, folder / "weights.safetensors")
    text.pop("hash")
    text["hash"] = content_hash(text, load_file(folder / "weights.safetensors"))
    (folder / "model.json").write_text(json.dumps(text))


def test_saved_model_is_the_same(codec: Codec, folder: Path, digits: np.ndarray) -> None:
    again = recvae.load(folder)
    assert again.model.hash == codec.model.hash
    data = codec.compress(digits)
    assert again.compress(digits) == data
    assert np.array_equal(again.decompress(data), digits)


def test_shipped_models_are_found_by_their_hash() -> None:
    assert "mnist" in shipped_models()
    for name in shipped_models():
        model = load_model(name)
        assert model.name == name
        assert shipped_model_name(model.file_id) == name
    assert shipped_model_name(bytes(16)) is None


def test_nothing_is_pickled(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.safetensors"]
    data = (folder / "weights.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert all(set(entry) == {"dtype", "shape", "data_offsets"} for entry in header.values())


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "empty"])
def test_damaged_files(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 4
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes({"flip": data, "cut": data[:-9], "empty": b""}[damage])
    with pytest.raises(InputError, match="model") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_unknown_model_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"no model 'cifar'.*mnist"):
        load_model("cifar")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "recvae-model-9"}, "recvae-model-9"),
        ({"key": 1 << 64}, "key"),
        ({"key": 1.5}, "key"),
        ({"blocks": []}, "blocks"),
        ({"number": {"fraction_bits": 7, "magnitude_bits": 40}}, "magnitude_bits"),
        ({"architecture": {"name": "gan"}}, "gan"),
        ({"architecture": {"size": 3}}, "size"),
    ],
)
def test_hostile_descriptions(folder: Path, fields: dict, message: str) -> None:
    rewrite(folder, **fields)
    with pytest.raises(InputError, match=message) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raw_bits", [21, 40, 41])
def test_hostile_rank_code(folder: Path, raw_bits: int) -> None:
    """An index code may have more raw bits than a model may hold."""
    blocks = json.loads((folder / "model.json").read_text())["blocks"]
    blocks[0]["rank_code"] = {"frequencies": [1 << 24], "raw_bits": [raw_bits]}
    rewrite(folder, blocks=blocks)
    with pytest.raises(InputError, match="raw_bits"):
        load_model(folder)


def test_hostile_tensors(folder: Path) -> None:
    good = load_file(folder / "weights.safetensors")
    encoder = next(name for name in good if name.startswith("encoder."))
    decoder = next(name for name in good if name.endswith(".weight") and "decoder." in name)
    cases = {
        "not finite": good | {encoder: torch.full_like(good[encoder], torch.nan)},
        "missing": {k: v for k, v in good.items() if k != decoder},
        "not part of a model": good | {"extra": torch.zeros(1)},
        "not part of the architecture": good | {"decoder.extra": torch.zeros(1)},
        "weights are too large": good | {decoder: torch.full_like(good[decoder], 32767)},
    }
    for message, tensors in cases.items():
        rewrite(folder, tensors)
        if message == "weights are too large":
            rewrite(folder, number={"fraction_bits": 7, "magnitude_bits": 16})
        with pytest.raises(InputError, match=message) as caught:
            load_model(folder)
        assert "\n" not in str(caught.value)


def test_parts_must_make_a_model(codec: Codec) -> None:
    model = codec.model
    block, code = model.blocks[0], model.rank_codes[0]
    cases = {
        "every latent": {"blocks": model.blocks[1:], "rank_codes": model.rank_codes[1:]},
        "rank_codes": {"rank_codes": model.rank_codes[1:]},
        "num_candidates": {
            "blocks": (Block(block.dimensions, block.intervals, 1 << 21), *model.blocks[1:])
        },
        "intervals": {
            "blocks": (Block(block.dimensions, block.intervals[1:], 8), *model.blocks[1:])
        },
        "ranks": {
            "rank_codes": (
                fit_bucket_code(torch.zeros(0, dtype=torch.int64), 1),
                *model.rank_codes[1:],
            )
        },
    }
    assert code.bits(torch.tensor([block.num_candidates - 1])) > 0
    for message, fields in cases.items():
        with pytest.raises(ValueError, match=message):
            replace(model, **fields)


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
