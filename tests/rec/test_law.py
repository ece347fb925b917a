"""The law of coded samples. Fixed seeds; 20,000 samples; significance 1 % a test."""

import pytest
import torch

import recvae.rec.partitioned
import recvae.rec.search.eager
from rec.coders import EXACT, same_target, search, seeded
from rec.goodness import follows_target, pvalues
from recvae.exact.gaussian import to_float
from recvae.rec import (
    ORC,
    PFR,
    AStar,
    BranchAndBoundGPRS,
    Code,
    DiagonalGaussian,
    PartitionedPFR,
)
from recvae.rec.partition import Partition
from recvae.rec.randomness import shared_samples

SAMPLES = 20_000

TARGETS = {
    "nothing to say": ((0.0, 0.0), (1.0, 1.0)),
    "one dimension, 5 bits": ((-0.8,), (0.025,)),
    "three dimensions, one collapsed": ((1.0, -0.7, 0.0), (0.3, 0.5, 1.0)),
    "far out": ((3.0, 0.1), (0.2, 0.9)),
    "five dimensions, 6 bits": ((0.5, -0.9, 0.1, 1.5, 0.0), (0.4, 0.3, 0.6, 0.25, 0.9)),
}


# Each coder with two targets and each target with one coder are quick, all pairs are slow.
QUICK_TARGETS = ("one dimension, 5 bits", "three dimensions, one collapsed")
PAIRS = [
    pytest.param(
        name,
        mean_and_scale,
        id=f"{target}-{name}",
        marks=() if target in QUICK_TARGETS or name == "PFR" else pytest.mark.slow,
    )
    for target, mean_and_scale in TARGETS.items()
    for name in EXACT
]


@pytest.mark.parametrize(("name", "mean_and_scale"), PAIRS)
def test_exact_coders_sample_the_target(name, mean_and_scale):
    target = same_target(*mean_and_scale, SAMPLES)
    found, standardised = search(EXACT[name](target), target)
    assert not found.capped.any()
    assert follows_target(standardised, significance=0.01), pvalues(standardised)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "partitioned PFR, sup",
        "GPRS",
        pytest.param("PFR", marks=pytest.mark.slow),
        pytest.param("partitioned PFR, mass", marks=pytest.mark.slow),
    ],
)
def test_wider_than_the_prior(name):
    target = same_target((0.3, -0.5), (1.2, 0.4), SAMPLES, torch.float64)
    found, standardised = search(EXACT[name](target), target)
    assert found.capped.sum() <= 2  # the steps of GPRS have a heavy tail
    assert follows_target(standardised, significance=0.01), pvalues(standardised)


@pytest.mark.slow
@pytest.mark.parametrize(
    "coder",
    [
        AStar(1),
        BranchAndBoundGPRS(1),
        pytest.param(PartitionedPFR(Partition((1 << 10,))), marks=pytest.mark.slow),
    ],
    ids=repr,
)
def test_a_millionth_of_the_prior(coder):
    target = same_target((0.5,), (1e-6,), SAMPLES, torch.float64)
    found, standardised = search(coder, target)
    assert not found.capped.any()
    assert follows_target(standardised, significance=0.01), pvalues(standardised)


# Power: coders that are wrong on purpose must fail the same test by far.

MEAN, SCALE = (1.0, -0.7, 0.0), (0.3, 0.5, 1.0)


def test_too_few_candidates_are_noticed():
    target = same_target(MEAN, SCALE, SAMPLES)
    _, standardised = search(ORC(3, 16), target)
    assert not follows_target(standardised, significance=1e-6)


@pytest.mark.parametrize("coder", [PFR(3), PartitionedPFR(Partition((4, 3, 1)))])
def test_an_index_off_by_one_is_noticed(coder):
    target, key = same_target(MEAN, SCALE, SAMPLES), torch.arange(SAMPLES)
    code = coder.encode(target, key, seeded())
    z = to_float(coder.decode(Code(code.bins, code.ranks + 1), key), torch.float64)
    assert not follows_target((z - target.mean) / target.scale, significance=1e-6)


@pytest.mark.parametrize("wrong", ["bins share draws", "ranks share draws"])
def test_shared_draws_are_noticed(monkeypatch, wrong):
    """The bins to either side of 0 share their uniforms, or all candidates of a bin do."""

    def draw(block_key, partition, bins, ranks):
        if wrong == "ranks share draws":
            return shared_samples(block_key, partition, bins, torch.zeros_like(ranks))
        # The position within the bin comes from bin 0, whichever bin it is.
        z = shared_samples(block_key, partition, torch.zeros_like(bins), ranks)
        cdf = torch.special.ndtr(to_float(z, torch.float64))
        intervals = torch.tensor(partition.intervals)
        moved = torch.special.ndtri((cdf + bins / intervals).clamp(1e-9, 1 - 1e-9))
        return torch.round(moved * 2**28).long()

    target = same_target((0.1, 0.4), (0.6, 0.5), 5000)
    coder = PartitionedPFR(Partition((2, 2)), implementation="eager")
    _, honest = search(coder, target)
    for module in (recvae.rec.search.eager, recvae.rec.partitioned):
        monkeypatch.setattr(module, "shared_samples", draw)
    _, standardised = search(coder, target)
    assert follows_target(honest, significance=0.01)
    assert not follows_target(standardised, significance=1e-6)


def test_a_capped_search_is_not_exact_and_says_so():
    target = same_target(MEAN, SCALE, SAMPLES)
    found, standardised = search(PFR(3, max_candidates=3), target)
    assert found.capped.double().mean() > 0.5
    assert not follows_target(standardised, significance=1e-6)


@pytest.mark.slow
def test_items_are_independent():
    """Samples of neighbouring items, with consecutive keys, are not correlated."""
    mean, scale = torch.tensor(MEAN).expand(SAMPLES, 3), torch.tensor(SCALE).expand(SAMPLES, 3)
    key = torch.arange(SAMPLES)
    for name, factory in EXACT.items():
        target = DiagonalGaussian(mean, scale)
        coder = factory(target)
        code = coder.encode(target, key, seeded())
        z = to_float(coder.decode(code, key), torch.float64)
        pairs = torch.cat([z[0::2], z[1::2]], dim=1)
        standardised = (pairs - torch.cat([mean, mean], 1)[::2]) / torch.cat([scale, scale], 1)[::2]
        assert follows_target(standardised, significance=0.01), name
