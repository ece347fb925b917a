"""Costs of the commands for one picture: memory, time of a region, time from the shell."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from command import run
from numpy.typing import NDArray
from PIL import Image

import recvae
from recvae.experiments.tables import markdown_grid
from recvae.images import read_images

Picture = NDArray[np.uint8]

BLOCK = 500  # pixels; not a multiple of a tile's side, so that seams lie anywhere in tiles
REGION = 512
SMALL = 64
REPEATS = 5


def patchwork(pictures: Sequence[Picture], megapixels: float) -> Picture:
    """A square picture of blocks from the pictures, flipped and rotated; always the same.

    RGB, uint8 (side, side, 3), with about `megapixels` megapixels.
    """
    rng = np.random.default_rng(0)
    side = round((megapixels * 1e6) ** 0.5)
    block = min(BLOCK, *(length for picture in pictures for length in picture.shape[:2]))
    made = np.empty((side, side, 3), np.uint8)
    for top in range(0, side, block):
        for left in range(0, side, block):
            picture = pictures[int(rng.integers(len(pictures)))]
            y, x = (int(rng.integers(length - block + 1)) for length in picture.shape[:2])
            part = np.rot90(picture[y : y + block, x : x + block], int(rng.integers(4)))
            part = part[:: rng.choice((1, -1))].reshape(block, block, -1)
            place = made[top : top + block, left : left + block]
            place[:] = part[: place.shape[0], : place.shape[1]]
    return made


def large_picture(model: str, pictures: Sequence[Picture], megapixels: float, folder: Path) -> str:
    """A table about compressing and decompressing a patchwork by commands, and its regions."""
    picture = patchwork(pictures, megapixels)
    packed = folder / "large.recvae"
    coded, decoded = _there_and_back(model, picture, packed)
    small = _there_and_back(model, picture[:SMALL, :SMALL], folder / "small.recvae")
    loaded_mb = small[0]["peak_mb"]
    megapixels = picture.size / 3e6
    rows = [
        ["compress: peak memory", f"{coded['peak_mb']:.0f} MB"],
        [f"the same of {SMALL} × {SMALL} pixels", f"{loaded_mb:.0f} MB"],
        ["compress: above that", f"{coded['peak_mb'] - loaded_mb:.0f} MB"],
        ["decompress: peak memory", f"{decoded['peak_mb']:.0f} MB"],
        ["decompress imports torch", "yes" if decoded["torch"] else "no"],
        ["compress, start included", f"{megapixels / coded['wall_seconds']:.2f} MP/s"],
        ["decompress, start included", f"{megapixels / decoded['wall_seconds']:.2f} MP/s"],
        ["rate", f"{8 * packed.stat().st_size / picture.size:.3f} bits per sub-pixel"],
        [
            f"a region of {REGION} × {REGION}, model loaded, median of {REPEATS}",
            f"{_region_seconds(model, picture, packed):.3f} s",
        ],
    ]
    return f"## {megapixels:.1f} megapixels, one picture\n\n{markdown_grid(('', 'measured'), rows)}"


def start_seconds(model: str, picture: Picture, folder: Path) -> str:
    """A table about `recvae decompress` in fresh processes, for a picture and a corner of it."""
    rows = []
    for given in (picture[:SMALL, :SMALL], picture):
        packed, back = folder / "start.recvae", folder / "start.ppm"
        _there_and_back(model, given, packed)
        runs = [_decompress(model, packed, back) for _ in range(REPEATS)]
        size = f"{given.shape[0]} × {given.shape[1]} pixels"
        seconds = median(found["wall_seconds"] for found in runs)
        imported = "yes" if runs[0]["torch"] else "no"
        rows.append([size, f"{seconds:.2f} s", imported, f"{runs[0]['peak_mb']:.0f} MB"])
    headings = ("", f"median of {REPEATS}", "imports torch", "peak memory")
    grid = markdown_grid(headings, rows)
    return f"## `recvae decompress`, from the shell to the end\n\n{grid}"


def _there_and_back(
    model: str, picture: Picture, packed: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Results of compressing and decompressing; end the program if the pictures differ."""
    source, back = packed.with_suffix(".png"), packed.with_suffix(".ppm")
    Image.fromarray(np.ascontiguousarray(picture)).save(source, compress_level=1)
    coded = run("compress", str(source), str(packed), "--model", model, "--force")
    decoded = _decompress(model, packed, back)
    if not np.array_equal(read_images(back).pixels[0], picture):
        sys.exit(f"{packed}: the decompressed picture differs")
    return coded, decoded


def _decompress(model: str, packed: Path, back: Path) -> dict[str, Any]:
    return run("decompress", str(packed), str(back), "--model", model, "--force")


def _region_seconds(model: str, picture: Picture, packed: Path) -> float:
    """Median over positions; includes opening the file, not loading the model."""
    codec = recvae.load(model)
    rng = np.random.default_rng(0)
    height, width = (min(REGION, side) for side in picture.shape[:2])
    passes = []
    for _ in range(REPEATS):
        y = int(rng.integers(picture.shape[0] - height + 1))
        x = int(rng.integers(picture.shape[1] - width + 1))
        started = time.perf_counter()
        with codec.open(packed) as images:
            region = images.region(0, y, y + height, x, x + width)
        passes.append(time.perf_counter() - started)
        if not np.array_equal(region, picture[y : y + height, x : x + width]):
            sys.exit(f"{packed}: the decompressed region differs")
    return median(passes)
