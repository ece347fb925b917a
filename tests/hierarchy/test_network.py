"""The network of pictures: any size, any batch; its structure; its refusals."""

from collections.abc import Callable
from dataclasses import asdict

import pytest
import torch
from torch import Tensor

from recvae.errors import InputError
from recvae.hierarchy.network import MAX_MEAN, Hierarchy, HierarchyArguments
from recvae.hierarchy.quality import (
    LARGEST_PRICE,
    MAX_QUALITY,
    MIN_QUALITY,
    SMALLEST_PRICE,
    position_of,
    price_at,
)

ARCHITECTURES = [
    HierarchyArguments(8, (1, 2, 0), (3, 4, 1), (1, 1, 1), 1, 1),
    HierarchyArguments(8, (1, 2), (4, 3), (2, 1), 2, 1),
    HierarchyArguments(8, (2,), (3,), (1,), 1, 2),
    HierarchyArguments(8, (1, 0, 1, 1), (2, 1, 2, 1), (1, 1, 1, 1), 1, 1),
]


def network_of(arguments: HierarchyArguments, scale: float = 0.15) -> Hierarchy:
    """A network whose weights all have an effect."""
    torch.manual_seed(0)
    network = Hierarchy(arguments)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += torch.randn_like(parameter) * scale
    return network.eval().requires_grad_(False)


def draws(seed: int) -> Callable[[Tensor, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda mean, log_scale: (
        mean + log_scale.exp() * torch.randn(mean.shape, generator=generator)
    )


@pytest.mark.parametrize("arguments", ARCHITECTURES, ids=lambda a: str(a.layers))
def test_any_size_and_batch(arguments: HierarchyArguments) -> None:
    network, stride = network_of(arguments), arguments.stride
    assert stride == 2 ** len(arguments.layers)
    assert len(network.layers) == sum(arguments.layers)
    for count, rows, columns in ((1, 1, 1), (3, 2, 5), (2, 7, 1)):
        height, width = rows * stride, columns * stride
        pixels = torch.rand(count, 3, height, width)
        output, means, log_scales = network(pixels, torch.rand(count), draws(0))
        assert output.shape == pixels.shape
        assert output.dtype == torch.float32
        shapes = list(network.shapes(height, width))
        assert len(shapes) == len(means) == len(log_scales) == sum(arguments.layers)
        for layer, shape in enumerate(shapes):
            assert means[layer].shape == log_scales[layer].shape == (count, *shape)
            region = network.region_of(layer)
            assert shape[1:] == (rows * region, columns * region)
            assert shape[0] == arguments.channels[network.resolution[layer]]


def test_means_and_scales_keep_within_their_limits() -> None:
    network = network_of(ARCHITECTURES[0], scale=3.0)
    pixels = torch.rand(2, 3, 16, 24)
    _, means, log_scales = network(pixels, torch.tensor([0.0, 1.0]), draws(1))
    assert max(float(mean.abs().max()) for mean in means) == pytest.approx(MAX_MEAN)
    assert all(bool((mean.abs() <= MAX_MEAN).all()) for mean in means)
    assert all(bool(((scale >= -8) & (scale <= 0)).all()) for scale in log_scales)
    assert min(float(scale.min()) for scale in log_scales) == -8


def test_the_whole_is_the_chain_of_its_parts() -> None:
    network = network_of(ARCHITECTURES[1])
    pixels, position = torch.rand(2, 3, 12, 8), torch.tensor([0.2, 0.9])
    expected = network(pixels, position, draws(5))
    condition, draw = network.condition(position), draws(5)
    maps = network.encode(pixels, condition)
    state = network.begin(2, 12, 8)
    for index, layer in enumerate(network.layers):
        state = network.rise(index, state)
        mean, log_scale = layer.infer(state, maps[network.resolution[index]], condition)
        assert torch.equal(mean, expected[1][index])
        assert torch.equal(log_scale, expected[2][index])
        state = layer.take(state, draw(mean, log_scale), condition)
    assert torch.equal(network.finish(state, condition), expected[0])


def test_the_same_input_gives_the_same_bits_and_each_part_of_it_counts() -> None:
    network = network_of(ARCHITECTURES[0])
    pixels, position = torch.rand(1, 3, 16, 16), torch.tensor([0.5])
    first, again = (network(pixels, position, draws(0))[0] for _ in range(2))
    assert torch.equal(first, again)
    others = [
        network(1 - pixels, position, draws(0)),
        network(pixels, position + 0.2, draws(0)),
        network(pixels, position, draws(1)),
    ]
    assert not any(torch.equal(first, other[0]) for other in others)


def test_latents_far_out_keep_the_picture_finite() -> None:
    network = network_of(ARCHITECTURES[0])
    far = network(torch.rand(1, 3, 16, 16), torch.zeros(1), lambda mean, _: mean * 0 + 6.7)[0]
    assert bool(torch.isfinite(far).all())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 7),
        ("width", 513),
        ("width", 16.0),
        ("width", True),
        ("layers", ()),
        ("layers", (0, 1, 1)),
        ("layers", (1, -1, 1)),
        ("layers", (1, 1)),
        ("layers", (1, 1, 65)),
        ("layers", (1,) * 7),
        ("channels", (1, 0, 1)),
        ("channels", (1, 1.0, 1)),
        ("channels", (3, 3)),
        ("encoder_blocks", (1, 1, 0)),
        ("encoder_blocks", (1, 1, 1, 1)),
        ("decoder_blocks", 0),
        ("decoder_blocks", 9),
        ("output_blocks", "2"),
    ],
)
def test_arguments_that_make_no_network(field: str, value: object) -> None:
    with pytest.raises(InputError, match=r"^architecture\.(\w+) .*") as caught:
        HierarchyArguments(**asdict(ARCHITECTURES[0]) | {field: value})
    assert field in str(caught.value) or field == "layers"
    assert str(caught.value).isprintable()


def test_prices_fall_evenly_from_quality_to_quality() -> None:
    positions = torch.tensor([position_of(q) for q in range(MIN_QUALITY, MAX_QUALITY + 1)])
    prices = price_at(positions.double())
    assert float(prices[0]) == pytest.approx(LARGEST_PRICE)
    assert float(prices[-1]) == pytest.approx(SMALLEST_PRICE, rel=1e-4)
    ratios = prices[1:] / prices[:-1]
    assert bool((ratios < 1).all())
    assert torch.allclose(ratios, ratios[:1], rtol=1e-4)
