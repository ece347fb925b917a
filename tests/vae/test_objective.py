"""The weights of the KL and the mutual information."""

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from recvae.vae import Architecture
from recvae.vae.information import mutual_information_bits, posterior
from recvae.vae.lightning import VAE
from recvae.vae.objective import NATS_PER_BIT, BetaSchedule, kl_nats


def test_kl_is_torchs() -> None:
    mean, log_scale = torch.randn(5, 3), torch.randn(5, 3)
    expected = kl_divergence(Normal(mean, log_scale.exp()), Normal(0.0, 1.0))
    assert torch.allclose(kl_nats(mean, log_scale), expected, atol=1e-5)


def test_fixed_and_warmup() -> None:
    zero = torch.zeros(4)
    assert BetaSchedule("fixed", value=0.5).beta(zero, 0, 100).tolist() == [0.5] * 4
    warmup = BetaSchedule("warmup", value=2.0, warmup_steps=10)
    assert [warmup.beta(zero, step, 100)[0].item() for step in (0, 5, 10, 99)] == [0, 1, 2, 2]
    assert warmup.steer(zero, torch.ones(4)) is zero
    assert warmup.beta(torch.ones(4), 10, 100).tolist() == [2] * 4  # left by a controller


def test_controller_prunes_the_weak_and_holds_the_strong() -> None:
    """Closed loop with a plant in which beta is the price of information."""
    schedule = BetaSchedule("controlled", warmup_steps=0, target_bits=4, prune_bits=0.2, rate=0.01)
    worth = torch.tensor([0.1, 3.0, 5.0, 30.0])
    factor = torch.zeros(4)
    for step in range(400):
        kl = worth / schedule.beta(factor, step, 10_000)
        factor = schedule.steer(factor, kl)
    beta = schedule.beta(factor, 400, 10_000)
    assert beta[0] == pytest.approx(schedule.limit)
    assert worth[1] / beta[1] == pytest.approx(4, rel=0.05)
    assert worth[2] / beta[2] == pytest.approx(4, rel=0.05)
    assert beta[3] == pytest.approx(schedule.limit)
    assert schedule.beta(factor, 10_000, 10_000).tolist() == [1.0] * 4


def test_the_controller_sees_a_running_mean_of_the_kl() -> None:
    """A memory of some 50 steps: it follows a change of the KL like a mean of weight 0.02."""
    vae = VAE(Architecture(latent_dim=2), BetaSchedule("controlled", target_bits=4))
    for step in range(1, 101):
        vae.steer_beta(torch.tensor([0.0, 10.0]))
        left = 0.98**step
        expected = torch.tensor([4 * left, 10 - 6 * left])
        assert torch.allclose(vae.mean_kl_bits, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "fields",
    [{"mode": "none"}, {"value": -1.0}, {"limit": 0.5}, {"release": (0.6, 0.3)}],
)
def test_bad_schedules(fields: dict) -> None:
    with pytest.raises(ValueError, match="beta"):
        BetaSchedule(**fields)


class Halves(nn.Module):
    """An encoder whose posterior is known."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean = pixels.float().flatten(1)[:, :2] / 64 + self.bias
        return mean, torch.zeros_like(mean) - 1


@pytest.mark.parametrize("count", [0, 1, 127, 128, 300])
def test_posterior_of_any_number(count: int) -> None:
    pixels = torch.arange(count * 4).reshape(count, 2, 2).to(torch.uint8)
    target = posterior(Halves(), pixels)
    assert torch.equal(target.mean, pixels.float().flatten(1)[:, :2] / 64)
    assert target.scale.shape == (count, 2)
    if count:
        expected = kl_nats(target.mean, target.scale.log()).mean(0) / NATS_PER_BIT
        assert torch.allclose(mutual_information_bits(target).float(), expected, rtol=1e-4)
