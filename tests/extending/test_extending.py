"""Each door is one new file: toys registered from outside the package code real files.

The toys are the text of docs/extending.md.
"""

import io
import re
import runpy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rec.backends import SEARCHES, check, served
from recvae import cli
from recvae.codec import IMAGE_CODERS, CodecModel, load_model
from recvae.codec.model_folder import save_model
from recvae.codec.vae.calibrate import CalibrationOptions, calibrate
from recvae.codec.vae.latents import LATENT_CODECS, BlockLatents, LatentCodec
from recvae.errors import InputError
from recvae.images import (
    Images,
    image_stream,
    read_images,
    sample_images,
    write_chunks,
    write_images,
)
from recvae.images.formats.registry import FORMATS
from recvae.rec import ALGORITHMS, DiagonalGaussian, plan_blocks
from recvae.rec.search import BACKENDS
from recvae.vae import Architecture, posterior
from recvae.vae.lightning import VAE
from recvae.vae.networks import NETWORKS

FOLDER = Path(__file__).parent
TOYS = sorted(
    path for path in FOLDER.glob("*.py") if not path.name.startswith(("test_", "conftest"))
)
DOCS = (FOLDER.parent.parent / "docs" / "extending.md").read_text()
IMAGES = 10  # in groups of 8


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Undo what a toy registers after its test."""
    registries = (ALGORITHMS, BACKENDS, LATENT_CODECS, NETWORKS, FORMATS, IMAGE_CODERS)
    kept = [(registry, dict(registry)) for registry in registries]
    yield
    for registry, before in kept:
        registry.clear()
        registry.update(before)


def register(toy: str) -> None:
    runpy.run_path(str(FOLDER / f"{toy}.py"))


def check_file(model: CodecModel, folder: Path, capsys: pytest.CaptureFixture[str]) -> bytes:
    """Save the model, and code images to a file and back by the commands."""
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
    """The baseline with another latent codec, fitted to some posteriors."""
    model = load_model("mnist-mlp")
    images = torch.from_numpy(sample_images("train")[:20].copy())
    return replace(model, latents=make(posterior(model.encoder, images)))


def nearest_blocks(target: DiagonalGaussian) -> BlockLatents:
    blocks = plan_blocks(
        target.kl_bits().mean(0), target, 8, max_log2_candidates=8, algorithm="nearest"
    )
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


@pytest.mark.slow
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
    with pytest.raises(ValueError, match="has no layouts: make its model in Python"):
        CalibrationOptions(latents="grid")
    del LATENT_CODECS["grid"]
    with pytest.raises(InputError, match="latents: codec is 'grid'; allowed: blocks, "):
        load_model(tmp_path / "model")


@pytest.mark.slow
def test_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Train for some steps, export, and check by loading."""
    register("pixelwise")
    torch.manual_seed(0)
    vae = VAE(Architecture("pixelwise", 4, decoder={"channels": 4}))
    images = torch.from_numpy(sample_images("train")[:32].copy())
    optimiser = torch.optim.Adam(vae.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        reconstruction, kl = vae.elbo_terms_nats(images)
        losses.append((reconstruction + kl.sum(1)).mean())
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.5 * losses[0]
    model = calibrate(
        vae.eval().requires_grad_(False),
        images,
        "toy",
        CalibrationOptions(1, max_log2_candidates=6),
        {},
        lambda line: None,
    )
    capsys.readouterr()
    check_file(model, tmp_path, capsys)
    folder = tmp_path / "model"
    assert load_model(folder).architecture.decoder == {"channels": 4}
    text = (folder / "model.json").read_text()
    for change, message in [
        ('"channels": 65', "architecture.decoder.channels: 65 is greater than the maximum of 64"),
        ('"depth": 4', "architecture.decoder: 'channels' is a required property"),
        ('"channels": 8', "tensor .* needed: torch.int16"),
    ]:
        (folder / "model.json").write_text(text.replace('"channels": 4', change))
        with pytest.raises(InputError, match=message):
            load_model(folder)
    with pytest.raises(InputError, match=r"decoder\.channels is 0; allowed: 1 to 64"):
        Architecture("pixelwise", decoder={"channels": 0})
    (folder / "model.json").write_text(text)
    del NETWORKS["pixelwise"]
    with pytest.raises(InputError, match=r"architecture\.name: 'pixelwise' is not one of"):
        load_model(folder)


def test_an_image_format(tmp_path: Path) -> None:
    register("pam")
    four = np.arange(80, dtype=np.uint8).reshape(4, 5, 4)
    kinds = {"grey": four[..., 0], "both": four[..., 2:], "colour": four[..., 1:], "all": four}
    for name, pixels in ((f"{kind}.pam", pixels) for kind, pixels in kinds.items()):
        write_images(tmp_path / name, Images(pixels[None]))
        data = (tmp_path / name).read_bytes()
        assert data.startswith(b"P7\nWIDTH 5\nHEIGHT 4\n")
        assert np.array_equal(read_images(tmp_path / name).pixels, pixels[None])
        assert np.array_equal(read_images(io.BytesIO(data)).pixels, pixels[None])
        (tmp_path / name).write_bytes(data[:-1])
        with pytest.raises(InputError, match=f"{name}: damaged PAM file"):
            read_images(tmp_path / name)
    (tmp_path / name).write_bytes(data.replace(b"255", b"127"))
    with pytest.raises(InputError, match=f"{name}: a PAM of another kind than 8-bit grey"):
        read_images(tmp_path / name)
    with pytest.raises(InputError, match=r"unknown kind of file; pass .* a QOI, a PAM or a folder"):
        read_images(io.BytesIO(b"P9"))
    del FORMATS["PAM"]
    with pytest.raises(InputError, match="unknown kind of file"):
        read_images(io.BytesIO(data))


def test_an_image_format_in_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register("pam")
    digits, names = sample_images()[:3], ("a.pam", "b.png", "c.PAM")
    write_images(tmp_path / "digits", Images(digits, names))
    file, back = str(tmp_path / "digits.recvae"), str(tmp_path / "back")
    assert cli.main(["compress", str(tmp_path / "digits"), file, "--model=mnist", "--quiet"]) == 0
    assert cli.main(["decompress", file, back, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    for name in names:
        data = Path(back, name).read_bytes()
        assert data == (tmp_path / "digits" / name).read_bytes()
        assert data.startswith(b"P7") == (name != "b.png")
    (tmp_path / "digits" / "b.png").unlink()
    write_images(tmp_path / "digits" / "b.png", Images(np.zeros((1, 2, 3, 3), np.uint8)))
    with image_stream(tmp_path / "digits") as images:
        assert [(str(spec), count) for spec, count in images.runs] == [
            ("28 × 28", 1),
            ("2 × 3 RGB", 1),
            ("28 × 28", 1),
        ]
        write_chunks(tmp_path / "mixed", images.runs, images.chunks, images.names)
    assert Path(tmp_path, "mixed", "c.PAM").read_bytes() == Path(back, "c.PAM").read_bytes()


@pytest.mark.parametrize("toy", TOYS, ids=lambda path: path.stem)
def test_toys_are_short_and_documented(toy: Path) -> None:
    text = toy.read_text()
    assert len(text.splitlines()) <= 65
    assert f"```python\n{text}```" in DOCS
