"""AStar and BranchAndBoundGPRS: the law of the samples, the bits and the steps.

Fixed seeds; laws are tested at significance 0.01.
"""

import math

import pytest
import torch

from rec.branch_and_bound_coders import CODERS, repeated
from rec.coders import seeded
from rec.goodness import follows_target
from recvae.exact.gaussian import to_float
from recvae.rec import Code, DiagonalGaussian, gaussian_1d, zeta_code, zeta_exponent
from recvae.rec.branch_and_bound import AStar, BranchAndBoundGPRS
from recvae.rec.code import CappedSearchWarning

pytestmark = pytest.mark.slow

SAMPLES = 20_000


def standardised(coder, target: DiagonalGaussian, code: Code, key) -> torch.Tensor:
    z = to_float(coder.decode(code, key), torch.float64)
    return (z - target.mean.double()) / target.scale.double()


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize(
    ("mean", "scale", "dtype"),
    [
        (0.0, 1.0, torch.float32),
        (0.5, 1e-4, torch.float64),
        (-2.0, 0.25, torch.float32),
        (1.3, 1.0, torch.float64),
        (0.3, 0.99, torch.float32),
    ],
)
def test_samples_follow_the_target(coder, mean, scale, dtype):
    target, key, coder = repeated(mean, scale, SAMPLES, dtype), torch.arange(SAMPLES), coder(1)
    found = coder.search(target, key, seeded())
    assert not found.capped.any()
    assert (found.code.ranks < found.num_drawn).all()
    assert follows_target(standardised(coder, target, found.code, key))


def test_that_test_notices_searches_that_stop_too_early(monkeypatch):
    target, key = repeated(0.5, 0.1, SAMPLES), torch.arange(SAMPLES)
    for coder in (AStar(1, max_candidates=3), BranchAndBoundGPRS(1, max_candidates=3)):
        with pytest.warns(CappedSearchWarning, match="of 20000 searches ended at the cap"):
            code = coder.encode(target, key, seeded())
        assert not follows_target(standardised(coder, target, code, key), significance=1e-6)
    # A GPRS that does not stretch, except as needed to end.
    monkeypatch.setattr(
        gaussian_1d.StretchFunction1D,
        "log2_sigma",
        lambda self, z: self.gaussian.log2_ratio(z) + 1.0,
    )
    coder = BranchAndBoundGPRS(1)
    found = coder.search(target, key, seeded())
    z = standardised(coder, target, found.code, key)
    assert not follows_target(z, significance=1e-6)


@pytest.mark.parametrize("coder", CODERS)
def test_forty_bits_over_eight_dimensions(coder):
    """Dimensions are independent too, by the covariances and projections of `follows_target`."""
    scale = [1.0, 0.5, 0.25, 0.1, 0.03, 0.01, 1e-3, 2e-4]
    mean = [0.0, 1.0, -1.0, 0.8, -0.5, 1.5, 0.1, -0.7]
    target, key, coder = repeated(mean, scale, 4000), torch.arange(4000), coder(8)
    code = coder.encode(target, key, seeded())
    assert target.kl_bits()[0].sum().item() == pytest.approx(40, abs=3)
    assert follows_target(standardised(coder, target, code, key))
    bits = coder.bin_bits(code, key) + zeta_code(1.3, 512).bits(code.ranks).sum(1)
    assert 40 < bits.mean() < 40 + 8 * 6


def target_scale(kl_bits: float) -> float:
    """The scale of N(0, scale^2) with this KL, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        kl = math.log2(math.e) / 2 * (middle**2 - 1) - math.log2(middle)
        low, high = (middle, high) if kl > kl_bits else (low, middle)
    return high


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("kl_bits", [1, 3, 7, 12, 20])
def test_bits_and_steps_are_within_their_bounds(coder, kl_bits):
    samples, coder = 2000, coder(1)
    target = repeated(0.0, target_scale(kl_bits), samples)
    key = torch.arange(samples)
    found = coder.search(target, key, seeded())
    # The rank grows like the KL, not like 2^KL.
    index_code = zeta_code(zeta_exponent(math.log2(kl_bits + 1), 0.0), 512)
    bits = coder.bin_bits(found.code, key) + index_code.bits(found.code.ranks)[:, 0]
    assert kl_bits <= bits.mean() <= kl_bits + math.log2(kl_bits + 1) + 6
    assert found.num_drawn.double().mean() < 2.26 * kl_bits + 9.66
    assert found.num_drawn.double().mean() > kl_bits


@pytest.mark.parametrize("coder", CODERS)
def test_nothing_to_say_costs_nothing(coder):
    found = coder(2).search(repeated([0.0, 0.0], [1.0, 1.0], 500), torch.arange(500), seeded())
    assert (found.num_drawn == 1).all()
    assert (found.code.bins == 0).all()
    assert (coder(2).bin_bits(found.code, torch.arange(500)) == 0).all()
