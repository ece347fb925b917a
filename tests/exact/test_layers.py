"""Integer layers: the same integers as arbitrary-precision arithmetic, on every path."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recvae.exact import FixedPoint, IntegerDense, IntegerResidual, exact_arithmetic, quantise_dense
from recvae.exact.layers import certified_chunks
from recvae.vae.networks import Architecture
from recvae.vae.quantise import from_tensors, quantise


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
    """The layer's formula in numpy's integers."""
    weight, bias, shift = (
        getattr(layer, name).numpy().astype(np.int64) for name in ("weight", "bias", "shift")
    )
    return np.clip((x @ weight.T + bias) >> shift, layer.low, layer.limit)


def random_network(rng: np.random.Generator, inputs: int, size: int, limit: int) -> nn.Sequential:
    """One to three layers, dense or residual, with weights up to `size` or the certified limit."""

    def dense(inputs: int, outputs: int, relu: bool, size: int) -> IntegerDense:
        try:
            return random_layer(rng, inputs, outputs, size, limit, relu)
        except ValueError as error:
            assert "not exact" in str(error)  # noqa: PT017
            return dense(inputs, outputs, relu, size // 2)

    layers: list[nn.Module] = []
    for _ in range(rng.integers(1, 4)):
        if rng.random() < 0.5:
            layers.append(
                IntegerResidual(*(dense(inputs, inputs, relu, size) for relu in (True, False)))
            )
        else:
            outputs = int(rng.integers(1, 100))
            layers.append(dense(inputs, outputs, bool(rng.integers(2)), size))
            inputs = outputs
    return nn.Sequential(*layers)


def in_int64(network: nn.Sequential, x: np.ndarray) -> np.ndarray:
    """A network of such layers in numpy's integers."""
    for layer in network:
        if isinstance(layer, IntegerResidual):
            limit = layer.second.limit
            x = np.clip(x + reference(layer.second, reference(layer.first, x)), -limit, limit)
        else:
            x = reference(layer, x)
    return x


@given(
    seed=st.integers(0, 2**32 - 1),
    inputs=st.integers(1, 300),
    size=st.sampled_from([1, 30, 500, 32767]),
    limit=st.sampled_from([255, 1023, 4095]),
)
@settings(deadline=None, max_examples=30)
def test_every_backend_gives_the_same_integers(
    seed: int, inputs: int, size: int, limit: int
) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, inputs, size, limit)
    # Half of the inputs at the limit: the largest sums that the certificate allows.
    x = rng.choice([-limit, limit, *rng.integers(-limit, limit, 5)], (9, inputs))
    expected = in_int64(network, x)
    carried = torch.from_numpy(x).float()
    with exact_arithmetic():
        single = network(carried)
        rows = torch.cat([network(row[None]) for row in carried])
        double = network.double()(carried)
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert (single.numpy() == expected).all()
    assert (double.numpy() == expected).all()
    assert torch.equal(rows, single)


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
    """One unit below the bound takes one product, one above it two; too much is refused."""
    weight = torch.full((1, 4), 1 << 12, dtype=torch.int16)
    bias = torch.zeros(1, dtype=torch.int32)
    assert certified_chunks(weight, bias, 1 << 10) == 1
    assert certified_chunks(weight, bias + 1, 1 << 10) == 2
    assert certified_chunks(weight, bias, 1 << 12) == 4
    with pytest.raises(ValueError, match="weights are too large"):
        certified_chunks(weight, bias, 1 << 13)


def test_certificate_takes_each_inputs_own_limit() -> None:
    """Layers that a common limit would split or refuse, at the largest allowed inputs."""
    weight = torch.tensor([[1 << 14, 1 << 14, 1 << 4]], dtype=torch.int16)
    bias = torch.zeros(1, dtype=torch.int32)
    limits = torch.tensor([1 << 9, (1 << 9) - 1, 1 << 10])
    assert certified_chunks(weight, bias, limits) == 1
    assert certified_chunks(weight, bias + 1, limits) == 2
    assert certified_chunks(weight, bias, limits + 1) == 3
    with pytest.raises(ValueError, match=r"up to 1512 .* its weights are too large"):
        certified_chunks(weight, bias, limits + torch.tensor([1000, 0, 1]))
    layer = IntegerDense(weight, bias, bias.to(torch.uint8), False, (1 << 24) - 1, limits)
    with exact_arithmetic():
        assert int(layer(limits[None].float() - 1)) == (1 << 14) * 1021 + (1 << 4) * 1023


def is_certified(weight: np.ndarray, bias: np.ndarray, limit: int) -> bool:
    """The certificate in Python integers: at most 64 products, none of which can leave 2^24."""
    sizes = np.abs(weight.astype(object)) * limit
    return any(
        max(part.sum(1).max() for part in np.array_split(sizes, products, axis=1)) <= 1 << 24
        for products in range(2, min(64, weight.shape[1]) + 1)
    ) or bool((sizes.sum(1) + np.abs(bias.astype(object)) <= 1 << 24).all())


