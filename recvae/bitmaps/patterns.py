"""Finds the patterns of scan pixels under one output pixel that give its value.

A pattern of `rows` x `columns` scan pixels is an integer, bit r * columns + c for row r, column c.
"""

import numpy as np
from numpy.typing import NDArray

from recvae.jit import kernel

DENSE_BITS = 16
"""Up to this many scan pixels, all patterns are tried."""

MOST_EDGES = 12
"""Beyond, only patterns with at most this many edges between ink and paper, as drawn by pens."""

LEFT, RIGHT, TOP, BOTTOM = 0, 1, 2, 3


@kernel
def ones(bits: int) -> int:
    """Number of bits that are 1."""
    count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count


@kernel
def rim(pattern: int, rows: int, columns: int, side: int) -> int:
    """The outermost scan pixels on a side, as bits."""
    if side == TOP:
        return pattern & ((1 << columns) - 1)
    if side == BOTTOM:
        return pattern >> ((rows - 1) * columns)
    at = 0 if side == LEFT else columns - 1
    bits = 0
    for r in range(rows):
        bits |= (pattern >> (r * columns + at) & 1) << r
    return bits


@kernel
def edges(pattern: int, rows: int, columns: int) -> int:
    """Number of neighbours in a pattern that differ."""
    mask = (1 << columns) - 1
    count, before = 0, -1
    for _ in range(rows):
        row = pattern & mask
        count += ones((row ^ row >> 1) & mask >> 1)
        if before >= 0:
            count += ones(row ^ before)
        before, pattern = row, pattern >> columns
    return count


@kernel
def subset_sums(weights: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The sum of the weights under each pattern of one row, (2^count,)."""
    sums = np.zeros(1 << count, np.int64)
    for subset in range(1, 1 << count):
        low = subset & -subset
        sums[subset] = sums[subset ^ low] + weights[ones(low - 1)]
    return sums


@kernel
def matching(
    row_weights: NDArray[np.int64],
    rows: int,
    column_weights: NDArray[np.int64],
    columns: int,
    least: int,
    most: int,
    found: NDArray[np.int64],
    start: int,
) -> int:
    """Write all patterns whose sum of weights lies in [least, most] to `found` from `start` on.

    The empty pattern counts only for pixel 0: least = most = 0. Returns where it stopped writing,
    or -1 if `found` is full.
    """
    if most == 0:
        found[start] = 0
        return start + 1
    sums = subset_sums(column_weights, columns)
    most_edges = MOST_EDGES if rows * columns > DENSE_BITS else rows * columns * 2
    whole = sums[-1]
    rest = np.zeros(rows + 1, np.int64)  # the most that rows from r on can add
    for r in range(rows - 1, -1, -1):
        rest[r] = rest[r + 1] + row_weights[r] * whole
    mask = (1 << columns) - 1
    subset, total = np.zeros(rows + 1, np.int64), np.zeros(rows + 1, np.int64)
    pattern, edge = np.zeros(rows + 1, np.int64), np.zeros(rows + 1, np.int64)
    r, stop = 0, start
    while r >= 0:
        if r == rows:
            if total[r] >= least and pattern[r]:
                if stop == len(found):
                    return -1
                found[stop] = pattern[r]
                stop += 1
            r -= 1
            continue
        row = subset[r]
        if row > mask:
            r -= 1
            continue
        subset[r] += 1
        added = total[r] + row_weights[r] * sums[row]
        if added > most or added + rest[r + 1] < least:
            continue
        count = edge[r] + ones((row ^ row >> 1) & mask >> 1)
        if r:
            count += ones(row ^ (pattern[r] >> ((r - 1) * columns)))
        if count > most_edges:
            continue
        r += 1
        total[r], edge[r] = added, count
        pattern[r] = pattern[r - 1] | row << ((r - 1) * columns)
        if r < rows:
            subset[r] = 0
    return stop
