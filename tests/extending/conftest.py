"""Three image coders registered from outside, and pictures for them.

`stored` and `planes` are toys of docs/extending.md; `tiled` is in tests/codec/tiled.py.
"""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from codec.tiled import NAMES, Tiled
from recvae.codec import (
    IMAGE_CODERS,
    register_image_coder,
)
from recvae.images import Images, write_images

TOYS = [Path(__file__).with_name(f"{name}.py") for name in ("stored", "planes")]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folders `stored`, `planes` and `tiled`, whose coders are registered for one test."""
    kept = dict(IMAGE_CODERS)
    monkeypatch.chdir(tmp_path)
    for toy in TOYS:
        runpy.run_path(str(toy))
    register_image_coder("tiled-1", lambda folder: Tiled())
    for name in ("stored", "planes", "tiled"):
        Path(name).mkdir()
        Path(name, "model.json").write_text(json.dumps({"format": f"{name}-1"}))
    yield
    IMAGE_CODERS.clear()
    IMAGE_CODERS.update(kept)


@pytest.fixture
def pictures() -> list[np.ndarray]:
    """One for each of `NAMES`."""
    rng = np.random.default_rng(0)
    shapes = [(9, 7), (9, 7, 3), (9, 7, 3), (9, 7, 3), (3, 4), (6, 20, 3), (9, 7)]
    return [rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes]


@pytest.fixture
def album(models: None, pictures: list[np.ndarray]) -> Path:
    """A folder of the pictures."""
    folder = Path("album")
    folder.mkdir()
    for name, pixels in zip(NAMES, pictures, strict=True):
        write_images(folder / name, Images(pixels[None]))
    return folder
