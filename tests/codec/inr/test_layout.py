"""Blocks of latents: full but not too full, every informative latent in one, cut as planned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recvae.codec.inr.layout import LEAST_BITS, STRATEGIES, Layout, plan_layout
from recvae.rec.layout import MIN_INFORMATION_BITS
from recvae.rec.partition import MAX_LOG2_BINS

INFORMATION = np.array([3.0, 0.05, 2.0, 0.05, 1.0, 0.5, 0.05, 0.2, 0.01] * 3)


def bits_of(layout: Layout, information: np.ndarray) -> np.ndarray:
    return np.array([information[own].sum() for own in layout.members])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30), st.integers(1, 80), st.floats(1, 100), st.integers(0, 5))
def test_blocks_are_full_but_not_too_full(
    seed: int, dim: int, block_bits: float, permutation: int
) -> None:
    random = np.random.default_rng(seed)
    information = np.minimum(random.exponential(1, dim) ** random.choice([1, 3]), 9.0)
    information[random.integers(dim)] = 1.0  # at least one
    layout = plan_layout(information, block_bits, seed=permutation)
    sent = np.flatnonzero(information >= LEAST_BITS)
    assert sorted(layout.dimensions.tolist()) == sent.tolist()
    assert layout.lengths.min() >= 1
    assert layout.lengths.sum() == len(layout.dimensions) == len(layout.intervals)
    bits = bits_of(layout, information)
    assert ((bits <= block_bits + 1e-9) | (layout.lengths == 1)).all()
    firsts = [information[own[0]] for own in layout.members[1:]]
    assert (bits[:-1] + firsts > block_bits - 1e-9).all()  # no latent would have fit before
    for partition, own in zip(layout.partitions, bits, strict=True):
        assert partition.log2_bins <= min(own, MAX_LOG2_BINS) + 1e-9


def test_a_latent_with_more_has_a_block_of_its_own() -> None:
    information = np.array([1.0, 90.0, 1.0, 1.0])
    layout = plan_layout(information, 4.0)
    (own,) = (block for block in layout.members if 1 in block)
    assert own.tolist() == [1]
    (partition,) = (p for p, m in zip(layout.partitions, layout.members, strict=True) if 1 in m)
    assert partition.intervals == (1 << 20,)  # the most of one dimension


def test_starts_members_and_partitions() -> None:
    layout = Layout(np.array([2, 1]), np.array([5, 0, 3]), np.array([4, 1, 7]))
    assert layout.starts.tolist() == [0, 2, 3]
    assert [own.tolist() for own in layout.members] == [[5, 0], [3]]
    assert [own.intervals for own in layout.partitions] == [(4, 1), (7,)]
    assert layout.log2_bins == pytest.approx(2 + np.log2(7))


def test_the_seed_alone_decides_the_order() -> None:
    first, again, other = (plan_layout(INFORMATION, 6.0, seed=seed) for seed in (1, 1, 2))
    for part in ("lengths", "dimensions", "intervals"):
        assert np.array_equal(getattr(first, part), getattr(again, part))
    assert not np.array_equal(first.dimensions, other.dimensions)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies_share_the_same_bins(strategy: str) -> None:
    layout = plan_layout(INFORMATION, 100.0, strategy=strategy)
    (partition,) = layout.partitions
    information = INFORMATION[layout.dimensions]
    intervals = layout.intervals
    informative = information >= MIN_INFORMATION_BITS
    if strategy == "none":
        assert partition.num_bins == 1
        return
    assert information.sum() - 1.5 < partition.log2_bins <= information.sum()
    assert (intervals[~informative] == 1).all() == (strategy != "random")
    if strategy == "mutual information":
        order = np.argsort(information, kind="stable")
        assert (np.diff(intervals[order]) >= -1).all()
        assert intervals[information == 3].min() > 2 * intervals[information == 0.5].max()
    if strategy == "informative only":
        assert np.ptp(intervals[informative]) <= 1


def test_bins_in_proportion_to_information() -> None:
    for share in (0.0, 0.5, 1.0):
        layout = plan_layout(INFORMATION, 100.0, share)
        expected = share * INFORMATION[layout.dimensions].sum()
        assert expected - 1.5 < layout.log2_bins <= expected + 1e-9


@pytest.mark.parametrize("information", [np.zeros(4), np.full(3, LEAST_BITS / 2), np.zeros(0)])
def test_no_information(information: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no latent carries information: train the model"):
        plan_layout(information, 8.0)
