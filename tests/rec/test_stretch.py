"""The stretch functions, against quadrature, closed forms and the law that they are there for."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from rec.goodness import follows_target
from recvae.rec import DiagonalGaussian
from recvae.rec.gaussian_1d import Gaussian1D, stretch_function_1d
from recvae.rec.normal import LOG2_E
from recvae.rec.stretch import CERTAIN_BITS, NODES, stretch_function

LINES = [
    (0.0, 0.5),
    (1.0, 0.3),
    (-3.0, 0.2),
    (0.5, 1e-4),
    (0.0, 0.9),
    (0.05, 0.999),
    (0.02, 1.0),
    (-1.9, 1.0),
    (5.0, 0.15),
    (0.0, 1.0),
]


def make_gaussian(mean: float, scale: float) -> Gaussian1D:
    return Gaussian1D(torch.tensor([mean]).double(), torch.tensor([scale]).double())


def make_target(mean, scale) -> DiagonalGaussian:
    return DiagonalGaussian(torch.tensor(mean).double(), torch.tensor(scale).double())


def log2_sigma_of_both(mean: float, scale: float, z: Tensor) -> dict[str, Tensor]:
    gaussian = make_gaussian(mean, scale)
    table = stretch_function(make_target([[mean]], [[scale]]))
    point_stretches = stretch_function_1d(gaussian)[torch.zeros(len(z), dtype=torch.int64)]
    return {
        "grid": table.log2_sigma(gaussian.log2_ratio(z)[None])[0],
        "closed form": point_stretches.log2_sigma(z),
    }


def distance_from_target(mean: float, scale: float, z: Tensor, log2_sigma: Tensor) -> float:
    """Total variation between Q and what GPRS samples with this sigma, on the points z.

    With G(t) the probability that nothing is accepted until t, a point is accepted with density
    p(z) times the integral of G up to sigma, and G falls at the rate P[sigma > t].
    """
    width = (z[1] - z[0]).item()
    p = stats.norm.pdf(z.numpy()) * width
    order = np.argsort(log2_sigma.numpy(), kind="stable")
    sigma = np.exp2(np.minimum(log2_sigma.numpy()[order], 800.0))
    rate = p[order][::-1].cumsum()[::-1]
    falls = rate * np.diff(sigma, prepend=0.0)
    survival = np.exp(-np.concatenate(([0.0], falls.cumsum()[:-1])))
    accepted = p[order] * (survival * -np.expm1(-falls) / rate).cumsum()
    wanted = stats.norm.pdf(z.numpy()[order], mean, scale) * width
    return np.abs(accepted - wanted).sum().item() / 2


def sample_points(mean: float, scale: float) -> Tensor:
    low, high = max(mean - 6.3 * scale, -6.39), min(mean + 6.3 * scale, 6.39)
    return torch.linspace(low, high, 100_001, dtype=torch.float64)


@pytest.mark.parametrize(("mean", "scale"), LINES)
def test_the_law_of_the_samples_is_the_target(mean, scale):
    z = sample_points(mean, scale)
    sigmas = log2_sigma_of_both(mean, scale, z)
    assert distance_from_target(mean, scale, z, sigmas["closed form"]) < 2e-4
    assert distance_from_target(mean, scale, z, sigmas["grid"]) < 5e-5


def test_that_distance_notices_a_wrong_sigma():
    z = sample_points(1.0, 0.3)
    for log2_sigma in log2_sigma_of_both(1.0, 0.3, z).values():
        assert distance_from_target(1.0, 0.3, z, log2_sigma + math.log2(1.02)) > 2e-3


def test_against_quadrature_in_high_precision():
    mean, scale, mode = 1.0, 0.3, 1.0 / (1 - 0.09)

    def ratio(x):
        return mpmath.npdf((x - mean) / scale) / scale / mpmath.npdf(x)

    def mass(low, high, mean, scale):
        return mpmath.ncdf(high, mean, scale) - mpmath.ncdf(low, mean, scale)

    def rate(x):
        """dr / dx / S: sigma's derivative in the lower end x of {r >= r(x)}."""
        h, image = ratio(x), 2 * mode - x
        survival = mass(x, image, mean, scale) - h * mass(x, image, 0, 1)
        return h * (x - (x - mean) / scale**2) / survival

    with mpmath.workdps(30):
        sigma, start, expected = mpmath.mpf(0), mean - 12 * scale, []
        stops = [mean - 3 * scale, mean - scale, mean, mode - 0.08]
        for stop in stops:
            sigma += mpmath.quad(rate, mpmath.linspace(start, stop, 6))
            start = stop
            expected.append(float(mpmath.log(sigma, 2)))
    sigmas = log2_sigma_of_both(mean, scale, torch.tensor(stops).double())
    assert sigmas["grid"].tolist() == pytest.approx(expected, abs=1e-3)
    assert sigmas["closed form"].tolist() == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize(("dim", "scale"), [(1, 0.5), (3, 0.2), (12, 0.1), (64, 0.7), (256, 0.8)])
