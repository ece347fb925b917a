"""Layers of kernels give the numbers of `recvae.exact.layers`."""

import numpy as np
import pytest
import torch

from recvae.exact import IntegerDense, IntegerResidual
from recvae.kernels.layers import Layers, Residual, add_residual, apply, join_layers, room

LIMIT = 4095
SIZES = [(1, 1), (7, 16), (16, 7), (33, 48), (416, 96), (96, 259)]


def random_dense(inputs: int, outputs: int, relu: bool) -> IntegerDense:
    """A layer with weights as large as the certificate of one product allows, and any shifts."""
    rng = np.random.default_rng(inputs * 1000 + outputs)
    most = max((1 << 24) // (2 * LIMIT * inputs), 1)
    return IntegerDense(
        torch.from_numpy(rng.integers(-most, most + 1, (outputs, inputs)).astype(np.int16)),
        torch.from_numpy(rng.integers(-(1 << 20), 1 << 20, outputs).astype(np.int32)),
        torch.from_numpy(rng.integers(0, 14, outputs).astype(np.uint8)),
        relu,
        LIMIT,
        LIMIT,
    )


def joined(*every: IntegerDense) -> Layers:
    return join_layers(
        [(own.weight.numpy(), own.bias.numpy(), own.shift.numpy(), own.low) for own in every]
    )


def random_vectors(size: int) -> np.ndarray:
    """Vectors, some of them with the largest possible numbers."""
    rng = np.random.default_rng(size)
    vectors = rng.integers(-LIMIT, LIMIT + 1, (20, size)).astype(np.int16)
    vectors[:4] = LIMIT * np.sign(vectors[:4])
    return vectors


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_layer_is_that_of_torch(size: tuple[int, int], relu: bool) -> None:
    inputs, outputs = size
    dense = random_dense(inputs, outputs, relu)
    expected = dense(torch.from_numpy(random_vectors(inputs)).float())
    layers = joined(random_dense(outputs, 5, relu), dense, random_dense(3, inputs, relu))
    given, sums = np.zeros(room(layers), np.int16), np.zeros(room(layers), np.int32)
    for vector, wanted in zip(random_vectors(inputs), expected, strict=True):
        given[:inputs] = vector
        found = np.full(outputs + 3, 99, np.int16)
        apply(layers, 1, given, sums, found[:outputs], LIMIT)
        np.testing.assert_array_equal(found[:outputs], wanted.numpy())
        assert (found[outputs:] == 99).all()


@pytest.mark.parametrize("width", [16, 48, 21])
def test_a_residual_layer_is_that_of_torch(width: int) -> None:
    first, second = (random_dense(width, width, relu) for relu in (True, False))
    layers = joined(second, first)
    expected = IntegerResidual(first, second)(torch.from_numpy(random_vectors(width)).float())
    a, b = (np.zeros(64, np.int16) for _ in range(2))
    for vector, wanted in zip(random_vectors(width), expected, strict=True):
        x = np.append(vector, np.zeros(width % 2, np.int16))
        add_residual(layers, Residual(1, 0), x, np.zeros(64, np.int32), a, b, LIMIT)
        np.testing.assert_array_equal(x[:width], wanted.numpy())
