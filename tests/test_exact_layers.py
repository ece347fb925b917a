"""Integer layers: the same integers as arbitrary-precision arithmetic, on every path."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recvae.exact import FixedPoint, IntegerDense, IntegerResidual, exact_arithmetic, quantise_dense
from recvae.exact.layers import certified_chunks


def random_layer(
    rng: np.random.Generator, inputs: int, outputs: int, size: int, limit: int, relu: bool
) -> IntegerDense:
    return IntegerDense(
        torch.from_numpy(rng.integers(-size, size + 1, (outputs, inputs)).astype(np.int16)),
        torch.from_numpy(rng.integers(-(1 << 20), 1 << 20, outputs).astype(np.int32)),
        torch.from_numpy(rng.integers(0, 16, outputs).astype(np.uint8)),
        relu,
        limit,
        limit,
    )


def reference(layer: IntegerDense, x: np.ndarray) -> np.ndarray:
    """The layer's formula in Python integers."""
    total = x.astype(object) @ layer.weight.numpy().astype(object).T + layer.bias.numpy()
    shifted = total // (1 << layer.shift.numpy().astype(object))
    return np.clip(shifted, layer.low, layer.limit).astype(np.int64)


@given(
    seed=st.integers(0, 2**32 - 1),
    inputs=st.integers(1, 300),
    size=st.sampled_from([1, 30, 500, 32767]),
    limit=st.sampled_from([255, 1023]),
    relu=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_dense_is_integer_arithmetic(
    seed: int, inputs: int, size: int, limit: int, relu: bool
) -> None:
    rng = np.random.default_rng(seed)
    try:
        layer = random_layer(rng, inputs, 17, size, limit, relu)
    except ValueError as error:
        if "not exact" not in str(error):
            raise
        return
    # Half of the inputs at the limit: the largest sums that the certificate allows.
    x = rng.choice([-limit, limit, *rng.integers(-limit, limit, 5)], (9, inputs))
    with exact_arithmetic():
        y = layer(torch.from_numpy(x).float())
        single = torch.cat([layer(row[None]) for row in torch.from_numpy(x).float()])
    assert (y.numpy() == reference(layer, x)).all()
    assert torch.equal(y, single)


def test_residual_is_clamped_integer_arithmetic() -> None:
    rng = np.random.default_rng(0)
    first, second = (random_layer(rng, 16, 16, 100, 1023, relu) for relu in (True, False))
    x = rng.integers(-1023, 1024, (50, 16))
    with exact_arithmetic():
        y = IntegerResidual(first, second)(torch.from_numpy(x).float())
    expected = np.clip(x + reference(second, reference(first, x)), -1023, 1023)
    assert (np.abs(x + reference(second, reference(first, x))) > 1023).any()
    assert (y.numpy() == expected).all()


def test_certificate_counts_products() -> None:
    """One unit below the bound is one product, one above it two, and too much is refused."""
    weight = torch.full((1, 4), 1 << 12, dtype=torch.int16)
    bias = torch.zeros(1, dtype=torch.int32)
    assert certified_chunks(weight, bias, 1 << 10) == 1
    assert certified_chunks(weight, bias + 1, 1 << 10) == 2
    assert certified_chunks(weight, bias, 1 << 12) == 4
    with pytest.raises(ValueError, match="weights are too large"):
        certified_chunks(weight, bias, 1 << 13)


def test_uncertified_product_would_be_wrong() -> None:
    """The certificate is needed: beyond it float32 loses the last bit."""
    x = torch.tensor([[4096.0, 1.0]])
    weight = torch.tensor([[4096.0], [1.0]])
    assert int(x @ weight) != 4096 * 4096 + 1


@pytest.mark.parametrize("wrong", ["weight", "bias", "shift", "range"])
def test_malformed_layers_are_refused(wrong: str) -> None:
    parts = {
        "weight": torch.zeros(3, 2, dtype=torch.int16),
        "bias": torch.zeros(3, dtype=torch.int32),
        "shift": torch.zeros(3, dtype=torch.uint8),
    }
    if wrong == "range":
        parts["shift"] += 25
    else:
        parts[wrong] = parts[wrong].to(torch.int64)
    with pytest.raises(ValueError, match="shift" if wrong == "range" else wrong):
        IntegerDense(**parts, relu=False, limit=255, input_limit=255)


def test_quantised_layer_is_close_and_closer_in_more_products() -> None:
    torch.manual_seed(0)
    number = FixedPoint(7, 12)
    weight, bias = torch.randn(40, 96) / 8, torch.randn(40)
    x = torch.randint(-500, 500, (200, 96)).float()
    expected = torch.relu(x / 128 @ weight.T + bias).clamp(max=number.limit / 128)
    errors = []
    for chunk_inputs, products in [(256, 1), (32, 3)]:
        layer = quantise_dense(weight, bias, True, number, number, chunk_inputs)
        assert layer.chunks == products
        with exact_arithmetic():
            errors.append((layer(x) / 128 - expected).abs())
    assert errors[0].max() < 0.1
    assert errors[1].mean() < 0.5 * errors[0].mean()


def test_exact_arithmetic_guards_against_coarse_products() -> None:
    x = torch.full((1, 1), 4095.0)
    weight = torch.full((1, 1), 4095, dtype=torch.int16)
    zero = torch.zeros(1, dtype=torch.int32)
    layer = IntegerDense(weight, zero, zero.to(torch.uint8), False, (1 << 24) - 1, 4095)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = layer(x)
        with exact_arithmetic():
            exact = layer(x)
    assert int(exact) == 4095 * 4095
    assert int(coarse) != int(exact)


@pytest.mark.parametrize(("fraction", "magnitude"), [(0, 12), (17, 18), (8, 7), (8, 21)])
def test_fixed_point_limits(fraction: int, magnitude: int) -> None:
    with pytest.raises(ValueError, match="allowed"):
        FixedPoint(fraction, magnitude)


def test_latents_round_to_nearest() -> None:
    number = FixedPoint(9, 12)
    z = torch.tensor([0, (1 << 18) - 1, 1 << 18, -(1 << 18), -(1 << 18) - 1, 1 << 40])
    assert number.from_prior(z, 28).tolist() == [0, 0, 1, 0, -1, 4095]
