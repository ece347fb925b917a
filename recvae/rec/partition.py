"""Axis-aligned partitions of the latent space into bins of equal prior mass."""

import heapq
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import mul

import torch
from torch import Tensor

MAX_LOG2_INTERVALS = 20
MAX_LOG2_BINS = 62


@dataclass(frozen=True)
class Partition:
    """Cuts dimension d into intervals[d] intervals of equal prior mass; a bin takes one of each.

    The bins are numbered in mixed radix, the last dimension varying fastest.

    Args:
        intervals: J_d of each dimension, each in [1, 2^20], their product at most 2^62. All ones
            means no partition.

    Raises:
        ValueError: if the intervals are invalid.
    """

    intervals: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.intervals:
            raise ValueError("intervals: got none, need one for each dimension")
        for count in self.intervals:
            if type(count) is not int or not 1 <= count <= 1 << MAX_LOG2_INTERVALS:
                raise ValueError(f"intervals: got {count!r}, need integers in [1, 2^20]")
        if self.num_bins > 1 << MAX_LOG2_BINS:
            given = f"2^{self.log2_bins:.2f} bins"
            raise ValueError(f"intervals: got {given}, need a product of at most 2^62")

    @staticmethod
    def none(dim: int) -> "Partition":
        """No partition of dim >= 1 dimensions: one bin, which costs no bits."""
        return Partition((1,) * dim)

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return len(self.intervals)

    @cached_property
    def num_bins(self) -> int:
        """J, the number of bins."""
        return math.prod(self.intervals)

    @property
    def log2_bins(self) -> float:
        """Bits of a bin."""
        return math.log2(self.num_bins)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """The difference in a bin's number for one step in each dimension."""
        *strides, _ = accumulate(reversed(self.intervals), mul, initial=1)
        return tuple(reversed(strides))

    @cached_property
    def cut_dimensions(self) -> tuple[int, ...]:
        """The dimensions with more than one interval."""
        return tuple(d for d, count in enumerate(self.intervals) if count > 1)

    def flatten(self, bins: Tensor) -> Tensor:
        """Numbers of bin tuples: (..., dim) int64 to (...) int64 in [0, J)."""
        number = torch.zeros(bins.shape[:-1], dtype=torch.int64, device=bins.device)
        for d in self.cut_dimensions:
            number = number + bins[..., d] * self.strides[d]
        return number

    def unflatten(self, numbers: Tensor) -> Tensor:
        """Inverse of `flatten`: (...) int64 to (..., dim) int64."""
        bins = torch.zeros((*numbers.shape, self.dim), dtype=torch.int64, device=numbers.device)
        for d in self.cut_dimensions:
            bins[..., d] = numbers // self.strides[d] % self.intervals[d]
        return bins


def allocate_intervals(
    information_bits: Sequence[float], log2_bins: float, min_information_bits: float = 0.1
) -> Partition:
    """Share 2^log2_bins bins among dimensions according to their information.

    Repeatedly increments J_d where information_bits[d] - log2(J_d) is largest, among the dimensions
    where this keeps the product within 2^log2_bins, until there is none.

    Args:
        information_bits: mutual information of each dimension (its mean KL over the data), bits.
        log2_bins: target of log2 J; the result stays just below it.
        min_information_bits: dimensions with less get one interval. Cutting a dimension without
            information wastes bits and biases the samples.

    Raises:
        ValueError: if there are no dimensions, a value is not finite, or log2_bins is outside
            [0, 62].
    """
    _check_information(information_bits)
    most_bins = _most_bins(log2_bins)
    informative = [bits >= min_information_bits for bits in information_bits]

    def excess(d: int, count: int) -> float:
        return math.log2(count) - information_bits[d]

    return _raise_intervals(informative, most_bins, excess)


def random_intervals(dim: int, log2_bins: float, seed: int) -> Partition:
    """Share 2^log2_bins bins among dimensions regardless of their information.

    Repeatedly increments J_d of a dimension drawn uniformly from those where this keeps the product
    within 2^log2_bins, until there is none. The same on every machine.

    Args:
        dim: number of dimensions, at least 1.
        log2_bins: target of log2 J; the result stays just below it.
        seed: seed of the draws, at least 0.

    Raises:
        ValueError: if an argument is out of range.
    """
    most_bins = _most_bins(log2_bins)
    if type(seed) is not int or seed < 0:
        raise ValueError(f"seed: got {seed!r}, need an integer of at least 0")
    uniform = random.Random(seed).random
    clocks = [0.0] * dim

    # Poisson clocks of equal rate: each one still running is equally likely to ring next.
    def next_ring(d: int, count: int) -> float:
        clocks[d] -= math.log(1 - uniform())
        return clocks[d]

    return _raise_intervals([True] * dim, most_bins, next_ring)


def collapsed_intervals(information_bits: Sequence[float], log2_bins: float) -> Partition:
    """Cut only the dimension with the least information: the worst possible partition.

    Args:
        information_bits: mutual information of each dimension, bits.
        log2_bins: log2 of the number of intervals, which is rounded down and at most 2^20.

    Raises:
        ValueError: as for `allocate_intervals`.
    """
    _check_information(information_bits)
    intervals = [1] * len(information_bits)
    least = min(range(len(intervals)), key=information_bits.__getitem__)
    intervals[least] = min(_most_bins(log2_bins), 1 << MAX_LOG2_INTERVALS)
    return Partition(tuple(intervals))


def _raise_intervals(
    cut: Sequence[bool], most_bins: int, priority: Callable[[int, int], float]
) -> Partition:
    """Repeatedly increment J_d where priority(d, J_d) is least, while one can be incremented.

    Only dimensions d with cut[d] count; `priority` is called once for each d and J_d.
    """
    intervals = [1] * len(cut)
    product = 1
    queue = [(priority(d, 1), d) for d in range(len(cut)) if cut[d]]
    heapq.heapify(queue)
    while queue:
        _, d = heapq.heappop(queue)
        raised = product // intervals[d] * (intervals[d] + 1)
        if raised > most_bins or intervals[d] == 1 << MAX_LOG2_INTERVALS:
            continue  # permanently, as the product only grows
        product = raised
        intervals[d] += 1
        heapq.heappush(queue, (priority(d, intervals[d]), d))
    return Partition(tuple(intervals))


def _check_information(information_bits: Sequence[float]) -> None:
    if not len(information_bits) or not all(math.isfinite(bits) for bits in information_bits):
        raise ValueError(
            f"information_bits: got {list(information_bits)}, need one finite number a dimension"
        )


def _most_bins(log2_bins: float) -> int:
    """floor(2^log2_bins); raises ValueError for log2_bins outside [0, 62]."""
    if not 0 <= log2_bins <= MAX_LOG2_BINS:
        raise ValueError(f"log2_bins: got {log2_bins}, need a number in [0, 62]")
    # log2 of an integer may fall just short of it: log2_bins = math.log2(36) must allow 36.
    return min(int(2.0**log2_bins * (1 + 1e-12)), 1 << MAX_LOG2_BINS)
