"""The benchmark of lossless codecs, run on small pictures."""

import csv
import importlib
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from recvae.codec import IMAGE_CODERS, shipped_models

ROOT = Path(__file__).parents[2]


@pytest.fixture
def photos(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("photos")


@pytest.fixture
def pictures(photos: ModuleType, tmp_path: Path) -> Path:
    """A folder of two small synthetic pictures, colour and grey, and a file that is not one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    drawn = importlib.import_module("synthetic_pictures").PICTURES
    drawn["icon"]().save(folder / "icon.png")
    drawn["scan-noisy"]().crop((80, 50, 200, 130)).save(folder / "scan.png")
    (folder / "README.md").write_text("no picture")
    return folder


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[str]:
    """The model of docs/extending.md that stores pixels unchanged."""
    kept = dict(IMAGE_CODERS)
    runpy.run_path(str(ROOT / "tests/extending/stored.py"))
    (tmp_path / "stored").mkdir()
    (tmp_path / "stored" / "model.json").write_text(json.dumps({"format": "stored-1"}))
    yield str(tmp_path / "stored")
    IMAGE_CODERS.clear()
    IMAGE_CODERS.update(kept)


def test_each_codec_is_measured_by_files_of_each_picture(
    photos: ModuleType, pictures: Path, stored: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "many.npy", np.zeros((5, 8, 8, 3), np.uint8))
    out = tmp_path / "out"
    photos.main([str(pictures), str(tmp_path / "many.npy"), "--model", stored, "--out", str(out)])
    with open(out / "pictures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["recvae", *(codec.name for codec in photos.lossless_codecs())]
    assert [row["codec"] for row in rows] == 3 * names
    sizes = {(row["name"], row["codec"]): int(row["file_bytes"]) for row in rows}
    assert sizes["icon", "PNG"] == len(optimised(pictures / "icon.png"))
    assert 0 < sizes["icon", "recvae"] - 64 * 64 * 3 < 200
    assert sizes["5 images", "recvae"] > 5 * 8 * 8 * 3 > sizes["5 images", "PNG"]
    assert sizes["scan", "PNG, palette"] < sizes["scan", "PNG"]  # only two values
    with open(out / "table.csv", newline="") as file:
        summary = {(row["data"], row["codec"]): row for row in csv.DictReader(file)}
    total = float(summary["pictures", "recvae"]["total_bits_per_sub_pixel"])
    assert 8 < total < 8.3
    table = (out / "table.md").read_text()
    assert "processor" in table
    assert all(f"| {name} |" in table for name in names)


def optimised(path: Path) -> bytes:
    with Image.open(path) as picture:
        again = path.with_suffix(".again")
        picture.save(again, format="PNG", optimize=True)
    return again.read_bytes()


def test_other_pixels_coming_back_end_the_program(
    photos: ModuleType, pictures: Path, tmp_path: Path
) -> None:
    (part, _) = photos.read_parts(pictures, None)
    (png, *_) = photos.lossless_codecs()
    wrong = photos.LosslessCodec(
        "wrong", "pillow", None, "", png.encode, lambda file, channels: png.decode(file, 3) ^ 1
    )
    with pytest.raises(SystemExit, match=r"wrong: another picture came back of pictures, icon"):
        photos.measure(wrong, part, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing: no such file or folder"),
        (["empty"], "empty: no pictures in this folder"),
        (["alpha.png"], "alpha.png: mode RGBA, need grey or RGB without alpha"),
        (["flat.npy"], r"flat.npy: uint8 \(3, 4\), need uint8 \(n, height, width\)"),
        (["pictures", "--codecs", "GIF"], "--codecs GIF: choose from recvae, PNG, "),
    ],
)
def test_what_cannot_be_measured_is_refused(
    photos: ModuleType,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Image.new("RGBA", (3, 3)).save("alpha.png")
    np.save("flat.npy", np.zeros((3, 4), np.uint8))
    with pytest.raises(photos.InputError, match=message):
        photos.main(arguments)


def test_synthetic_pictures_are_the_same_each_time(photos: ModuleType) -> None:
    drawn = importlib.import_module("synthetic_pictures").PICTURES
    for name in ("dialog", "pixel-art", "sprites", "icon", "code-dark", "terminal"):
        first, second = (np.asarray(drawn[name]()) for _ in range(2))
        assert np.array_equal(first, second)
        assert 64 <= min(first.shape[:2]) <= max(first.shape[:2]) <= 1024


def test_a_patchwork_is_of_the_pictures_and_repeats_no_block(photos: ModuleType) -> None:
    patchwork = importlib.import_module("commands_measured").patchwork
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    made = patchwork([noise], 0.04)
    assert made.shape == (200, 200, 3)
    blocks = {made[y : y + 40, x : x + 40].tobytes() for y in (0, 60, 120) for x in (0, 60, 120)}
    assert len(blocks) == 9
    assert np.isin(made[:60, :60].reshape(-1, 3) @ [1, 256, 65536], noise @ [1, 256, 65536]).all()


def test_commands_are_measured_in_processes_of_their_own(
    photos: ModuleType, pictures: Path, tmp_path: Path
) -> None:
    if not (models := list(shipped_models("recvae-pixelwise-1"))):
        pytest.skip("no model of recvae-pixelwise-1 ships")
    out = str(tmp_path / "out")
    options = ["--codecs", "recvae", "--limit", "1", "--large", "0.01", "--out", out]
    photos.main([str(pictures), "--model", models[0], *options])
    table = (tmp_path / "out" / "table.md").read_text()
    assert "decompress: peak memory" in table
    assert "| decompress imports torch |" in table
