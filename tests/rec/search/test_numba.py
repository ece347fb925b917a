"""The compiled search screens in float32: its bounds hold, and its codes are the eager ones."""

import numpy as np
import pytest
import torch

from rec.backends import Searching
from rec.coders import seeded
from recvae.exact.gaussian import gaussian_table, quantile, to_float
from recvae.rec import ORC, DiagonalGaussian, Partition, PartitionedORC
from recvae.rec.normal import log2_ratio, reach
from recvae.rec.proposal import propose, sampled_ranges
from recvae.rec.search import Race, SearchInputs
from recvae.rec.search.eager import CandidateStream
from recvae.rec.search.numba import backend, kernel
from recvae.rec.search.numba.backend import order_of_quads
from recvae.rec.search.numba.constants import SEGMENT
from recvae.rec.search.numba.screen import find_entries, tabulate_item, tabulate_peaks
from recvae.rec.search.numba.times import arrive
from recvae.rec.search.numba.words import private_words
from recvae.rec.search.screening import (
    EPSILON,
    TABLE_ROUNDINGS,
    quantile_pieces,
    screening_terms,
)


def positions() -> torch.Tensor:
    """Both ends of the prior's grid, its middle, every octave, and some between."""
    powers = 1 << torch.arange(32)
    near = torch.cat([powers - 1, powers, powers + 1, torch.arange(3000)])
    some = torch.randint(1 << 32, (50_000,), generator=seeded())
    lower = torch.cat([near.clamp(0, (1 << 32) - 1), some])
    return torch.cat([lower, (1 << 32) - 1 - lower])


def test_the_quantile_of_the_screen_is_as_near_as_its_error_bound_assumes():
    """In units of EPSILON, of which the bound allows TABLE_ROUNDINGS."""
    v = positions()
    words = v.numpy().astype(np.uint32)
    tails, entries = np.empty(len(v), np.float32), np.empty(len(v), np.uint32)
    find_entries(words, np.uint64(0), len(v), tails, entries)
    assert entries.max() == len(gaussian_table()) - 1
    start, slope = quantile_pieces()[entries].T
    magnitude = start - slope * tails
    screened = np.where(words >> 31, magnitude, -magnitude)
    error = np.abs(screened - to_float(quantile(v), torch.float64).numpy()).max()
    assert EPSILON < error < TABLE_ROUNDINGS / 2 * EPSILON


