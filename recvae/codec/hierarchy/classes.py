"""The classes of a layer's regions, coded in four passes under the classes that are known by then.

A class is predicted by those of its neighbours and by that of the same region in the layer before,
which the receiver has. Within a pass no region is the context of another, so that a pass is coded
at once: first the regions in even rows and columns, then those in odd ones, then the rest.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recvae.codec.hierarchy.layout import Integers
from recvae.codec.range_coder import RangeDecoder, RangeEncoder

_NONE, _DIAGONAL, _BESIDE = (), ((-1, -1), (-1, 1), (1, -1), (1, 1)), ((-1, 0), (1, 0), (0, -1), (0, 1))
PASSES = ((0, 0, _NONE), (1, 1, _DIAGONAL), (0, 1, _BESIDE), (1, 0, _BESIDE))
"""First row and column of a pass, and where the neighbours lie that are known in it."""

Frequencies = NDArray[np.int32]
"""Of classes, (classes + 1, classes + 1, classes): rows sum to 2^24. First index: one more than the
class of the region in the layer before, 0 in the first layer. Second: one more than the rounded mean
of the neighbours' classes, 0 where none is known."""


def contexts(classes: Integers, before: Integers | None) -> Iterator[tuple[tuple, Integers]]:
    """For each pass the index of its regions in maps (n, rows, columns) and their contexts.

    Args:
        classes: maps that are read as the passes go on: later ones may be filled in meanwhile.
        before: of the layer before, None in the first layer.
    """
    n, rows, columns = classes.shape
    first = np.zeros_like(classes) if before is None else before + 1
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
        yield place, np.stack([first[place], mean[place]], axis=-1)


def encode_classes(
    encoder: RangeEncoder, classes: Integers, before: Integers | None, frequencies: Frequencies
) -> None:
    """Send maps (n, rows, columns)."""
    for place, context in contexts(classes, before):
        rows = frequencies[context[..., 0], context[..., 1]]
        encoder.encode(classes[place].flatten(), rows.reshape(-1, rows.shape[-1]))


def decode_classes(
    decoder: RangeDecoder,
    shape: tuple[int, int, int],
    before: Integers | None,
    frequencies: Frequencies,
) -> Integers:
    """Receive them."""
    classes = np.full(shape, -1, np.int64)
    for place, context in contexts(classes, before):
        rows = frequencies[context[..., 0], context[..., 1]]
        symbols = decoder.decode(np.ascontiguousarray(rows.reshape(-1, rows.shape[-1])))
        classes[place] = symbols.reshape(classes[place].shape)
    return classes


def class_bits(
    classes: Integers, before: Integers | None, frequencies: Frequencies
) -> NDArray[np.float64]:
    """Bits of each map, (n,)."""
    bits = np.zeros(len(classes))
    for place, context in contexts(classes, before):
        chosen = np.take_along_axis(
            frequencies[context[..., 0], context[..., 1]], classes[place][..., None], axis=-1
        )
        bits += (24 - np.log2(chosen)).reshape(len(classes), -1).sum(axis=1)
    return bits
