"""The law of PartitionedORC's samples. Fixed seeds; each test states its significance."""

import pytest
import torch
from scipy import stats

import recvae.rec.search.eager
from recvae.exact.gaussian import to_float
from recvae.rec import DiagonalGaussian, Partition, PartitionedORC, allocate_intervals

SAMPLES = 20_000


def sample(mean, scale, intervals, num_candidates, samples=SAMPLES):
    """Coded samples, standardised (samples, dim), with their targets and codes."""
    dim = len(mean)
    target = DiagonalGaussian(
        torch.tensor(mean).expand(samples, dim), torch.tensor(scale).expand(samples, dim)
    )
    coder = PartitionedORC(Partition(intervals), num_candidates)
    key = torch.arange(samples)
    code = coder.encode(target, key, torch.Generator().manual_seed(7))
    z = to_float(coder.decode(code, key), torch.float64)
    return (z - target.mean) / target.scale, target, code


def follows_target(standardised: torch.Tensor, significance: float) -> bool:
    """Whether each dimension passes a Kolmogorov-Smirnov test at significance / dim."""
    dim = standardised.shape[1]
    pvalues = [stats.kstest(standardised[:, d].numpy(), "norm").pvalue for d in range(dim)]
    return min(pvalues) > significance / dim


MEAN, SCALE = (1.0, -0.7, 0.0), (0.3, 0.5, 1.0)  # 4.1 bits


@pytest.mark.parametrize("intervals", [(1, 1, 1), (4, 3, 1), (5, 2, 2)])
def test_samples_follow_the_target_when_candidates_are_ample(intervals):
    standardised, _, _ = sample(MEAN, SCALE, intervals, 1024)
    assert follows_target(standardised, significance=0.01)
    # Dimensions are independent: correlations are normal with deviation 1 / sqrt(n).
    correlations = torch.corrcoef(standardised.T)[~torch.eye(3, dtype=torch.bool)]
    assert correlations.abs().max() < 4 / SAMPLES**0.5


@pytest.mark.parametrize(
    ("ordered", "shuffled", "holds"),
    [(True, True, True), (False, False, True), (True, False, False)],
)
def test_the_winner_has_the_law_of_self_normalised_weights(monkeypatch, ordered, shuffled, holds):
    """P[z_n wins] = r(z_n) / sum r, on a fixed set of candidates. Chi^2, significance 1 %.

    Ordered times prefer the early ones, so that the set must come in an order of its own for each
    item; in one fixed order the same test rejects them.
    """
    values = torch.linspace(-1.2, 1.6, 12).double()
    order = torch.arange(12).expand(SAMPLES, 12)
    if shuffled:
        uniforms = torch.rand(order.shape, generator=torch.Generator().manual_seed(3))
        order = uniforms.argsort(1)

    def draw(block_key, partition, bins, ranks):
        return torch.round(values * 2**28).long()[order.gather(1, ranks)][..., None]

    monkeypatch.setattr(recvae.rec.search.eager, "shared_samples", draw)
    target = DiagonalGaussian(torch.full((SAMPLES, 1), 0.5), torch.full((SAMPLES, 1), 0.6))
    coder = PartitionedORC(Partition.none(1), 12, ordered=ordered, implementation="eager")
    code = coder.encode(target, torch.arange(SAMPLES), torch.Generator().manual_seed(7))
    counts = torch.bincount(order.gather(1, code.ranks[:, None])[:, 0], minlength=12)
    weights = target[:1].log2_ratio(values[:, None, None]).exp2()[:, 0]
    pvalue = stats.chisquare(counts, SAMPLES * weights / weights.sum()).pvalue
    assert pvalue > 0.01 if holds else pvalue < 1e-6


@pytest.mark.parametrize("intervals", [(1, 1, 1), (4, 3, 1)])
def test_the_same_test_notices_too_few_candidates(intervals):
    standardised, _, _ = sample(MEAN, SCALE, intervals, 2)
    assert not follows_target(standardised, significance=1e-6)


def test_a_partition_needs_fewer_candidates():
    plain, _, _ = sample(MEAN, SCALE, (1, 1, 1), 24)
    partitioned, _, _ = sample(MEAN, SCALE, (8, 3, 1), 24)
    errors = [(x.var(0) - 1).abs().max().item() for x in (plain, partitioned)]
    assert errors[1] < errors[0] / 4


@pytest.mark.slow
def test_forty_bits_over_twelve_dimensions():
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(12, generator=generator)
    scale = torch.full((12,), 0.1) * torch.exp2(torch.randn(12, generator=generator) / 2)
    target = DiagonalGaussian(mean[None], scale[None])
    information_bits = target.kl_bits()[0].tolist()
    assert sum(information_bits) == pytest.approx(40, abs=3)
    partition = allocate_intervals(information_bits, 40.0)
    samples = 3000
    standardised, _, code = sample(
        mean.tolist(), scale.tolist(), partition.intervals, 1 << 13, samples
    )
    assert follows_target(standardised, significance=0.01)
    assert code.ranks.double().mean() < 10


def test_nothing_to_say_costs_nothing():
    standardised, _, code = sample((0.0, 0.0), (1.0, 1.0), (1, 1), 64)
    # Scores differ only in the times, so the first candidate wins every race.
    assert (code.ranks == 0).all()
    assert follows_target(standardised, significance=0.01)


@pytest.mark.parametrize("intervals", [(1, 1, 1), (4, 3, 1), (16, 1, 1)])
def test_the_rank_is_geometric_given_the_sample(intervals):
    """Its mean is 1 + E_{y ~ P}[(r(z) - r(y))+ 1{y in z's bin}], which is at most 1 + r(z) / J."""
    standardised, target, code = sample(MEAN, SCALE, intervals, 1024)
    ratio = torch.exp2(target.log2_ratio(standardised * target.scale + target.mean))
    counts = torch.tensor(intervals)
    offsets = torch.rand((20, SAMPLES, 3), generator=torch.Generator().manual_seed(0)).double()
    y = torch.special.ndtri((code.bins + offsets) / counts)
    rivals = (ratio - torch.exp2(target.log2_ratio(y))).clamp_min(0).mean(0) / counts.prod()
    # Standard errors are below 2 %.
    assert (code.ranks + 1.0).mean().item() == pytest.approx((1 + rivals).mean().item(), rel=0.06)
    first = (code.ranks == 0).double().mean().item()
    assert first == pytest.approx((1 / (1 + rivals)).mean().item(), rel=0.06)


@pytest.mark.slow
def test_a_narrow_target_cut_finely():
    standardised, _, _ = sample((0.5,), (1e-6,), (1 << 12,), 1 << 13, samples=1000)
    assert follows_target(standardised, significance=0.01)
