"""The bitmap behind a box of 20 x 20 pixels: a puzzle with one piece for each pixel.

A piece is a pattern that gives the pixel's value. Neighbouring output pixels share the scan pixels
on their border, so pieces must agree: pieces that agree with no piece of a neighbour are removed
until nothing changes (arc consistency). Where several remain, the one that agrees best with the
bits around it is tried first, with backtracking.
"""

import numpy as np
from numpy.typing import NDArray

from recvae.bitmaps.patterns import BOTTOM, LEFT, RIGHT, TOP, edges, matching, rim
from recvae.bitmaps.resampling import BOX, area, attainable_totals, footprints, shares_edge
from recvae.jit import kernel, threaded

MOST_PIECES = 4_000_000
MOST_TRIES = 500
UNKNOWN = 2
PIXELS = BOX * BOX
OPPOSITE = (RIGHT, LEFT, BOTTOM, TOP)


@kernel
def _neighbour(size: int, p: int, side: int) -> int:
    """The neighbour of pixel p on a side, if they share scan pixels; otherwise -1."""
    i, j = divmod(p, BOX)
    if side == LEFT and j > 0 and shares_edge(size, j - 1):
        return p - 1
    if side == RIGHT and j < BOX - 1 and shares_edge(size, j):
        return p + 1
    if side == TOP and i > 0 and shares_edge(size, i - 1):
        return p - BOX
    if side == BOTTOM and i < BOX - 1 and shares_edge(size, i):
        return p + BOX
    return -1


@kernel
def _take_away(puzzle, waiting, size, count):
    """Enforce arc consistency from the waiting pixels on; tell whether all pixels keep a piece."""
    pieces, starts, alive, left, _, _ = puzzle
    fits = np.zeros(1 << 7, np.bool_)
    queue = True
    while queue:
        queue = False
        for p in range(PIXELS):
            if not waiting[p]:
                continue
            waiting[p] = False
            rows, columns = count[p // BOX], count[p % BOX]
            for side in range(4):
                other = _neighbour(size, p, side)
                if other < 0:
                    continue
                fits[:] = False
                for k in range(starts[p], starts[p + 1]):
                    if alive[k]:
                        fits[rim(pieces[k], rows, columns, side)] = True
                its_rows, its_columns = count[other // BOX], count[other % BOX]
                before = left[other]
                for k in range(starts[other], starts[other + 1]):
                    if alive[k]:
                        edge = rim(pieces[k], its_rows, its_columns, OPPOSITE[side])
                        if not fits[edge]:
                            _remove(puzzle, other, k)
                if left[other] < before:
                    if left[other] == 0:
                        waiting[:] = False
                        return False
                    waiting[other] = True
                    queue = True
    return True


@kernel
def _remove(puzzle, p, k):
    _, _, alive, left, gone, num_gone = puzzle
    alive[k] = False
    left[p] -= 1
    gone[num_gone[0], 0], gone[num_gone[0], 1] = p, k
    num_gone[0] += 1


@kernel
def _restore(puzzle, to):
    _, _, alive, left, gone, num_gone = puzzle
    while num_gone[0] > to:
        num_gone[0] -= 1
        p, k = gone[num_gone[0]]
        alive[k] = True
        left[p] += 1


@kernel
def _lay(bits, pattern, i, j, first, count):
    for r in range(count[i]):
        for c in range(count[j]):
            bits[first[i] + r, first[j] + c] = pattern >> (r * count[j] + c) & 1


@kernel
def _disagreements(bits, size, pattern, i, j, first, count):
    """Count differing neighbours, within a piece (twice) and to the bits around it."""
    rows, columns = count[i], count[j]
    total = 2 * edges(pattern, rows, columns)
    for r in range(rows):
        for c in range(columns):
            ink = pattern >> (r * columns + c) & 1
            y, x = first[i] + r, first[j] + c
            if r == 0:
                total += 2 * _differs(bits, size, y - 1, x, ink)
            if r == rows - 1:
                total += 2 * _differs(bits, size, y + 1, x, ink)
            if c == 0:
                total += 2 * _differs(bits, size, y, x - 1, ink)
            if c == columns - 1:
                total += 2 * _differs(bits, size, y, x + 1, ink)
    return total


@kernel
def _differs(bits, size, y, x, ink):
    if y < 0 or x < 0 or y >= size or x >= size:
        return ink
    return bits[y, x] != UNKNOWN and bits[y, x] != ink


@threaded
def solve(
    box: NDArray[np.uint8],
    size: int,
    deficit: int,
    pieces: NDArray[np.int64],
    bits: NDArray[np.uint8],
) -> bool:
    """Find a bitmap that gives a box (20, 20) and write it to `bits`, at least (size, size).

    `pieces` is scratch memory of any length: puzzles that need more are not solved. Returns whether
    one was found; otherwise the contents of `bits` are meaningless.
    """
    first, count, weights = footprints(size)
    over = area(size, deficit)
    starts = np.zeros(PIXELS + 1, np.int64)
    for p in range(PIXELS):
        i, j = divmod(p, BOX)
        least, most = attainable_totals(box[i, j], over)
        stop = matching(
            weights[i], count[i], weights[j], count[j], least, most, pieces, starts[p]
        )  # fmt: skip
        if stop <= starts[p]:
            return False
        starts[p + 1] = stop
    num_pieces = starts[PIXELS]
    left = starts[1:] - starts[:-1]
    gone, num_gone = np.zeros((num_pieces, 2), np.int64), np.zeros(1, np.int64)
    puzzle = (pieces, starts, np.ones(num_pieces, np.bool_), left, gone, num_gone)
    waiting = np.ones(PIXELS, np.bool_)
    if not _take_away(puzzle, waiting, size, count):
        return False
    return _search(puzzle, waiting, size, first, count, bits)


@kernel
def _search(puzzle, waiting, size, first, count, bits):
    pieces, starts, alive, left, _, num_gone = puzzle
    choices = np.zeros((PIXELS, 3), np.int64)  # pixel, piece, number removed before
    depth, tries = 0, 0
    while True:
        bits[:] = UNKNOWN
        open_pixel = -1
        for p in range(PIXELS):
            if left[p] == 1:
                for k in range(starts[p], starts[p + 1]):
                    if alive[k]:
                        _lay(bits, pieces[k], p // BOX, p % BOX, first, count)
                        break
            elif open_pixel < 0 or left[p] < left[open_pixel]:
                open_pixel = p
        if open_pixel < 0:
            return True
        chosen, least = -1, 1 << 30
        for k in range(starts[open_pixel], starts[open_pixel + 1]):
            if alive[k]:
                i, j = divmod(open_pixel, BOX)
                cost = _disagreements(bits, size, pieces[k], i, j, first, count)
                if cost < least:
                    chosen, least = k, cost
        choices[depth] = open_pixel, chosen, num_gone[0]
        depth += 1
        for k in range(starts[open_pixel], starts[open_pixel + 1]):
            if alive[k] and k != chosen:
                _remove(puzzle, open_pixel, k)
        waiting[open_pixel] = True
        fits = _take_away(puzzle, waiting, size, count)
        while not fits:
            tries += 1
            if depth == 0 or tries > MOST_TRIES:
                return False
            depth -= 1
            p, k, before = choices[depth]
            _restore(puzzle, before)
            _remove(puzzle, p, k)
            if left[p]:
                waiting[p] = True
                fits = _take_away(puzzle, waiting, size, count)
