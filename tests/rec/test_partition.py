import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recvae.rec import Partition, allocate_intervals, collapsed_intervals, random_intervals

INTERVALS = st.lists(st.integers(1, 90), min_size=1, max_size=9).map(tuple)


@given(INTERVALS, st.integers(0, 1 << 62))
def test_flatten_inverts_unflatten(intervals, number):
    partition = Partition(intervals)
    numbers = torch.tensor([0, number % partition.num_bins, partition.num_bins - 1])
    bins = partition.unflatten(numbers)
    assert torch.equal(partition.flatten(bins), numbers)
    assert ((bins >= 0) & (bins < torch.tensor(intervals))).all()


def test_the_last_dimension_varies_fastest():
    partition = Partition((3, 1, 5))
    assert partition.unflatten(torch.arange(7))[:, 2].tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert partition.flatten(torch.tensor([2, 0, 4])).item() == 14
    assert partition.cut_dimensions == (0, 2)
    assert partition.log2_bins == math.log2(15)


def test_the_largest_partition_is_allowed():
    assert Partition((1 << 20, 1 << 20, 1 << 20, 4)).log2_bins == 62


@pytest.mark.parametrize(
    ("intervals", "message"),
    [
        ((), "intervals: got none"),
        ((2, 0), "intervals: got 0, need integers in"),
        ((2, 1.5), "intervals: got 1.5, need integers in"),
        (((1 << 20) + 1,), "intervals: got 1048577"),
        ((1 << 20, 1 << 20, 1 << 20, 5), "need a product of at most 2\\^62"),
    ],
)
def test_bad_intervals(intervals, message):
    with pytest.raises(ValueError, match=message):
        Partition(intervals)


def test_no_partition_is_one_bin():
    partition = Partition.none(3)
    assert partition == Partition((1, 1, 1))
    assert partition.log2_bins == 0
    with pytest.raises(ValueError, match="intervals: got none"):
        Partition.none(0)


def test_allocation_follows_information():
    partition = allocate_intervals([3.0, 1.0, 0.01, 5.0], 8.0)
    assert partition.intervals == (6, 2, 1, 21)
    assert partition.log2_bins <= 8.0


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 12), min_size=4, max_size=12), st.floats(0, 40))
def test_allocation_stays_within_its_target(information_bits, log2_bins):
    partition = allocate_intervals(information_bits, log2_bins)
    assert partition.log2_bins <= log2_bins + 1e-9
    informative = [bits >= 0.1 for bits in information_bits]
    assert all(
        count == 1 or wanted for count, wanted in zip(partition.intervals, informative, strict=True)
    )
    # Maximal: nothing more can be incremented.
    for count, wanted in zip(partition.intervals, informative, strict=True):
        raised = partition.log2_bins + math.log2((count + 1) / count)
        assert not wanted or count == 1 << 20 or raised > log2_bins - 1e-9


def test_allocation_reaches_a_target_that_is_the_logarithm_of_an_integer():
    for bins in range(1, 200):
        assert allocate_intervals([9.0], math.log2(bins)).intervals == (bins,)


@pytest.mark.parametrize("dim", [4, 5, 7])
def test_the_largest_target_is_met(dim):
    for partition in (allocate_intervals([9.0] * dim, 62.0), random_intervals(dim, 62.0, 0)):
        assert 61.99 < partition.log2_bins <= 62


@pytest.mark.parametrize(
    ("arguments", "intervals"),
    [
        ((5, 10.0, 0), (4, 2, 4, 6, 5)),
        ((5, 10.0, 1), (8, 4, 2, 4, 4)),
        ((8, 24.5, 7), (14, 8, 11, 5, 6, 10, 8, 8)),
        ((1, math.log2(6), 0), (6,)),
        ((3, 0.0, 0), (1, 1, 1)),
    ],
)
def test_random_intervals_are_the_same_for_ever(arguments, intervals):
    assert random_intervals(*arguments).intervals == intervals


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), st.floats(0, 24), st.integers(0, 1 << 64))
def test_random_intervals_use_up_their_target(dim, log2_bins, seed):
    partition = random_intervals(dim, log2_bins, seed)
    assert partition.log2_bins <= log2_bins + 1e-9
    for count in partition.intervals:
        assert (
            count == 1 << 20
            or partition.log2_bins + math.log2((count + 1) / count) > log2_bins - 1e-9
        )


def test_random_intervals_prefer_no_dimension():
    cut = [random_intervals(4, 1.0, seed).cut_dimensions for seed in range(1000)]
    for d in range(4):
        assert cut.count((d,)) == pytest.approx(250, abs=55)  # four standard deviations


def test_collapsed_intervals_cut_where_least_is():
    assert collapsed_intervals([3.0, 0.2, 0.1, 1.0], 8.5).intervals == (1, 1, 362, 1)
    assert collapsed_intervals([1.0, 1.0], math.log2(36)).intervals == (36, 1)
    assert collapsed_intervals([2.0, -0.1], 62.0).intervals == (1, 1 << 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3.0, 0), "intervals: got none"),
        ((2, 62.5, 0), "log2_bins: got 62.5"),
        ((2, math.nan, 0), "log2_bins: got nan"),
        ((2, 3.0, -1), "seed: got -1"),
        ((2, 3.0, "0"), "seed: got '0'"),
    ],
)
def test_bad_random_intervals(arguments, message):
    with pytest.raises(ValueError, match=message):
        random_intervals(*arguments)


@pytest.mark.parametrize("strategy", [allocate_intervals, collapsed_intervals])
@pytest.mark.parametrize(
    ("information_bits", "log2_bins", "message"),
    [
        ([], 3.0, "information_bits"),
        ([1.0, math.nan], 3.0, "information_bits"),
        ([1.0], -0.5, "log2_bins: got -0.5"),
        ([1.0], 62.5, "log2_bins: got 62.5"),
    ],
)
def test_bad_allocations(strategy, information_bits, log2_bins, message):
    with pytest.raises(ValueError, match=message):
        strategy(information_bits, log2_bins)


def test_a_tenth_of_a_bit_is_information_enough_for_a_cut() -> None:
    cut = allocate_intervals([3.0, 0.5, 0.05], 9.0)
    assert cut == allocate_intervals([3.0, 0.5, 0.05], 9.0, 0.1)
    assert cut.intervals[1] > 1 == cut.intervals[2]
