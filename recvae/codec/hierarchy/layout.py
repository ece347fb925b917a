"""Which latents share a block, and how finely each is cut: integers, the same on every machine.

A *region* is a square of positions of a layer. The sender states a class for each, by how much the
region carries. Positions are put in order, those of higher classes first; blocks are cut from that
order, each as many positions as the class of its first one says.
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
    """How the latents of a layer are put into blocks.

    Fields:
        region: side of a region, positions.
        intervals: of each class from 1 on, (positions of a block, channels): how many intervals
            each dimension has. A block of fewer positions has the first rows. Positions of class 0
            are not sent: their latents are 0.
    """

    region: int
    intervals: tuple[Integers, ...]

    @property
    def channels(self) -> int:
        """Latents at each position."""
        return int(self.intervals[0].shape[1])

    @cached_property
    def block_positions(self) -> Integers:
        """Positions of a whole block of each class, (classes,); 0 of class 0."""
        return np.array([0, *(len(rows) for rows in self.intervals)], dtype=np.int64)

    def regions(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of regions of a layer of height x width positions."""
        return -(-height // self.region), -(-width // self.region)

    def at_positions(self, classes: Integers, height: int, width: int) -> Integers:
        """Classes of regions (n, rows, columns) as classes of positions (n, height * width)."""
        spread = classes.repeat(self.region, axis=1).repeat(self.region, axis=2)
        return np.ascontiguousarray(spread[:, :height, :width]).reshape(len(classes), -1)


class Blocks(NamedTuple):
    """The blocks of a layer, image after image.

    Fields:
        positions: of all blocks in order, numbered over all images, (total,).
        starts: where each block begins in `positions`, and the end, (blocks + 1,).
        classes: of each block, (blocks,).
        numbers: of each block within its image, from 0, (blocks,).
    """

    positions: Integers
    starts: Integers
    classes: Integers
    numbers: Integers

    @property
    def lengths(self) -> Integers:
        """Positions of each block."""
        return np.diff(self.starts)


def cut_blocks(layout: Layout, classes: Integers) -> Blocks:
    """The blocks of images, given classes of their positions, (n, positions)."""
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
