import math

import mpmath
import pytest
import torch

from rec.coders import same_target, seeded
from rec.goodness import follows_target
from recvae.exact.gaussian import to_float
from recvae.rec import DiagonalGaussian, Partition, PartitionedPFR


def target(*mean_and_scale: tuple[float, float]) -> DiagonalGaussian:
    values = torch.tensor(mean_and_scale, dtype=torch.float64)
    return DiagonalGaussian(values[None, :, 0], values[None, :, 1])


def test_kl_is_the_textbook_one():
    mean, scale = torch.randn(7, 3), torch.rand(7, 3) + 0.01
    normal = torch.distributions.Normal(mean.double(), scale.double())
    prior = torch.distributions.Normal(torch.zeros(()).double(), 1.0)
    expected = torch.distributions.kl_divergence(normal, prior) / math.log(2)
    torch.testing.assert_close(DiagonalGaussian(mean, scale).kl_bits(), expected)


def test_log2_ratio_is_that_of_the_densities():
    mean, scale, z = torch.randn(7, 3), torch.rand(7, 3) + 0.01, torch.randn(4, 7, 3)
    normal = torch.distributions.Normal(mean.double(), scale.double())
    prior = torch.distributions.Normal(torch.zeros(()).double(), 1.0)
    expected = (normal.log_prob(z.double()) - prior.log_prob(z.double())).sum(-1) / math.log(2)
    torch.testing.assert_close(DiagonalGaussian(mean, scale).log2_ratio(z), expected)


@pytest.mark.parametrize("mean", [0.0, 0.3, -4.0, 10.0, -30.0])
@pytest.mark.parametrize("scale", [0.01, 0.5, 2.0])
@pytest.mark.parametrize("intervals", [1, 2, 7])
def test_interval_masses_far_into_the_tails(mean, scale, intervals):
    masses = target((0.0, 1.0), (mean, scale)).log2_interval_masses(1, intervals)[0]
    with mpmath.workdps(60):
        edges = [
            -mpmath.inf,
            *(
                mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf(2 * b) / intervals - 1)
                for b in range(1, intervals)
            ),
            mpmath.inf,
        ]
        points = [(edge - mpmath.mpf(mean)) / mpmath.mpf(scale) for edge in edges]
        for b in range(intervals):
            low, high = sorted((points[b], points[b + 1]), key=abs)
            tails = [mpmath.erfc(abs(x) / mpmath.sqrt(2)) / 2 for x in (low, high)]
            same_side = low * high >= 0
            mass = tails[0] - tails[1] if same_side else 1 - tails[0] - tails[1]
            expected = float(mpmath.log(mass, 2))
            assert masses[b].item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_slices_are_targets():
    assert target((0.0, 1.0))[:0].batch == 0


@pytest.mark.parametrize(
    ("mean", "scale", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 3), "scale: got values not in"),
        (torch.zeros(2, 3), -torch.ones(2, 3), "scale: got values not in"),
        (torch.zeros(2, 3), torch.full((2, 3), math.nan), "scale: got values not in"),
        (torch.full((2, 3), math.inf), torch.ones(2, 3), "mean: got values not finite"),
        (torch.full((2, 3), math.nan), torch.ones(2, 3), "mean: got values not finite"),
        (torch.zeros(2, 3), torch.ones(2, 4), "scale: got shape"),
        (torch.zeros(2, 3), torch.ones(2, 3).double(), "scale: got dtype"),
        (torch.zeros(3), torch.ones(3), "mean: got shape \\(3,\\), need \\(batch, dim\\)"),
        (torch.zeros(3, 0), torch.ones(3, 0), "mean: got shape \\(3, 0\\)"),
        (torch.zeros(2, 3).long(), torch.ones(2, 3).long(), "mean: got torch.int64"),
    ],
)
def test_bad_targets(mean, scale, message):
    with pytest.raises(ValueError, match=message):
        DiagonalGaussian(mean, scale)


@pytest.mark.parametrize("rows", [1, 5])
def test_a_target_relative_to_a_prior(rows):
    """KL and ratios are those of the two laws, and coded samples follow the target."""
    mean, scale = torch.randn(5, 3) + 40, torch.rand(5, 3) + 0.1
    prior = DiagonalGaussian(torch.randn(rows, 3) + 40, torch.rand(rows, 3) + 1)
    relative = DiagonalGaussian(mean, scale).relative_to(prior)
    laws = [
        torch.distributions.Normal(part.mean.double(), part.scale.double())
        for part in (DiagonalGaussian(mean, scale), prior)
    ]
    expected = torch.distributions.kl_divergence(*laws) / math.log(2)
    torch.testing.assert_close(relative.kl_bits(), expected)
    z = torch.randn(4, 5, 3).double()
    placed = prior.mean + prior.scale * z
    ratios = (laws[0].log_prob(placed) - laws[1].log_prob(placed)).sum(-1) / math.log(2)
    torch.testing.assert_close(relative.log2_ratio(z), ratios)


def test_samples_relative_to_a_prior_follow_the_target():
    items = 4000
    prior = same_target((3.0, -20.0), (2.0, 0.1), items)
    target = same_target((4.0, -20.1), (0.7, 0.04), items)
    coder, key = PartitionedPFR(Partition((2, 3))), torch.arange(items)
    code = coder.encode(target.relative_to(prior), key, seeded())
    z = prior.mean + prior.scale * to_float(coder.decode(code, key), torch.float64)
    assert follows_target((z - target.mean) / target.scale, significance=0.01)
    assert not follows_target((z - prior.mean) / prior.scale, significance=1e-6)


def test_a_prior_must_fit():
    prior = DiagonalGaussian(torch.zeros(2, 3), torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"prior: got shape \(2, 3\), need \(1 or 5, 3\)"):
        DiagonalGaussian(torch.zeros(5, 3), torch.ones(5, 3)).relative_to(prior)
    with pytest.raises(ValueError, match=r"prior: got shape \(2, 3\), need \(1 or 2, 4\)"):
        DiagonalGaussian(torch.zeros(2, 4), torch.ones(2, 4)).relative_to(prior)


def test_the_largest_and_the_smallest_numbers_of_targets() -> None:
    at_limits = torch.tensor([[2.0**-100, 2.0**100]], dtype=torch.float64)
    target = DiagonalGaussian(at_limits.clone(), at_limits)
    assert (target.batch, target.dim) == (1, 2)
    for factor in (0.99, 1.01):
        with pytest.raises(ValueError, match="scale: got values not in"):
            DiagonalGaussian(torch.zeros(1, 2).double(), at_limits * factor)
    with pytest.raises(ValueError, match="mean: got values not finite or above"):
        DiagonalGaussian(at_limits * 1.01, at_limits)
