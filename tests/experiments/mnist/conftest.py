"""Fixtures for the tests of the MNIST experiment."""

import pytest
import torch

from recvae.codec import CodecModel, load_model
from recvae.experiments.mnist.rows import VARIANTS
from recvae.images import sample_images


@pytest.fixture(scope="session")
def model() -> CodecModel:
    """The baseline of the literature."""
    return load_model("mnist-mlp")


@pytest.fixture(scope="session")
def models(model: CodecModel) -> dict[str, CodecModel]:
    """The shipped models stand in for the pair that differs in its weights."""
    return {"mnist-mlp": model} | dict(
        zip(VARIANTS.values(), (model, load_model("mnist")), strict=True)
    )


@pytest.fixture(scope="session")
def train_images() -> torch.Tensor:
    return torch.from_numpy(sample_images("train")[:200].copy())


@pytest.fixture(scope="session")
def test_images() -> torch.Tensor:
    return torch.from_numpy(sample_images("test")[:24].copy())
