"""Which latents share a block, and how finely each is cut: integers, the same on every machine.

The sender states a class for each region of the picture, by its information; see `classes`.
Positions are sorted by class, highest first, and blocks are cut from that order, each with the
number of positions for the class of its first one. How finely a block is cut, its *cut*, is again a
class, which the sender states for each block.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recvae.jit import kernel

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layout:
    """The division of a layer's latents into blocks.

    Fields:
        region: side of a region in this layer, in positions.
        block_positions: positions of a full block of each class, (classes + 1,); 0 for classes that
            send nothing of this layer, such as class 0.
        intervals: (classes, positions, channels), for each cut from 1 on: the number of intervals
            of each dimension of a block, one row a position; 0 for dimensions that are not sent,
            whose latents are 0.
    """

    region: int
    block_positions: Integers
    intervals: Integers

    @property
    def channels(self) -> int:
        """Number of latents at each position."""
        return int(self.intervals.shape[2])

    @cached_property
    def log2_bins(self) -> NDArray[np.float64]:
        """log2 J of a block of r positions, (classes, positions + 1)."""
        rows = np.log2(np.maximum(self.intervals, 1)).sum(2)
        return np.pad(rows.cumsum(1), ((0, 0), (1, 0)))

    def intervals_of(self, blocks: "Blocks", cuts: Integers) -> Integers:
        """The intervals of each dimension in blocks, (positions, channels)."""
        within = np.arange(len(blocks.positions)) - blocks.starts[:-1].repeat(blocks.lengths)
        return self.intervals[cuts.repeat(blocks.lengths) - 1, within]

    def at_positions(self, classes: Integers, height: int, width: int) -> Integers:
        """Spread classes of regions (n, rows, columns) to positions (n, height * width).

        The result is 0 where a class sends nothing of this layer.
        """
        known = np.where(self.block_positions[classes] > 0, classes, 0)
        spread = known.repeat(self.region, axis=1).repeat(self.region, axis=2)
        return np.ascontiguousarray(spread[:, :height, :width]).reshape(len(classes), -1)


class Blocks(NamedTuple):
    """The blocks of a layer, picture after picture.

    Fields:
        positions: those of all blocks in order, numbered over all pictures, (total,).
        starts: the start of each block in `positions`, then the end, (blocks + 1,).
        classes: class of the first position of each block, (blocks,).
        numbers: index of each block within its picture, from 0, (blocks,).
    """

    positions: Integers
    starts: Integers
    classes: Integers
    numbers: Integers

    @property
    def lengths(self) -> Integers:
        """Number of positions of each block."""
        return np.diff(self.starts)


def cut_blocks(layout: Layout, classes: Integers) -> Blocks:
    """Cut pictures into blocks, given the classes of their positions, (n, positions)."""
    return Blocks(*_cut(classes, layout.block_positions))


@kernel
def _cut(classes, block_positions):
    images, count = classes.shape
    coded = 0
    for i in range(images):
        for p in range(count):
            coded += classes[i, p] > 0
    positions = np.empty(coded, np.int64)
    starts = np.empty(coded + 1, np.int64)
    block_classes = np.empty(coded, np.int64)
    numbers = np.empty(coded, np.int64)
    blocks, end = 0, 0
    for i in range(images):
        begin = end
        for k in range(block_positions.size - 1, 0, -1):
            for p in range(count):
                if classes[i, p] == k:
                    positions[end] = i * count + p
                    end += 1
        at, number = begin, 0
        while at < end:
            k = classes[i, positions[at] - i * count]
            starts[blocks], block_classes[blocks], numbers[blocks] = at, k, number
            at = min(at + block_positions[k], end)
            blocks, number = blocks + 1, number + 1
    starts[blocks] = end
    return positions, starts[: blocks + 1], block_classes[:blocks], numbers[:blocks]
