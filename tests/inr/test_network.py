"""Networks over coordinates: arguments, sizes, the same colours as a plain computation of each."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from recvae.errors import InputError
from recvae.inr.encoder import MAX_LOG_SCALE, MAX_MEAN, MIN_LOG_SCALE, Encoder
from recvae.inr.network import Inr, InrArguments, fourier_features
from spec import inr as spec

SMALL = InrArguments(
    side=16, frequencies=2, hidden=(6, 5), grid=4, grid_channels=2, upsampler=(4, 3)
)
VARIANTS = {
    "all": SMALL,
    "latents are weights": replace(SMALL, reparametrised=False),
    "no encoding": replace(SMALL, grid_channels=0),
    "one of each": InrArguments(8, 1, (1,), True, 1, 1, (1,)),
    "more convolutions than doublings": replace(SMALL, grid=8, upsampler=(3, 2, 4)),
}


def network_of(arguments: InrArguments) -> Inr:
    """Weights that all have an effect, unlike before training, in float64."""
    torch.manual_seed(0)
    network = Inr(arguments).double().requires_grad_(False)
    for parameter in network.parameters():
        parameter += torch.randn_like(parameter) * 0.3
    return network


@pytest.fixture(params=VARIANTS)
def network(request: pytest.FixtureRequest) -> Inr:
    return network_of(VARIANTS[request.param])


def latents(network: Inr, count: int) -> torch.Tensor:
    noise = torch.Generator().manual_seed(1)
    return torch.randn(count, network.arguments.dim, generator=noise, dtype=torch.float64)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("side", 4, "architecture.side is 4: allowed: 8 to 256"),
        ("side", 512, "architecture.side is 512: allowed"),
        ("side", 16.0, "architecture.side is 16.0: allowed"),
        ("side", True, "architecture.side is True: allowed"),
        ("side", 24, "architecture.side is 24, grid 4: the side must be a power of two"),
        ("frequencies", 0, "architecture.frequencies is 0: allowed: 1 to 16"),
        ("frequencies", 17, "architecture.frequencies is 17: allowed"),
        ("grid", 0, "architecture.grid is 0: allowed: 1 to 128"),
        ("grid", 3, "architecture.side is 16, grid 3: .*the grid a smaller one"),
        ("grid", 16, "architecture.side is 16, grid 16: .*the grid a smaller one"),
        ("grid", 32, "architecture.side is 16, grid 32: .*the grid a smaller one"),
        ("grid_channels", -1, "architecture.grid_channels is -1: allowed: 0 to 1024"),
        ("grid_channels", 1025, "architecture.grid_channels is 1025: allowed"),
        ("hidden", (), r"architecture.hidden is \[\]: it needs 1 to 8 widths of 1 to 1024"),
        ("hidden", (4,) * 9, "architecture.hidden is .*: it needs 1 to 8 widths"),
        ("hidden", (4, 0), r"architecture.hidden is \[4, 0\]: it needs"),
        ("hidden", (1025,), r"architecture.hidden is \[1025\]: it needs"),
        ("hidden", (4.0,), r"architecture.hidden is \[4.0\]: it needs"),
        ("hidden", "ab", "architecture.hidden is .*: it needs"),
        ("upsampler", (), r"architecture.upsampler is \[\]: it needs"),
        ("upsampler", (True,), r"architecture.upsampler is \[True\]: it needs"),
        ("reparametrised", 1, "architecture.reparametrised is 1: allowed: true, false"),
    ],
)
def test_arguments_that_make_no_network(field: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        InrArguments(**asdict(SMALL) | {field: value})


def test_sizes() -> None:
    assert SMALL.shapes == [(2 * 4 + 3 + 1, 6), (7, 5), (6, 3)]
    assert SMALL.sizes == [72, 35, 18, 2 * 4 * 4]
    assert SMALL.dim == 157
    without = replace(SMALL, grid_channels=0)
    assert (without.shapes[0], without.sizes[-1]) == ((2 * 4 + 1, 6), 0)


@pytest.mark.parametrize(
    ("side", "grid", "convolutions", "factors"),
    [
        (16, 4, 2, [2, 2]),
        (16, 8, 2, [1, 2]),
        (16, 8, 3, [1, 2, 1]),
        (32, 2, 3, [4, 2, 2]),
        (32, 1, 1, [32]),
        (8, 4, 4, [1, 2, 1, 1]),
    ],
)
def test_factors_reach_the_side(
    side: int, grid: int, convolutions: int, factors: list[int]
) -> None:
    arguments = replace(SMALL, side=side, grid=grid, upsampler=(2,) * convolutions)
    assert arguments.factors == factors
    assert grid * np.prod(factors) == side


def test_colours_are_those_of_a_plain_computation(network: Inr) -> None:
    tensors = {f"network.{name}": t.numpy() for name, t in network.state_dict().items()}
    plain = spec.Inr({"architecture": asdict(network.arguments)}, tensors, [], b"")
    z = latents(network, 3)
    expected = [spec.colours(plain, one * 2.0**28) for one in z.numpy()]
    np.testing.assert_allclose(network(z), expected, rtol=0, atol=1e-4)  # features are float32
    assert float(network(z).std()) > 0.05


def test_a_batch_is_its_pictures_one_by_one(network: Inr) -> None:
    z = latents(network, 4)
    alone = torch.cat([network(one[None]) for one in z])
    torch.testing.assert_close(network(z), alone, rtol=0, atol=1e-10)
    assert alone.shape == (4, network.arguments.side**2, 3)


def test_every_latent_and_weight_matters(network: Inr) -> None:
    z = latents(network, 2).requires_grad_()
    network.requires_grad_(True)
    target = torch.rand(2, network.arguments.side**2, 3, dtype=torch.float64)
    (network(z) - target).square().sum().backward()
    assert z.grad is not None
    assert bool((z.grad != 0).all())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).all()), name


def test_features_of_a_pixel() -> None:
    found = fourier_features(replace(SMALL, side=8, grid=4)).reshape(8, 8, 2, 2, 2)
    rows, columns = 2 * np.mgrid[:8, :8] / 8 + 1 / 8 - 1
    for axis, p in enumerate((rows, columns)):
        for number, w in enumerate((1, 1024)):
            for kind, function in enumerate((np.cos, np.sin)):
                expected = function(np.pi * w * p)
                own = found[:, :, axis, kind, number]
                np.testing.assert_allclose(own, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "grid"), [(8, 1), (8, 4), (32, 1), (32, 2), (32, 4), (32, 8), (32, 16)]
)
@pytest.mark.parametrize("grid_channels", [0, 3])
def test_encoders_guess_every_latent(side: int, grid: int, grid_channels: int) -> None:
    torch.manual_seed(0)
    arguments = replace(SMALL, side=side, grid=grid, grid_channels=grid_channels)
    pictures = torch.rand(2, 3, side, side)
    encoder = Encoder(arguments, width=2, blocks=1)
    with torch.no_grad():
        mean, log_scale = encoder(pictures)
    assert mean.shape == log_scale.shape == (2, arguments.dim)
    assert bool((mean[0] != mean[1]).all())
    for one in encoder.parameters():
        one.data *= 30
    with torch.no_grad():
        mean, log_scale = encoder(pictures)
    assert float(mean.abs().max()) <= MAX_MEAN
    assert float(log_scale.min()) == MIN_LOG_SCALE
    assert float(log_scale.max()) == MAX_LOG_SCALE


def test_the_grid_is_guessed_place_by_place() -> None:
    """A change in a corner of the picture changes the guess of that corner most."""
    torch.manual_seed(0)
    arguments = replace(SMALL, side=32, grid=8, grid_channels=1)
    encoder, picture = Encoder(arguments, width=4, blocks=1), torch.rand(1, 3, 32, 32)
    changed = picture.clone()
    changed[:, :, :4, -4:] = 1 - changed[:, :, :4, -4:]
    with torch.no_grad():
        difference = (encoder(changed)[0] - encoder(picture)[0])[0, -64:].abs().reshape(8, 8)
    assert difference.max() == difference[:2, 6:].max()
    assert float(difference[5:, :4].max()) == 0