@pytest.mark.parametrize("scale", [1e-4, 0.3, 1.0, 1.7])
@pytest.mark.parametrize("mean", [-7.0, -0.4, 0.0, 2.5])
def test_peaks_are_the_most_that_an_interval_allows(mean, scale):
    intervals = 7
    target = DiagonalGaussian(torch.tensor([[mean]]), torch.tensor([[scale]]))
    proposal = propose(target, Partition((intervals,)))
    lower, upper = (edge * 2.0**28 for edge in sampled_ranges(intervals, torch.device("cpu")))
    peaks, losses = np.empty(intervals, np.float32), np.empty(intervals, np.float32)
    coefficients = (float(t[0, 0]) for t in (proposal.center, proposal.quadratic, proposal.linear))
    step_bits = proposal.step_bits[0].numpy()
    tabulate_peaks(lower.numpy(), upper.numpy(), *coefficients, step_bits, peaks, losses)
    exact = target.mean.double()[0, 0], target.scale.double()[0, 0]
    z = torch.linspace(-reach(), reach(), 100_001, dtype=torch.float64)
    z = torch.cat([z, exact[0].clamp(-reach(), reach())[None], lower[1:] * 2.0**-28 + 2e-5])
    ratios = log2_ratio(z, *exact) - proposal.base[0]
    bins = (torch.special.ndtr(z) * intervals).long().clamp(0, intervals - 1)
    for b in range(intervals):
        highest = float(ratios[bins == b].max())
        rounding = 1e-6 * abs(highest) + 1e-6
        assert -rounding < -losses[b] - highest < rounding + 0.01 * abs(highest) + 0.01
        assert peaks[b] == pytest.approx(-losses[b] + step_bits[b], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("sharp", range(7))
def test_where_the_target_is_sharp_is_screened_first(sharp):
    scale = torch.full((1, 7), 0.9)
    scale[:, sharp] = 0.1
    for target in (DiagonalGaussian(torch.zeros(1, 7), scale), _far_out(sharp)):
        order = order_of_quads(propose(target, Partition.none(7)))
        assert order.tolist() == [[sharp // 4, 1 - sharp // 4]]


def _far_out(d: int) -> DiagonalGaussian:
    mean = torch.zeros(1, 7)
    mean[:, d] = -6.0
    return DiagonalGaussian(mean, torch.full((1, 7), 0.5))


def test_what_no_interval_tells_is_screened_first():
    target = DiagonalGaussian(torch.zeros(2, 12), torch.full((2, 12), 0.5))
    partition = Partition((8,) * 4 + (2,) * 4 + (8, 8, 8, 1))
    assert order_of_quads(propose(target, partition)).tolist() == [[2, 1, 0]] * 2


INTERVALS = {
    "none": (1,) * 17,
    "few and many": (2, 3, 4, 5, 1, 64, 65, 100, 7, 1, 1),
    "one": (6,),
}


@pytest.mark.parametrize("keep", [1, 9])
@pytest.mark.parametrize("name", INTERVALS)
@pytest.mark.parametrize(
    ("spread", "scale"), [(1.0, 0.5), (0.9, 0.05), (0.5, 1e-6), (10.0, 0.01), (0.1, 1.5), (0, 1.0)]
)
def test_codes_are_the_eager_ones(spread, scale, name, keep):
    """Also where float32 hardly distinguishes candidates, or overflows."""
    dim = len(INTERVALS[name])
    noise = torch.randn((6, dim), generator=seeded())
    target = DiagonalGaussian(spread * noise, torch.full((6, dim), scale))
    found = [
        PartitionedORC(Partition(INTERVALS[name]), 1100, implementation=how).encode_best(
            target, torch.arange(6), seeded(), keep
        )
        for how in ("eager", "fused")
    ]
    (eager, eager_scores), (fused, fused_scores) = found
    assert torch.equal(eager.bins, fused.bins)
    assert torch.equal(eager.ranks, fused.ranks)
    assert torch.equal(eager_scores, fused_scores)


def test_what_float32_cannot_hold_is_scored_all_the_same():
    target = DiagonalGaussian(torch.randn((3, 9), generator=seeded()), torch.full((3, 9), 1e-20))
    assert bool(screening_terms(propose(target, Partition.none(9)))[1].isinf().all())
    codes = [
        ORC(9, 600, implementation=how).encode(target, 3, seeded()).ranks
        for how in ("eager", "fused")
    ]
    assert torch.equal(*codes)


def bounded_segment(inputs: SearchInputs, bins: np.ndarray, ranks: np.ndarray):
    """A segment of one item with the bounds of all its candidates, and a bound on their error.

    The kernels are compiled, but not their callers here.
    """
    plan, items = backend._plan(inputs, Race()), backend._items(inputs, Race())
    item = type(items)(*(rows[0] for rows in items))
    segment = kernel._new_segment.py_func(inputs.proposal.partition.dim)
    peaks, losses = np.empty((2, plan.lower.size), np.float32)
    highest = tabulate_item(plan, item, peaks, losses)
    private_words(0, SEGMENT, np.uint64(0), item.private, segment.words)
    arrive(0, SEGMENT, plan.arrivals, SEGMENT, segment.words, 0, segment.log_times)
    segment.bounds[:] = highest - segment.log_times
    kernel._draw_bins.py_func(
        segment, 0, SEGMENT, item.private, plan.cut, plan.strides, item.bin_cdf, plan.starts, peaks,
        plan.offsets,
    )  # fmt: skip
    assert np.array_equal(segment.bins, bins.astype(np.uint64))
    segment.ranks[:] = ranks
    left = kernel._bound_candidates.py_func(
        segment, SEGMENT, -np.inf, item.shared, plan.intervals, losses, plan.offsets, plan.pieces,
        item.screen, item.quads,
    )  # fmt: skip
    assert left == SEGMENT
    return segment, item.error


@pytest.mark.parametrize("name", INTERVALS)
@pytest.mark.parametrize(("spread", "scale"), [(1.0, 0.5), (0.9, 0.05), (10.0, 0.01), (0.1, 1.5)])
def test_bounds_come_within_their_error_of_the_scores(spread, scale, name):
    mean = spread * torch.randn((1, len(INTERVALS[name])), generator=seeded())
    target = DiagonalGaussian(mean, torch.full_like(mean, scale))
    inputs, _ = Searching(target, SEGMENT, INTERVALS[name]).inputs_and_rule(torch.device("cpu"))
    eager = CandidateStream(inputs, 1 << 20).next_segment(SEGMENT)
    segment, error = bounded_segment(inputs, eager.bins[0].numpy(), eager.ranks[0].numpy())
    scores = (eager.log2_ratios - eager.log2_times)[0].numpy()
    assert 1e-5 * error < np.abs(segment.bounds - scores).max() < error
