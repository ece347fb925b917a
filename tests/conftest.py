"""What the tests share."""

import numpy as np
import pytest
import torch

import recvae
from recvae.codec import CodecModel, load_model
from recvae.experiments.mnist.rows import TWINS
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


@pytest.fixture(scope="session")
def model() -> CodecModel:
    """The baseline of the literature."""
    return load_model("mnist-mlp")


@pytest.fixture(scope="session")
def models(model: CodecModel) -> dict[str, CodecModel]:
    """The shipped models stand in for the pair that differs in its weights."""
    return {"mnist-mlp": model} | dict(
        zip(TWINS.values(), (model, load_model("mnist")), strict=True)
    )


@pytest.fixture(scope="session")
def train_images() -> torch.Tensor:
    return torch.from_numpy(sample_images("train")[:200].copy())


@pytest.fixture(scope="session")
def test_images() -> torch.Tensor:
    return torch.from_numpy(sample_images("test")[:24].copy())
