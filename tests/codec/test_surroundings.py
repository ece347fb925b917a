"""A program's own settings of torch change neither files nor pixels."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import recvae
from recvae.codec import shipped_models
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SURROUNDINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}
MODELS = [
    pytest.param(name, marks=pytest.mark.slow if name != "mnist" else ())
    for name in shipped_models(VAE_FORMAT)
]


@pytest.mark.parametrize("kind", SURROUNDINGS)
@pytest.mark.parametrize("name", MODELS)
def test_files_and_pixels_are_the_same(
    name: str, kind: str, digits: np.ndarray, noise: np.ndarray
) -> None:
    images = np.concatenate([digits[:4], noise[:1], digits[4:6]])
    codec = recvae.load(name)
    expected, effort = codec.compress(images, 4), codec.compress(images, 4, effort=4)
    bound = codec.model.negative_elbo_bits(images, 64, torch.Generator().manual_seed(0))
    with SURROUNDINGS[kind]():
        codec = recvae.load(name)
        assert codec.compress(images, 4) == expected
        assert codec.compress(images, 4, effort=4) == effort
        assert np.array_equal(codec.decompress(expected), images)
        with recvae.open(effort) as stored:
            assert np.array_equal(stored[5], images[5])
        again = codec.model.negative_elbo_bits(images, 64, torch.Generator().manual_seed(0))
    # The bound is estimated in floats, under the caller's settings.
    assert np.allclose(again, bound, rtol=0.02 if kind == "autocast" else 0)