@given(
    seed=st.integers(0, 2**32 - 1),
    inputs=st.sampled_from([1, 2, 3, 50, 64, 65, 129, 200]),
    magnitude_bits=st.sampled_from([12, 13, 19]),
    excess=st.integers(-1, 2),
)
@settings(deadline=None, max_examples=40)
def test_a_network_that_breaks_the_certificate_is_refused(
    seed: int, inputs: int, magnitude_bits: int, excess: int
) -> None:
    """It is refused when made and when loaded, and only then, exact to the unit."""
    rng = np.random.default_rng(seed)
    number = FixedPoint(9, magnitude_bits)
    weight = rng.integers(-2, 3, (6, inputs)).astype(np.int16)
    # The most that this many neighbours may weigh in one product, or a little more.
    together = int(rng.integers(1, 5))
    peak = (1 << 24) // number.limit // together + excess
    place = rng.integers(0, inputs)
    weight[rng.integers(6), place : place + together] = min(peak, 32767) * rng.choice([-1, 1])
    bias = rng.integers(-(1 << 10), 1 << 10, 6).astype(np.int32)
    parts = {"weight": weight, "bias": bias, "shift": np.full(6, 12, np.uint8)}
    tensors = {name: torch.from_numpy(part) for name, part in parts.items()}

    architecture = Architecture("mlp", inputs, 4, 4, decoder={"hidden": 6})
    _, decoder = architecture.build()
    good = quantise(decoder, number).state_dict()
    changed = good | {f"decoder.hidden.{name}": tensor for name, tensor in tensors.items()}
    makers = (
        lambda: IntegerDense(**tensors, relu=True, limit=number.limit, input_limit=number.limit),
        lambda: from_tensors(decoder, number, changed),
    )
    for make in makers:
        if is_certified(weight, bias, number.limit):
            make()
        else:
            with pytest.raises(ValueError, match="not exact in float32: its weights are too large"):
                make()


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


def test_inputs_of_little_range_leave_room_for_finer_weights() -> None:
    torch.manual_seed(0)
    number = FixedPoint(7, 12)
    weight, bias = torch.randn(40, 96) / 8, torch.randn(40)
    x = torch.randint(-128, 129, (200, 96)).float()
    expected = (x / 128 @ weight.T + bias).clamp(-number.limit / 128, number.limit / 128)
    errors = []
    for input_limit in (None, torch.full((96,), 128)):
        layer = quantise_dense(weight, bias, False, number, number, 256, input_limit)
        assert layer.chunks == 1
        with exact_arithmetic():
            errors.append((layer(x) / 128 - expected).abs().mean())
    assert errors[1] < 0.7 * errors[0]


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


def test_fixed_point_numbers() -> None:
    assert (FixedPoint().one, FixedPoint().limit) == (1 << 7, (1 << 12) - 1)
    assert (FixedPoint(1, 1).one, FixedPoint(1, 1).limit) == (2, 1)
    assert (FixedPoint(16, 20).one, FixedPoint(16, 20).limit) == (1 << 16, (1 << 20) - 1)


def test_exact_arithmetic_leaves_torchs_settings_as_they_were() -> None:
    """The last of several users restores the settings."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with exact_arithmetic():
            with exact_arithmetic():
                assert torch.get_float32_matmul_precision() == "highest"
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="torch before 2.9"
)
def test_exact_arithmetic_leaves_the_newer_settings_as_they_were() -> None:
    """If a program has used the newer ones, torch refuses to read the older one."""
    backends = {torch.backends.cuda.matmul: "tf32", torch.backends.mkldnn.matmul: "bf16"}
    before = {backend: backend.fp32_precision for backend in backends}
    try:
        for backend, precision in backends.items():
            backend.fp32_precision = precision
        with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
            torch.get_float32_matmul_precision()
        with exact_arithmetic():
            assert [backend.fp32_precision for backend in backends] == ["ieee", "ieee"]
        assert [backend.fp32_precision for backend in backends] == ["tf32", "bf16"]
    finally:
        for backend, precision in before.items():
            backend.fp32_precision = precision


def test_sums_beyond_float32_are_exact_in_two_products() -> None:
    """2^24 + 3, halved and rounded down: one float product would have rounded it up."""
    weight = torch.tensor([[4096, 3]], dtype=torch.int16)
    zero = torch.zeros(1, dtype=torch.int32)
    layer = IntegerDense(weight, zero, zero.to(torch.uint8) + 1, False, (1 << 24) - 1, 4096)
    assert layer.chunks == 2
    with exact_arithmetic():
        assert int(layer(torch.tensor([[4096.0, 1.0]]))) == (1 << 23) + 1


def test_quantised_layers_round_to_nearest() -> None:
    """Weights that integers represent exactly, so that only the rounding differs."""
    number = FixedPoint(7, 12)
    weight = torch.tensor([[0.5], [0.25], [1.0], [1500.5]])
    layer = quantise_dense(weight, torch.zeros(4), False, number, number, 256)
    assert layer.shift[-1] == 1
    x = torch.arange(-9.0, 10)[:, None]
    rounded = torch.floor(x * weight.T + 0.5).clamp(-number.limit, number.limit)
    with exact_arithmetic():
        assert torch.equal(layer(x), rounded)
