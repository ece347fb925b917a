"""Bounds of the scores of a segment of candidates, in float32.

A candidate starts with the maximum for its bin. Each dimension subtracts what its sample falls
short of that, until the bound is the score, or log2 q/p', up to rounding errors.
"""

import numpy as np

from recvae.exact.gaussian import MANTISSA_BITS
from recvae.jit import inlined, kernel
from recvae.rec.search.numba.constants import SEGMENT, U64

PLACED = U64(4 * SEGMENT)
"""Where positions are stored among the words: after the four of a counter."""

# 1/2 has the exponent 126 in float32.
_ENTRY_SHIFT, _FIRST_ENTRY = np.uint32(23 - MANTISSA_BITS), np.uint32(126 << MANTISSA_BITS)
_ONE_HALF = np.float32(0.5)
_SIGN, _ONES = np.uint32(1 << 31), np.uint32(0xFFFFFFFF)


@kernel
def tabulate_peaks(lower, upper, center, quadratic, linear, step_bits, peaks, losses):
    """Tabulate the maximum of each interval's term of log2 q/p', and the losses relative to it."""
    middle = -0.5 * linear / quadratic
    for i in range(lower.size):
        low, high = lower[i] - center, upper[i] - center
        top = max(low * (quadratic * low + linear), high * (quadratic * high + linear))
        if quadratic < 0.0 and low < middle < high:
            top = 0.5 * linear * middle
        peaks[i], losses[i] = step_bits[i] + top, -top


@inlined
def tabulate_item(plan, item, peaks, losses):
    """`tabulate_peaks` for all dimensions; return the maximum over those without intervals."""
    highest = item.base
    for d in range(item.center.size):
        start, stop = plan.offsets[d], plan.offsets[d + 1]
        tabulate_peaks(
            plan.lower[start:stop], plan.upper[start:stop], item.center[d], item.quadratic[d],
            item.linear[d], item.step_bits[start:stop], peaks[start:stop], losses[start:stop],
        )  # fmt: skip
        highest += peaks[start] if plan.intervals[d] == 1 else 0.0
    return highest


@kernel
def add_losses(digits, kept, width, losses, bounds, kept_digits):
    """Undo `add_peaks` for one dimension of the candidates kept; gather their digits."""
    for i in range(width):
        kept_digits[i] = digits[kept[i]]
        bounds[i] += losses[U64(kept_digits[i])]


@kernel
def place(words, at, digits, width, intervals):
    """Compute positions floor((2^32 digit + u) / J) of the prior's quantiles."""
    log2_intervals = np.uint32(0)
    while U64(1) << U64(log2_intervals) < intervals:
        log2_intervals += np.uint32(1)
    if U64(1) << U64(log2_intervals) == intervals:
        for i in range(width):
            high = np.uint32(digits[i] << (np.uint32(32 - log2_intervals) & np.uint32(31)))
            words[PLACED + U64(i)] = high | np.uint32(
                words[at + U64(i)] >> (log2_intervals & np.uint32(31))
            )
        return
    # Integers below 2^53 are exact in float64, and so is the floor of this quotient: below 2^32 it
    # is rounded by less than 2^-21, and it lies at least 1 / J >= 2^-20 below the next integer.
    for i in range(width):
        x = np.float64(np.int32(digits[i])) * 4294967296.0 + np.float64(words[at + U64(i)])
        from_middle = np.floor(x / np.float64(intervals)) - 2147483648.0
        words[PLACED + U64(i)] = np.uint32(np.int32(from_middle)) ^ _SIGN


@kernel
def find_entries(words, at, width, tails, entries):
    """Compute t + 1/2, t the position in its tail, and the piece that interpolates there."""
    for i in range(width):
        position = words[at + U64(i)]
        tail = min(position, np.uint32(position ^ _ONES))
        height = np.float32(np.float32(np.int32(tail)) + _ONE_HALF)
        tails[i] = height
        entries[i] = np.uint32(height.view(np.uint32) >> _ENTRY_SHIFT) - _FIRST_ENTRY


@kernel
def look_up(table, width, entries, pieces):
    """Look up the pieces of the entries, start and slope of each in one word."""
    for i in range(width):
        pieces[i] = table[entries[i]]


@kernel
def add_gaussian(words, at, tails, pieces, width, center, quadratic, linear, loss, bounds):
    """Replace the maximum of one dimension's s (quadratic s + linear) by its value."""
    for i in range(width):
        magnitude = pieces[2 * i] - pieces[2 * i + 1] * tails[i]
        s = (magnitude if words[at + U64(i)] >= _SIGN else -magnitude) - center
        bounds[i] += s * (quadratic * s + linear) + loss


@kernel
def drop_hopeless(bounds, least, kept, places, width, bins, first_counts):
    """Drop candidates with bounds below `least`; return the number kept, in order."""
    left = 0
    for i in range(width):
        places[left] = U64(i)
        # Written so that NaN is kept.
        left += not bounds[i] < least
    if left == width:
        return left
    for i in range(left):
        place = places[i]
        kept[i], bounds[i] = kept[place], bounds[place]
        bins[i], first_counts[i] = bins[place], first_counts[place]
    return left
