"""The classes of a picture's regions: how much each carries, stated by the sender.

A *region* is the area of one position at the coarsest resolution. Its class determines for every
layer how finely its latents are cut. Classes are coded in four passes, each given the classes of
neighbours already known. Within a pass no two regions are neighbours, so a pass is coded at once:
first the regions in even rows and columns, then those in odd ones, then the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recvae.codec.hierarchy.layout import Integers
from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.exact.frequencies import PRECISION_BITS
from recvae.hierarchy.quality import MAX_QUALITY, MIN_QUALITY

Offsets = tuple[tuple[int, int], ...]
_NONE: Offsets = ()
_DIAGONAL: Offsets = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_BESIDE: Offsets = ((-1, 0), (1, 0), (0, -1), (0, 1))
PASSES = ((0, 0, _NONE), (1, 1, _DIAGONAL), (0, 1, _BESIDE), (1, 0, _BESIDE))
"""First row and column of a pass, and offsets of the neighbours known in it."""

Place = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class ClassTables:
    """The tables for sending classes.

    Fields:
        frequencies: (bands, classes + 1, classes) int32, rows sum to 2^24: frequencies of classes
            for each band of qualities and context; a context is one more than the rounded mean of
            the neighbours' classes, 0 if none is known.
        edges_bits: the least KL of a region of each class from 1 on, all layers together; for the
            sender.
    """

    frequencies: NDArray[np.int32]
    edges_bits: NDArray[np.float32]

    @property
    def count(self) -> int:
        """The number of classes, 0 included."""
        return int(self.frequencies.shape[-1])

    def rows(self, quality: int, context: Integers) -> NDArray[np.int32]:
        """Frequencies of classes, (regions, classes), for contexts (n, rows, columns)."""
        own = self.frequencies[band_of(quality, len(self.frequencies))]
        return np.ascontiguousarray(own[context.flatten()])

    def choose(self, kl_bits: NDArray[np.float64]) -> Integers:
        """Classes of regions whose posteriors have this KL, of the same shape."""
        return np.searchsorted(self.edges_bits, kl_bits, side="right").astype(np.int64)


def band_of(quality: int, bands: int) -> int:
    """The band of a quality."""
    return (quality - MIN_QUALITY) * bands // (MAX_QUALITY - MIN_QUALITY + 1)


def contexts(classes: Integers) -> Iterator[tuple[Place, Integers]]:
    """For each pass, the index of its regions in maps (n, rows, columns), and their contexts.

    The maps are read pass by pass: those of later passes may be filled in meanwhile.
    """
    n, rows, columns = classes.shape
    for row, column, neighbours in PASSES:
        place = (slice(None), slice(row, None, 2), slice(column, None, 2))
        if not classes[place].size:
            continue
        padded = np.full((n, rows + 2, columns + 2), -1, np.int64)
        padded[:, 1:-1, 1:-1] = classes
        total, known = np.zeros_like(classes), np.zeros_like(classes)
        for down, right in neighbours:
            there = padded[:, 1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
            total += np.where(there >= 0, there, 0)
            known += there >= 0
        mean = np.where(known > 0, (2 * total + known) // np.maximum(2 * known, 1) + 1, 0)
        yield place, mean[place]


def encode_classes(
    encoder: RangeEncoder, tables: ClassTables, classes: Integers, quality: int
) -> None:
    """Encode maps (n, rows, columns)."""
    for place, context in contexts(classes):
        encoder.encode(classes[place].flatten(), tables.rows(quality, context))


def decode_classes(
    decoder: RangeDecoder, tables: ClassTables, shape: tuple[int, int, int], quality: int
) -> Integers:
    """Decode maps (n, rows, columns)."""
    classes = np.full(shape, -1, np.int64)
    for place, context in contexts(classes):
        symbols = decoder.decode(tables.rows(quality, context))
        classes[place] = symbols.reshape(context.shape)
    return classes


def class_bits(tables: ClassTables, classes: Integers, quality: int) -> NDArray[np.float64]:
    """Ideal code length of each map in bits, (n,)."""
    bits = np.zeros(len(classes))
    for place, context in contexts(classes):
        symbols = classes[place].reshape(-1, 1)
        chosen = np.take_along_axis(tables.rows(quality, context), symbols, axis=1)
        bits += (PRECISION_BITS - np.log2(chosen)).reshape(len(classes), -1).sum(axis=1)
    return bits