def test_against_the_closed_form_of_equal_scales(dim, scale):
    """With mean 0 and equal scales log2 r is a linear function of a chi^2 variable."""
    x = np.geomspace(stats.chi2.isf(1e-12, dim), stats.chi2.ppf(1e-5, dim), 100_001)
    log2_ratio = -dim * math.log2(scale) - LOG2_E / 2 * (1 - scale**2) * x
    survival = stats.chi2.cdf(x, dim)
    survival -= np.exp2(log2_ratio) * stats.chi2.cdf(scale**2 * x, dim)
    ratio = np.exp2(log2_ratio)
    cells = np.diff(ratio) * (1 / survival[1:] + 1 / survival[:-1]) / 2
    sigma = np.concatenate(([-np.log1p(-ratio[0])], cells)).cumsum()
    matters = survival > 1e-3
    table = stretch_function(make_target([[0.0] * dim], [[scale] * dim]))
    found = table.log2_sigma(torch.from_numpy(log2_ratio)[None])[0].numpy()
    errors = np.abs(found - np.log2(sigma)) / LOG2_E
    assert (errors * survival)[matters].max() < 2e-4
    assert errors[matters].max() < 5e-3


def first_accepted(target: DiagonalGaussian, log2_bound, runs: int) -> Tensor:
    """The first candidate of each run that arrives before the bound, a function of log2 r."""
    generator = torch.Generator().manual_seed(0)
    found = torch.empty(runs, target.dim, dtype=torch.float64)
    active, time = torch.arange(runs), torch.zeros(runs, dtype=torch.float64)
    while len(active):
        z = torch.randn((len(active), target.dim), generator=generator, dtype=torch.float64)
        time += torch.empty_like(time).exponential_(generator=generator)
        over = torch.log2(time) < log2_bound(target.log2_ratio(z[:, None])[:, 0])
        found[active[over]] = z[over]
        active, time = active[~over], time[~over]
    return found


def test_samples_of_the_global_form_follow_targets_of_several_dimensions():
    """With one scale above 1. Significance 0.01."""
    target = make_target([[0.5, -0.3, 0.1]], [[0.5, 1.02, 0.8]])
    table = stretch_function(target)
    z = first_accepted(target, lambda bits: table.log2_sigma(bits[None])[0], 5000)
    assert follows_target((z - target.mean) / target.scale)
    # Another sigma gives another law.
    z = first_accepted(target, lambda bits: table.log2_sigma(bits[None])[0] + 1, 5000)
    assert not follows_target((z - target.mean) / target.scale, significance=1e-6)


def test_sigma_is_between_its_bounds_and_rises():
    """1 - h <= S(h) <= 1, so h <= sigma(h) <= -log(1 - h)."""
    generator = torch.Generator().manual_seed(1)
    mean = torch.randn((20, 5), generator=generator)
    target = DiagonalGaussian(mean, 0.05 + 0.7 * torch.rand((20, 5), generator=generator))
    log2_ratio = torch.linspace(-40, 40, 4001).double().expand(20, -1)
    log2_sigma = stretch_function(target).log2_sigma(log2_ratio)
    assert (log2_sigma >= log2_ratio - 1e-6).all()
    assert (log2_sigma[:, 1:] >= log2_sigma[:, :-1]).all()
    small = log2_ratio < -1e-9
    upper = torch.log2(-torch.log1p(-torch.exp2(log2_ratio)))
    assert (log2_sigma <= upper + 1e-3)[small].all()
    assert log2_sigma[:, 0].tolist() == pytest.approx([-40.0] * 20, abs=1e-6)


def test_it_is_certain_at_the_supremum_and_where_there_is_nothing_to_say():
    target = make_target([[0.0, 0.0], [0.5, -1.0]], [[1.0, 1.0], [0.5, 0.25]])
    table = stretch_function(target)
    mode = target.mean / (1 - target.scale.square()).clamp_min(1e-9)
    assert table.log2_sigma(target.log2_ratio(mode)[:, None]).tolist() == [[math.inf]] * 2
    assert (table.table[:, -1] > CERTAIN_BITS / 2).all()
    assert (
        stretch_function_1d(make_gaussian(0.0, 1.0)).log2_sigma(torch.tensor([3.0])).item()
        == CERTAIN_BITS
    )


def test_equal_targets_share_a_row_and_the_batch_does_not_matter():
    generator = torch.Generator().manual_seed(2)
    few = DiagonalGaussian(torch.randn((3, 4), generator=generator), torch.full((3, 4), 0.25))
    items = torch.tensor([2, 0, 1, 1, 2])
    table = stretch_function(DiagonalGaussian(few.mean[items], few.scale[items]))
    assert table.table.shape == (3, NODES)
    log2_ratio = torch.linspace(-9, 9, 50).double().expand(5, -1)
    together = table.log2_sigma(log2_ratio)
    for n, item in enumerate(items.tolist()):
        alone = stretch_function(few[item : item + 1])
        assert torch.equal(alone.log2_sigma(log2_ratio[:1])[0], together[n])
        assert torch.equal(table[n : n + 1].log2_sigma(log2_ratio[:1])[0], together[n])


@pytest.mark.parametrize("dim", [1, 256])
def test_no_targets(dim):
    table = stretch_function(make_target([[0.0] * dim], [[0.5] * dim])[:0])
    assert table.log2_sigma(torch.empty(0, 3).double()).shape == (0, 3)


def test_refused():
    with pytest.raises(ValueError, match="scale: got one above 1"):
        make_gaussian(0.0, 1.01)
    with pytest.raises(ValueError, match="mean: got a target too far out"):
        stretch_function(make_target([[6.0]], [[0.5]]))
    with pytest.raises(ValueError, match=r"target: got log2 ratios over \d+ bits, need at most"):
        stretch_function(make_target([[0.0] * 256], [[1e-3] * 256]))
