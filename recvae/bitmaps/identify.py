"""Finds the sizes and deficits an image may have been made with: those that allow its values.

Each output pixel of a size can take only some of the 256 values; small sizes allow few. A size is
possible if it allows all values of the image, and likelier the fewer values its pixels can take.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recvae.bitmaps.patterns import DENSE_BITS, subset_sums
from recvae.bitmaps.resampling import (
    BOX,
    DEFICITS,
    MAX_SIZE,
    MIN_SIZE,
    area,
    attainable_totals,
    footprints,
)
from recvae.jit import kernel, threaded

VALUES = 256


class Candidate(NamedTuple):
    """Parameters with which an image may have been made.

    Fields:
        size, deficit: see `recvae.bitmaps.resampling`.
        top, left: upper left corner of its box in the image, possibly outside of it.
        bits: the evidence: log2 of the odds against the same values arising by chance.
    """

    size: int
    deficit: int
    top: int
    left: int
    bits: float


@kernel
def _attainable(size: int, values: NDArray[np.bool_]) -> None:
    """Mark the values, (deficits, 20, 20, 256), that the output pixels of a size can take."""
    _, count, weights = footprints(size)
    alike = np.zeros(BOX, np.int64)  # weights repeat with a period
    for i in range(BOX):
        while not (weights[alike[i]] == weights[i]).all() or count[alike[i]] != count[i]:
            alike[i] += 1
    attained = np.zeros(area(size, 0) + 2, np.int64)
    for i in range(BOX):
        for j in range(i + 1):
            y, x = max(alike[i], alike[j]), min(alike[i], alike[j])
            if (i, j) != (y, x):
                values[:, i, j] = values[:, y, x]
            elif count[i] * count[j] > DENSE_BITS:
                values[:, i, j] = True
            else:
                sums = subset_sums(weights[j], count[j])
                _count_totals(sums, weights[i], count[i], attained)
                for deficit in range(DEFICITS):
                    _mark(attained, area(size, deficit), values[deficit, i, j])
            values[:, j, i] = values[:, i, j]


@kernel
def _count_totals(sums, row_weights, num_rows, attained):
    """attained[t + 1]: number of sums of weights up to t, without the empty one."""
    totals = np.zeros(len(sums) ** num_rows, np.int64)
    many = 1
    for r in range(num_rows):
        for k in range(many * len(sums) - 1, -1, -1):
            totals[k] = totals[k // len(sums)] + row_weights[r] * sums[k % len(sums)]
        many *= len(sums)
    attained[:] = 0
    for k in range(1, many):
        attained[totals[k] + 1] = 1
    for t in range(1, len(attained)):
        attained[t] += attained[t - 1]


@kernel
def _mark(attained, over, values):
    values[0] = True
    for value in range(1, VALUES):
        least, most = attainable_totals(value, over)
        most = min(most, len(attained) - 2)
        values[value] = least <= most and attained[most + 1] > attained[least]


@cache
def _tables() -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Attainable values (sizes, deficits, 20, 20, 256) and log2 of their share of all values."""
    values = np.zeros((MAX_SIZE + 1 - MIN_SIZE, DEFICITS, BOX, BOX, VALUES), dtype=bool)
    for size in range(MIN_SIZE, MAX_SIZE + 1):
        _attainable(size, values[size - MIN_SIZE])
    return values, np.log2(values.mean(axis=-1))


@threaded
def _tell(image, values, shares, found):
    """Write possible (size, deficit, top, left) and their bits to rows of `found`; count them."""
    ys, xs = np.nonzero(image)
    count = 0
    for s in range(values.shape[0]):
        for deficit in range(values.shape[1]):
            for y in _starts(ys.min(), ys.max()):
                for x in _starts(xs.min(), xs.max()):
                    bits = 0.0
                    for k in range(len(ys)):
                        i, j = ys[k] - y, xs[k] - x
                        if not values[s, deficit, i, j, image[ys[k], xs[k]]]:
                            bits = 1.0
                            break
                        bits -= shares[s, deficit, i, j]
                    if bits != 1.0:
                        found[count, 0], found[count, 1] = s + MIN_SIZE, deficit
                        found[count, 2], found[count, 3], found[count, 4] = y, x, bits
                        count += 1
    return count


@kernel
def _starts(first, last):
    """Possible starts of a box with centred ink, up to a pixel."""
    middle = first + last + 1 - BOX
    return range(middle // 2, (middle + 1) // 2 + 1)


def candidates(image: NDArray[np.uint8]) -> list[Candidate]:
    """All candidates for an image (h, w), the likeliest first."""
    ys, xs = np.nonzero(image)
    if not len(ys) or max(np.ptp(ys), np.ptp(xs)) >= BOX:
        return []
    found = np.zeros((4 * DEFICITS * (MAX_SIZE + 1 - MIN_SIZE), 5))
    count = _tell(image, *_tables(), found)
    ways = [
        Candidate(int(size), int(deficit), int(top), int(left), float(bits))
        for size, deficit, top, left, bits in found[:count]
    ]
    return sorted(ways, key=lambda way: -way.bits)
