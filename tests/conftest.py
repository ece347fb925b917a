"""What the tests share."""

import os

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):  # before torch comes, at import
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (cores or 1) // workers)))

import numpy as np
import pytest

import recvae
from recvae.images import sample_images


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
