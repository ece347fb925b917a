"""Latent codecs in files: models whose latents are coded as no shipped model's are."""

import numpy as np
import pytest
import torch

import recvae
from golden.make_models import LATENTS
from golden.steps import MODELS
from recvae.codec import Codec
from recvae.codec.vae.groups import encode_groups
from recvae.codec.vae.latents import BlockLatents
from recvae.errors import InputError

every_model = pytest.mark.parametrize("name", LATENTS)


def strange_images() -> np.ndarray:
    """Images that no encoder saw: posteriors may be far out, and narrower than the grid."""
    rng = np.random.default_rng(0)
    levels = [0, 1, 254, 255]
    flat = np.repeat(np.array(levels, np.uint8), 28 * 28).reshape(-1, 28, 28)
    noise = rng.integers(0, 256, (8, 28, 28)).astype(np.uint8)
    specks = noise * (rng.random(noise.shape) < 0.05).astype(np.uint8)
    return np.concatenate([flat, noise, specks])


@every_model
@pytest.mark.parametrize("gain", [1, 30])
def test_strange_images_come_back(name: str, gain: int) -> None:
    """Also with a malicious model: posteriors thirty times as narrow and as far out."""
    codec = recvae.load(MODELS / name)
    codec.model.encoder.posterior.linear.weight.data *= gain
    images = strange_images()
    assert np.array_equal(codec.decompress(codec.compress(images, 5)), images)


@every_model
def test_bits_are_those_of_the_file(name: str, digits: np.ndarray) -> None:
    model = recvae.load(MODELS / name).model
    groups, bits = encode_groups(model, digits, 40)
    told = float((bits.bins + bits.ranks + bits.pixels + bits.stored).sum())
    assert told - 1 < 8 * sum(map(len, groups)) < told + 16
    assert bits.capped.shape == (40,)


def test_fitted_bins_cost_less_than_uniform_ones(digits: np.ndarray) -> None:
    """On the images whose aggregate posterior they were fitted to, and on new ones."""
    latents = recvae.load(MODELS / "fitted-bins").model.latents
    assert isinstance(latents, BlockLatents)
    model = recvae.load(MODELS / "fitted-bins").model
    _, bits = encode_groups(model, digits, 40)
    uniform = sum(np.log2(block.intervals).sum() for block in latents.blocks)
    assert bits.bins[bits.bins > 0].mean() < uniform


def test_effort_needs_candidates_to_choose_from(digits: np.ndarray) -> None:
    for name in ("a-star", "partitioned-pfr"):
        with pytest.raises(InputError, match=r"effort is 4: .* no candidates to choose from"):
            recvae.load(MODELS / name).compress(digits, effort=4)
    codec = recvae.load(MODELS / "fitted-bins")
    plain, tried = codec.compress(digits), codec.compress(digits, effort=16)
    assert len(tried) < len(plain)
    assert np.array_equal(Codec(codec.model).decompress(tried), digits)


def test_a_model_of_other_latents_is_another_model() -> None:
    hashes = {recvae.load(MODELS / name).model.hash for name in LATENTS}
    assert len(hashes) == len(LATENTS)
    weights = [recvae.load(MODELS / name).model.encoder.hidden.weight for name in LATENTS]
    assert all(torch.equal(weight, weights[0]) for weight in weights)
