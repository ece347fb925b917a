"""Each door is one new file: toys registered from outside the package code real files.

The toys are the text of docs/extending.md.
"""

import re
import runpy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from backends import SEARCHES, check, served

from recvae import cli
from recvae.codec import CodecModel, load_model
from recvae.codec.vae.calibrate import CalibrationOptions
from recvae.codec.vae.latents import LATENT_CODECS, BlockLatents, LatentCodec
from recvae.codec.vae.model import save_model
from recvae.errors import InputError
from recvae.images import read_images, sample_images
from recvae.rec import ALGORITHMS, DiagonalGaussian, plan_blocks
from recvae.rec.search import BACKENDS
from recvae.vae import posterior

FOLDER = Path(__file__).parent
TOYS = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("test_"))
DOCS = (FOLDER.parent.parent / "docs" / "extending.md").read_text()
IMAGES = 20


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """What a toy registers is gone after its test."""
    kept = [(registry, dict(registry)) for registry in (ALGORITHMS, BACKENDS, LATENT_CODECS)]
    yield
    for registry, before in kept:
        registry.clear()
        registry.update(before)


def register(toy: str) -> None:
    runpy.run_path(str(FOLDER / f"{toy}.py"))


def check_file(model: CodecModel, folder: Path, capsys: pytest.CaptureFixture[str]) -> bytes:
    """The model is saved, and its commands code images to a file and back."""
    save_model(model, folder / "model")
    np.save(folder / "images.npy", sample_images()[:IMAGES])
    file, back = str(folder / "images.recvae"), folder / "back.npy"
    chosen = ["--model", str(folder / "model"), "--quiet"]
    sized = [*chosen, "--group-size", "8"]
    assert cli.main(["compress", str(folder / "images.npy"), file, *sized]) == 0
    assert cli.main(["decompress", file, str(back), *chosen]) == 0
    assert cli.main(["verify", file, "--against", str(folder / "images.npy"), *chosen]) == 0
    assert np.array_equal(read_images(str(back)).pixels, sample_images()[:IMAGES])
    assert capsys.readouterr().err == ""
    return Path(file).read_bytes()


def with_latents(make: Callable[[DiagonalGaussian], LatentCodec]) -> CodecModel:
    """The baseline with its latents coded in another way, fitted to some posteriors."""
    model = load_model("mnist-mlp")
    images = torch.from_numpy(sample_images("train")[:100].copy())
    return replace(model, latents=make(posterior(model.encoder, images)))


def nearest_blocks(target: DiagonalGaussian) -> BlockLatents:
    blocks = plan_blocks(target.kl_bits().mean(0), target, 8, algorithm="nearest")
    latents = BlockLatents.unfitted(3, blocks)
    return latents.fitted(latents.send(target).codes)


def test_an_algorithm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register("nearest")
    model = with_latents(nearest_blocks)
    check_file(model, tmp_path, capsys)
    assert {type(coder).__name__ for coder in model.coders} == {"Nearest"}
    del ALGORITHMS["nearest"]
    with pytest.raises(InputError, match="algorithm: got 'nearest', need one of PFR, "):
        load_model(tmp_path / "model")


def test_a_backend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def blocks(target: DiagonalGaussian) -> BlockLatents:
        information = target.kl_bits().mean(0)
        return BlockLatents.unfitted(3, plan_blocks(information, target, 8, max_log2_candidates=8))

    (tmp_path / "plain").mkdir()
    expected = check_file(with_latents(blocks), tmp_path / "plain", capsys)
    register("by_reference")
    calls = []
    plain = BACKENDS["by reference"]

    def counted(inputs, rule, chunk_elements):
        calls.append(inputs.batch)
        return plain.search(inputs, rule, chunk_elements)

    BACKENDS["by reference"] = replace(plain, search=counted)
    assert check_file(with_latents(blocks), tmp_path, capsys) == expected
    assert sum(calls) == 8 * IMAGES
    for name in served("by reference"):
        check("by reference", SEARCHES[name]())


def test_a_latent_codec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register("grid")
    model = with_latents(lambda target: LATENT_CODECS["grid"].from_json(5, {"dim": target.dim}))
    check_file(model, tmp_path, capsys)
    text = (tmp_path / "model" / "model.json").read_text()
    assert re.sub(r"\s+", " ", text).find('"latents": { "codec": "grid", "dim": 50 }') > 0
    file = str(tmp_path / "images.recvae")
    arguments = ["compress", str(tmp_path / "images.npy"), file, "--effort", "4", "--force"]
    assert cli.main([*arguments, "--model", str(tmp_path / "model")]) == 2
    assert "leaves no candidates to choose from" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"dim: got 50\.0, need int"):
        LATENT_CODECS["grid"].from_json(5, {"dim": 50.0})
    with pytest.raises(ValueError, match="lays nothing out: make a model of it in Python"):
        CalibrationOptions(latents="grid")
    del LATENT_CODECS["grid"]
    with pytest.raises(InputError, match="latents: codec is 'grid'; allowed: blocks, "):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("toy", TOYS, ids=lambda path: path.stem)
def test_toys_are_short_and_documented(toy: Path) -> None:
    text = toy.read_text()
    assert len(text.splitlines()) <= 40
    assert f"```python\n{text}```" in DOCS


def test_code_blocks_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    assert len(blocks) > len(TOYS)
    namespace: dict[str, object] = {"__name__": "extending"}
    for block in blocks:
        exec(compile(block, "docs/extending.md", "exec"), namespace)
