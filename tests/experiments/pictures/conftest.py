"""Smooth random pictures, which all codecs can compress."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.pictures.coarse import make_model
from recvae.experiments.pictures.classical import RGB


def smooth(height: int, width: int, seed: int) -> RGB:
    """A picture of few low frequencies and a little noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    picture = 128 + 4 * random.standard_normal((height, width, 3))
    for _ in range(4):
        fy, fx, phase = random.uniform(0, 0.4, 3)
        wave = np.sin(fy * rows + fx * columns + 9 * phase)
        picture += 20 * wave[..., None] * random.uniform(-1, 1, 3)
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def picture() -> RGB:
    return smooth(32, 32, 1)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for --data.root."""
    root = tmp_path_factory.mktemp("data")
    (root / "CIFAR10").mkdir()
    (root / "kodak").mkdir()
    np.save(root / "CIFAR10" / "test.npy", [smooth(32, 32, seed) for seed in range(7)])
    for seed in range(2):
        Image.fromarray(smooth(24, 40, seed)).save(root / "kodak" / f"kodim0{seed + 1}.png")
    return root


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "coarse")
