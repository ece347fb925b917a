"""The command line with a pixelwise model: pictures of all kinds and sizes, areas, damage."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recvae
from codec.pixelwise.tiny import drawn, noise, smooth, tiny_model
from recvae.cli import main
from recvae.codec.model_folder import save_model

PICTURES = {
    "a.png": smooth(1, 30, 41)[0],
    "b.png": smooth(1, 30, 41, 4)[0],
    "c.webp": noise(1, 9, 8)[0],
    "d.tiff": smooth(1, 25, 14, 1)[0],
    "e.png": drawn(50, 40, 2)[0],
    "f.bmp": drawn(50, 40)[0],
    "g.png": np.zeros((1, 1), np.uint8),
    "h.png": smooth(1, 260, 270)[0],
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, pictures, and their file; not to be changed."""
    folder = tmp_path_factory.mktemp("pixelwise")
    save_model(tiny_model(), folder / "model")
    (folder / "album").mkdir()
    for name, pixels in PICTURES.items():
        kwargs = {"lossless": True} if name.endswith("webp") else {}
        Image.fromarray(pixels).save(folder / "album" / name, **kwargs)
    model = ["--model", str(folder / "model")]
    assert main(["compress", str(folder / "album"), str(folder / "x.recvae"), *model]) == 0
    return folder


def run(
    capsys: pytest.CaptureFixture[str], folder: Path, *arguments: object
) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main([*map(str, arguments), "--model", str(folder / "model")])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def same(path: Path, pixels: np.ndarray) -> bool:
    with Image.open(path) as image:
        found = np.asarray(image)
    return found.shape == pixels.shape and np.array_equal(found, pixels)


def test_a_folder_of_all_kinds(capsys, packed: Path, tmp_path: Path) -> None:
    status, out, _ = run(capsys, packed, "info", packed / "x.recvae", "--json")
    assert (status, json.loads(out)["images"]) == (0, len(PICTURES))
    against = ("--against", packed / "album")
    assert run(capsys, packed, "verify", packed / "x.recvae", *against)[0] == 0
    assert run(capsys, packed, "decompress", packed / "x.recvae", tmp_path / "back")[0] == 0
    back = {path.stem: path for path in (tmp_path / "back").iterdir()}
    for name, pixels in PICTURES.items():
        assert same(back[Path(name).stem], pixels), name


@pytest.mark.parametrize("name", ["b.png", "g.png", "d.tiff"])
def test_one_picture(capsys, packed: Path, tmp_path: Path, name: str) -> None:
    small, again = tmp_path / "x.recvae", tmp_path / "back.png"
    status, out, err = run(capsys, packed, "compress", packed / "album" / name, small)
    assert (status, err) == (0, "")
    assert "bits per pixel" in out
    assert small.stat().st_size < PICTURES[name].nbytes + 120
    assert run(capsys, packed, "decompress", small, again)[0] == 0
    assert same(again, PICTURES[name])


def test_regions(packed: Path) -> None:
    """Of one picture, by name of the function that decodes the tiles that it needs."""
    with recvae.open(packed / "x.recvae", model=packed / "model") as images:
        for number, pixels in enumerate(PICTURES.values()):
            np.testing.assert_array_equal(images[number], pixels)
        large = PICTURES["h.png"]
        np.testing.assert_array_equal(images.region(7, 250, 260, 100, 270), large[250:260, 100:270])


def test_damage(capsys, packed: Path, tmp_path: Path) -> None:
    """A changed byte is found; what can be saved is, and is what it was."""
    data = bytearray((packed / "x.recvae").read_bytes())
    data[len(data) // 2] ^= 1  # in the largest picture
    (tmp_path / "x.recvae").write_bytes(data)
    status, _, err = run(capsys, packed, "verify", tmp_path / "x.recvae")
    assert (status, err.count("\n")) == (2, 1)
    status, _, err = run(capsys, packed, "decompress", tmp_path / "x.recvae", tmp_path / "no")
    assert (status, (tmp_path / "no").exists()) == (2, False)
    run(capsys, packed, "salvage", tmp_path / "x.recvae", tmp_path / "saved.recvae")
    with recvae.open(tmp_path / "saved.recvae", model=packed / "model") as images:
        saved = [images[i] for i in range(len(images))]
    assert len(saved) >= len(PICTURES) - 1
    for pixels, expected in zip(saved, PICTURES.values(), strict=False):
        assert np.array_equal(pixels, expected) or expected is PICTURES["h.png"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--effort", "2"], "effort is 2: model 'tiny' supports only 1"),
        (["--quality", "50"], "quality is 50: model 'tiny' is lossless, leave it out"),
        (["--elbo"], "model 'tiny' has no ELBO"),
    ],
)
def test_options_of_other_models(capsys, packed: Path, tmp_path: Path, options, message) -> None:
    compress = ["compress", packed / "album" / "a.png", tmp_path / "x.recvae", *options]
    status, out, err = run(capsys, packed, *compress)
    assert (status, out) == (2, "")
    assert err.startswith(f"recvae: {message}")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
