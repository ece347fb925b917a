"""Fixtures shared by the tests."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import recvae
from recvae.images import sample_images


@pytest.fixture(scope="session")
def dataset() -> Callable[[str], Path]:
    """Return a path in the folder of full data sets, such as "MNIST/raw", or skip the test."""

    def find(name: str) -> Path:
        folder = os.environ.get("RECVAE_DATA")
        if not folder:
            pytest.skip("RECVAE_DATA names no folder of data sets")
        if not (path := Path(folder) / name).exists():
            pytest.skip(f"RECVAE_DATA: {folder} has no {name}")
        return path

    return find


@pytest.fixture(scope="session")
def codec() -> "recvae.Codec":
    """The fast model, on CPU."""
    return recvae.load("mnist", batch_size=64)


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """40 real test images."""
    return sample_images()[:40]


@pytest.fixture(scope="session")
def noise() -> np.ndarray:
    """Images that no model expects."""
    return np.random.default_rng(0).integers(0, 256, (10, 28, 28)).astype(np.uint8)
