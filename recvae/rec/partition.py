"""Axis-aligned partitions of the latent space into bins of equal prior mass."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

MAX_LOG2_INTERVALS = 20
MAX_LOG2_BINS = 62


@dataclass(frozen=True)
class Partition:
    """Cuts dimension d into intervals[d] intervals of equal prior mass; a bin is one per dimension.

    The bins are numbered in mixed radix, the last dimension varying fastest.

    Args:
        intervals: J_d of each dimension, each in [1, 2^20], their product at most 2^62. All ones
            is no partition.

    Raises:
        ValueError: if the intervals are not such.
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
        """Bits that a bin costs."""
        return math.log2(self.num_bins)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """What one step in each dimension adds to a bin's number."""
        return tuple(math.prod(self.intervals[d + 1 :]) for d in range(self.dim))

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
    """Shares 2^log2_bins bins among dimensions by the information that each carries.

    Raises J_d by one, again and again, where information_bits[d] - log2(J_d) is largest, among the
    dimensions where that keeps the product within 2^log2_bins; stops when there is none.

    Args:
        information_bits: mutual information of each dimension (its mean KL over the data), bits.
        log2_bins: target of log2 J; the result stays just below it.
        min_information_bits: dimensions with less get one interval. Cutting a dimension without
            information wastes bits and biases the samples.

    Raises:
        ValueError: if there are no dimensions, a value is not finite, or log2_bins is outside
            [0, 62].
    """
    if not len(information_bits) or not all(math.isfinite(bits) for bits in information_bits):
        raise ValueError(
            f"information_bits: got {list(information_bits)}, need one finite number a dimension"
        )
    if not 0 <= log2_bins <= MAX_LOG2_BINS:
        raise ValueError(f"log2_bins: got {log2_bins}, need a number in [0, 62]")
    # log2 of an integer may fall just short of it: log2_bins = math.log2(36) must allow 36.
    limit = int(2.0**log2_bins * (1 + 1e-12))
    intervals = [1] * len(information_bits)
    product = 1
    queue = [(-bits, d) for d, bits in enumerate(information_bits) if bits >= min_information_bits]
    heapq.heapify(queue)
    while queue:
        _, d = heapq.heappop(queue)
        raised = product // intervals[d] * (intervals[d] + 1)
        if raised > limit or intervals[d] == 1 << MAX_LOG2_INTERVALS:
            continue  # for good: the product only grows
        product = raised
        intervals[d] += 1
        heapq.heappush(queue, (math.log2(intervals[d]) - information_bits[d], d))
    return Partition(tuple(intervals))
