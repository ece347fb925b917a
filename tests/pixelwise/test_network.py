"""The network and the law that it states; its arguments."""

from dataclasses import asdict

import pytest
import torch

from recvae.errors import InputError
from recvae.pixelwise.arguments import PixelArguments
from recvae.pixelwise.network import PixelNetwork, law_bits

ALL = torch.arange(256)[:, None]


def outputs_of(channels: int, components: int, scale: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    numbers = components * (1 + 3 * channels + channels * (channels - 1) // 2)
    return (torch.randn(1, numbers, generator=generator, dtype=torch.float64) * scale).expand(
        256, -1
    )


@pytest.mark.parametrize("scale", [0.1, 1.0])
@pytest.mark.parametrize("median", [0, 100, 255])
def test_probabilities_sum_to_1(scale: float, median: int) -> None:
    medians = torch.full((256, 1), median)
    bits = law_bits(outputs_of(1, 3, scale), ALL, medians, medians + 2.5, 3)
    assert (2**-bits).sum().item() == pytest.approx(1, abs=1e-3)


def test_probabilities_of_a_channel_given_those_before() -> None:
    """Summing over the last channel leaves the law of the other two."""
    medians = torch.tensor([[90, 110, 120]]).expand(256, -1)
    values = torch.cat([torch.tensor([[95, 104]]).expand(256, -1), ALL], dim=1)
    one = (2 ** -law_bits(outputs_of(3, 2, 0.3), values, medians, medians + 1.0, 2)).sum()
    pairs = 0.0
    for value in range(256):
        values = torch.cat([torch.full((256, 1), 95), torch.full((256, 1), value), ALL], dim=1)
        bits = law_bits(outputs_of(3, 2, 0.3), values, medians, medians + 1.0, 2)
        pairs += (2**-bits).sum().item()
    assert 0 < one.item() < pairs < 1


def test_the_first_law_lies_about_the_median() -> None:
    network = PixelNetwork(PixelArguments(), 3)
    outputs = network(torch.randn(50, PixelArguments().num_inputs(3)))
    assert outputs.shape == (50, PixelArguments().num_outputs(3))
    assert outputs.abs().max() < 1
    medians = torch.full((50, 3), 100)
    near, far = (law_bits(outputs, medians + d, medians, medians, 4).mean() for d in (0, 30))
    assert near < far - 10


def test_arguments() -> None:
    arguments = PixelArguments(hidden=[32, 16], reach=[2, 1])  # lists, as in configs and JSON
    assert arguments == PixelArguments(**asdict(arguments))
    assert (arguments.hidden, arguments.reach) == ((32, 16), (2, 1))
    assert (arguments.num_inputs(1), arguments.num_inputs(3)) == (8, 24)
    assert arguments.num_outputs(3) == 4 * (1 + 3 + 3 + 3 + 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hidden": (96,)}, r"hidden is \[96\]; need 2 to 2 integers of 8 to 256"),
        ({"hidden": (7, 96)}, "hidden is "),
        ({"hidden": (8.0, 96)}, "hidden is "),
        ({"reach": (5, 1)}, "reach is "),
        ({"reach": (0, 1)}, "must begin with at least 1"),
        ({"filter_reach": (0, 1)}, "must begin with at least 1"),
        ({"filter_reach": (1, 1, 1, 1, 1)}, "filter_reach is "),
        ({"components": 17}, "components is 17; need an integer of 1 to 16"),
        ({"components": True}, "components is True"),
        ({"filter_rate": 0}, "filter_rate is 0"),
        ({"corrected": 1}, "corrected is 1; need true or false"),
    ],
)
def test_arguments_out_of_bounds(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PixelArguments(**given)
