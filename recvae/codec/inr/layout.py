"""Which latents share a block, and how finely each is cut: integers, the same on every machine."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recvae.rec import Partition, allocate_intervals, random_intervals
from recvae.rec.layout import MIN_INFORMATION_BITS
from recvae.rec.partition import MAX_LOG2_BINS

Integers = NDArray[np.int64]

MAX_LOG2_CANDIDATES = 20
LEAST_BITS = 0.02  # latents that carry less on average are not sent: a receiver takes them as 0


@dataclass(frozen=True, eq=False)
class Layout:
    """The blocks of a picture.

    Fields:
        lengths: number of latents of each block, (blocks,).
        dimensions: the latents of all blocks, block after block, (sent,); others are not sent.
        intervals: number of intervals of each of these, (sent,).
    """

    lengths: Integers
    dimensions: Integers
    intervals: Integers

    @cached_property
    def starts(self) -> Integers:
        """Where each block starts in `dimensions`, then the end, (blocks + 1,)."""
        return np.concatenate([[0], self.lengths.cumsum()])

    @cached_property
    def partitions(self) -> tuple[Partition, ...]:
        """The partition of each block."""
        cuts = np.split(self.intervals, self.starts[1:-1])
        return tuple(Partition(tuple(own.tolist())) for own in cuts)

    @cached_property
    def members(self) -> tuple[Integers, ...]:
        """The latents of each block."""
        return tuple(np.split(self.dimensions, self.starts[1:-1]))

    @property
    def log2_bins(self) -> float:
        """Bits of the bins of a picture."""
        return sum(partition.log2_bins for partition in self.partitions)


Strategy = Callable[[Sequence[float], float, int], Partition]
"""From the information of a block's latents, log2 J and a seed to a partition."""


def _informative_only(information_bits: Sequence[float], log2_bins: float, seed: int) -> Partition:
    alike = [float(bits >= MIN_INFORMATION_BITS) for bits in information_bits]
    return allocate_intervals(alike, log2_bins, MIN_INFORMATION_BITS)


STRATEGIES: dict[str, Strategy] = {
    "mutual information": lambda bits, log2_bins, seed: allocate_intervals(
        bits, log2_bins, MIN_INFORMATION_BITS
    ),
    "informative only": _informative_only,
    "random": lambda bits, log2_bins, seed: random_intervals(len(bits), log2_bins, seed),
    "none": lambda bits, log2_bins, seed: Partition.none(len(bits)),
}
"""Ways to share bins among a block's latents: by the information of each; evenly among those that
carry information; at random; no bins."""


def plan_layout(
    information_bits: NDArray[np.floating],
    block_bits: float,
    bins_per_information: float = 1.0,
    strategy: str = "mutual information",
    seed: int = 0,
) -> Layout:
    """Pack latents into blocks, in the order of one permutation, each as full as it gets.

    Args:
        information_bits: mean KL of each latent over training pictures, (dim,).
        block_bits: the most information of a block; a latent with more has a block of its own.
        bins_per_information: log2 J of a block over its information.
        strategy: one of `STRATEGIES`.
        seed: of the permutation, and of the strategy "random".

    Raises:
        ValueError: if no latent carries information.
    """
    order = np.random.default_rng(seed).permutation(len(information_bits))
    sent = [int(d) for d in order if information_bits[d] >= LEAST_BITS]
    if not sent:
        raise ValueError("no latent carries information: train the model for longer")
    blocks: list[list[int]] = []
    left = -math.inf
    for d in sent:
        if information_bits[d] > left:
            blocks.append([])
            left = block_bits
        blocks[-1].append(d)
        left -= float(information_bits[d])
    intervals: list[int] = []
    for number, members in enumerate(blocks):
        own = [float(information_bits[d]) for d in members]
        log2_bins = min(bins_per_information * sum(own), float(MAX_LOG2_BINS))
        partition = STRATEGIES[strategy](own, log2_bins, seed + number)
        intervals.extend(partition.intervals)
    return Layout(
        np.array([len(members) for members in blocks]),
        np.array([d for members in blocks for d in members]),
        np.array(intervals),
    )
