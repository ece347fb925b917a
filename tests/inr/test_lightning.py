"""Training: arguments and pictures that it refuses, and the steering of its rate."""

import math

import pytest
import torch

from recvae.errors import InputError
from recvae.inr.lightning import PictureINR
from recvae.inr.network import InrArguments

SMALL = InrArguments(side=8, frequencies=1, hidden=(3,), grid=2, grid_channels=1, upsampler=(2,))


@pytest.fixture
def module() -> PictureINR:
    torch.manual_seed(0)
    return PictureINR(SMALL, encoder_width=2, encoder_blocks=1, bits_per_pixel=0.5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("encoder_width", 0, "encoder_width is 0: it must be at least 1"),
        ("encoder_blocks", -1, "encoder_blocks is -1: it must be at least 1"),
        ("bits_per_pixel", 0.0, "bits_per_pixel is 0.0: it must be above 0"),
        ("bits_per_pixel", math.inf, "bits_per_pixel is inf: it must be above 0"),
        ("bits_per_pixel", math.nan, "bits_per_pixel is nan: it must be above 0"),
    ],
)
def test_arguments_that_it_refuses(field: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PictureINR(SMALL, **{field: value})


def test_pictures_that_it_refuses(module: PictureINR) -> None:
    module.check_images(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(InputError, match="the images are grey, of one channel"):
        module.check_images(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    with pytest.raises(InputError, match=r"the crops are 8 x 16: pass --data.crop 8"):
        module.check_images(torch.zeros(1, 3, 8, 16, dtype=torch.uint8))


def test_a_checkpoint_tells_its_architecture(module: PictureINR) -> None:
    again = PictureINR(**module.hparams)
    assert again.architecture == SMALL
    again.load_state_dict(module.state_dict())


def test_beta_keeps_the_budget(module: PictureINR) -> None:
    start = float(module.log_beta)
    for _ in range(3):
        module.steer_beta(torch.tensor(0.8))
    above = float(module.log_beta)
    for _ in range(6):
        module.steer_beta(torch.tensor(0.2))
    assert float(module.log_beta) < start < above
    before = float(module.log_beta)
    module.steer_beta(torch.tensor(0.5))
    assert float(module.log_beta) == pytest.approx(before)


def test_terms_of_pictures(module: PictureINR) -> None:
    pictures = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    error, kl = module.terms(pictures)
    assert error.shape == kl.shape == (3,)
    loss = (error + kl).sum()
    loss.backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
    assert bool((kl > 0).all())
