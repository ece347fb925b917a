"""Corrections go down the gradient, within bounds, and shorten what a network misjudges."""

from typing import Any

import numpy as np
import pytest

from codec.pixelwise.tiny import smooth, tiny_model, uncorrected
from recvae.codec.pixelwise import corrections as correcting
from recvae.codec.pixelwise import mixture as mixtures
from recvae.codec.pixelwise.networks import TABLES
from recvae.codec.pixelwise.tile import NETWORK, encode_tile
from recvae.jit import threaded

COMPONENTS = 3
UNIT = 1 << correcting.UNIT_BITS


@threaded
def teach(corrections: Any, mixture: Any, value: Any, logistic: Any) -> None:
    mixtures.begins(mixture, value, logistic, mixture.below)
    mixtures.begins(mixture, value + 1, logistic, mixture.above)
    correcting.learn_scales(corrections, mixture, 0, value)


@threaded
def correct(corrections: Any, outputs: Any) -> None:
    correcting.correct(corrections, outputs)


def mixture_of(random: np.random.Generator) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """A mixture in integers; and weights, means in grey values, logarithms of scales."""
    weights = random.multinomial(1 << 16, random.dirichlet(np.ones(COMPONENTS)))
    means = np.rint(32 * (random.uniform(0, 256) + random.normal(0, 4, COMPONENTS)))
    logs = random.uniform(-1, 3, COMPONENTS)
    mixture = mixtures.Mixture(*np.zeros((6, COMPONENTS), np.int64))
    mixture.weights[:], mixture.means[:] = weights, means
    mixture.inverses[:] = np.rint(4096 * np.exp(-logs))
    return mixture, weights / (1 << 16), means / 32, logs


def nats(value: int, weights: np.ndarray, means: np.ndarray, logs: np.ndarray) -> float:
    """Bits of a value, by the formula."""
    ends = np.array([value - 0.5, value + 0.5])[:, None]
    logistic = 1 / (1 + np.exp(np.minimum((means - ends) / np.exp(logs), 100)))
    below, above = (logistic[0] if value else 0), (logistic[1] if value < 255 else 1)
    return -np.log((weights * (above - below)).sum())


def test_the_gradient_of_scales() -> None:
    random, compared = np.random.default_rng(0), 0
    for _ in range(300):
        mixture, weights, means, logs = mixture_of(random)
        value = int(np.clip(means[0] + random.normal(0, 5), 0, 255))
        if (np.abs(value - means) > 7 * np.exp(logs)).any():  # steeper slopes are bounded
            continue
        corrections = correcting.new_corrections(1, COMPONENTS)
        teach(corrections, mixture, value, TABLES.logistic)
        for k in range(COMPONENTS):
            step = np.eye(COMPONENTS)[k] * 1e-4
            rise = nats(value, weights, means, logs + step)
            slope = (rise - nats(value, weights, means, logs - step)) / 2e-4
            np.testing.assert_allclose(
                corrections.biases[1, k] / UNIT, -slope, rtol=0.03, atol=0.01
            )
            compared += 1
    assert compared > 200


def test_bounds() -> None:
    """Any learning from any outputs stays within bounds, even starting at them."""
    random = np.random.default_rng(1)
    corrections = correcting.new_corrections(1, COMPONENTS)
    of_each = (corrections.biases, correcting.MOST_BIAS), (corrections.gains, correcting.MOST_GAIN)
    for parts, most in of_each:
        parts[:] = random.choice([-most, most], parts.shape)
    start = [parts.copy() for parts, _ in of_each]
    for number in range(200):
        outputs = random.integers(-(1 << 31), 1 << 31, 4 * COMPONENTS).astype(np.int32)
        correct(corrections, outputs)
        assert np.abs(outputs[:COMPONENTS].astype(int)).max() <= 2 * correcting.MOST_SAID + 1024
        mixture, *_ = mixture_of(random)
        mixture.inverses[:] = TABLES.inverses[0]
        # Just above the value, or as far as means can lie.
        mixture.means[:] = random.integers(-(1 << 36), 1 << 36) if number % 2 else 32 * 8 + 19
        teach(corrections, mixture, (8, 0, 8, 255)[number % 4], TABLES.logistic)
    for (parts, most), before in zip(of_each, start, strict=True):
        assert np.abs(parts).max() <= most
        assert (parts[1] != before[1]).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_streams_are_shorter(channels: int) -> None:
    """With a network of random weights, which knows nothing about pictures."""
    images = smooth(1, 48, 40, channels).reshape(1, 48, 40, channels)
    both = tiny_model(), uncorrected(tiny_model())
    lengths = [len(encode_tile(own.networks, images, [NETWORK]) or b"") for own in both]
    assert 0 < lengths[0] < 0.99 * lengths[1]
