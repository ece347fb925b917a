"""The distance between distributions that measures the bias of ORC."""

import pytest
import torch

from recvae.experiments.synthetic.mmd import median_bandwidth, squared_mmd
from recvae.experiments.synthetic.targets import typical_posterior
from recvae.experiments.synthetic.transmission import transmit
from recvae.rec import ORC


def test_squared_mmd_is_that_of_its_definition() -> None:
    """Check its closed forms against means over samples of N(0, I)."""
    generator = torch.Generator().manual_seed(0)
    x = 1.2 * torch.randn((60, 3), generator=generator, dtype=torch.float64) + 0.3
    y, y2 = torch.randn((2, 200_000, 3), generator=generator, dtype=torch.float64)
    bandwidth = 1.3

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.exp(-(a - b).square().sum(-1) / (2 * bandwidth**2))

    pairs = kernel(x[:, None], x)
    expected = (pairs.sum() - pairs.trace()) / (60 * 59) + kernel(y, y2).mean()
    expected -= 2 * torch.stack([kernel(row, y).mean() for row in x]).mean()
    assert squared_mmd(x, bandwidth).value == pytest.approx(float(expected), abs=2e-3)


@pytest.mark.parametrize("scale", [1.0, 1.15])
def test_squared_mmd_knows_its_standard_error(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    found = [
        squared_mmd(scale * torch.randn((300, 5), generator=generator), median_bandwidth(5))
        for _ in range(200)
    ]
    values = torch.tensor([estimate.value for estimate in found])
    errors = torch.tensor([estimate.standard_error for estimate in found])
    assert float(values.std()) == pytest.approx(float(errors.mean()), rel=0.2)
    if scale == 1:
        assert abs(float(values.mean())) < 4 * float(values.std()) / 200**0.5


def test_one_candidate_is_as_far_from_the_target_as_the_prior() -> None:
    """Check the coder's MMD against the closed form for two Gaussians."""
    target = typical_posterior([2.0, 1.0, 0.5], 4000)
    generator = torch.Generator().manual_seed(0)
    found = squared_mmd(transmit(ORC(3, 1), target, generator).standardised, bandwidth=2.0)
    mean = -target.mean[0] / target.scale[0]
    variance = target.scale[0] ** -2.0

    def mean_kernel(mean: torch.Tensor, variance: torch.Tensor) -> float:
        total = 4 + variance
        return float(((4 / total).sqrt() * torch.exp(-mean.square() / (2 * total))).prod())

    zero, one = torch.zeros_like(mean), torch.ones_like(mean)
    expected = mean_kernel(zero, 2 * variance) + mean_kernel(zero, 2 * one)
    expected -= 2 * mean_kernel(mean, variance + one)
    assert abs(found.value - expected) < 4 * found.standard_error < 0.05


def test_median_bandwidth_is_the_median_distance() -> None:
    x, y = torch.randn((2, 100_000, 5), generator=torch.Generator().manual_seed(0))
    assert float((x - y).norm(dim=1).median()) == pytest.approx(median_bandwidth(5), rel=0.01)
