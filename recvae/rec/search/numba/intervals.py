"""The bins of a segment of candidates, and the ranks within them."""

import numpy as np

from recvae.jit import inlined, kernel
from recvae.rec import philox
from recvae.rec.partition import MAX_LOG2_INTERVALS
from recvae.rec.search.numba.constants import U64

FIRST_LOG2_SLOTS = 10
FEW = 4
LINEAR_SEARCH_LIMIT = 64

_GOLDEN = U64(0x9E3779B97F4A7C15)


@inlined
def _just_below(bin_cdf, edge):
    """The largest word below an edge; the largest word of all if none reaches it."""
    none = np.int64(philox.MASK)
    return np.uint32(min(bin_cdf[edge] - bin_cdf[0] - 1, none) if edge < bin_cdf.size else none)


@inlined
def _count_passed(word, below0, below1, below2):
    return np.uint32(np.uint32(word > below0) + np.uint32(word > below1) + np.uint32(word > below2))


@kernel
def find_intervals(words, at, width, bin_cdf, digits):
    """Interval of each uniform: the number of edges not above it, without the first."""
    bottom, last = bin_cdf[0], np.uint32(bin_cdf.size - 1)
    if bin_cdf.size <= LINEAR_SEARCH_LIMIT:
        for edge in range(1, bin_cdf.size, 3):
            below0 = _just_below(bin_cdf, edge)
            below1, below2 = _just_below(bin_cdf, edge + 1), _just_below(bin_cdf, edge + 2)
            if edge == 1:
                for i in range(width):
                    digits[i] = _count_passed(words[at + U64(i)], below0, below1, below2)
            else:
                for i in range(width):
                    digits[i] += _count_passed(words[at + U64(i)], below0, below1, below2)
        return
    digits[:width] = 0
    for level in range(MAX_LOG2_INTERVALS, -1, -1):
        for i in range(width if 1 << level < bin_cdf.size else 0):
            middle = np.uint32(digits[i] + np.uint32(1 << level))
            edge = bin_cdf[min(middle, last)] - bottom
            digits[i] = middle if (middle <= last) & (edge <= words[at + U64(i)]) else digits[i]


@kernel
def enter_few_intervals(words, at, width, bin_cdf, peaks, digits, bounds):
    """`find_intervals` and `add_peaks` for at most four intervals, without a look-up."""
    below0, below1 = _just_below(bin_cdf, 1), _just_below(bin_cdf, 2)
    below2 = _just_below(bin_cdf, 3)
    peak = peaks[0]
    step0 = peaks[1] - peak
    step1 = peaks[2] - peaks[1] if bin_cdf.size > 2 else np.float32(0)
    step2 = peaks[3] - peaks[2] if bin_cdf.size > 3 else np.float32(0)
    none = np.float32(0)
    for i in range(width):
        word = words[at + U64(i)]
        digits[i] = _count_passed(word, below0, below1, below2)
        first = (step0 if word > below0 else none) + (step1 if word > below1 else none)
        bounds[i] += peak + (first + (step2 if word > below2 else none))


@kernel
def add_peaks(digits, width, peaks, bounds):
    """Add the maximum for each candidate's interval; see `screen.tabulate_peaks`."""
    for i in range(width):
        bounds[i] += peaks[U64(digits[i])]


@kernel
def number_bins(digits, width, stride, bins):
    """Add one dimension to the flat numbers of bins."""
    for i in range(width):
        bins[i] += U64(digits[i]) * stride


@kernel
def rank_within_bin(bins, width, slots, counts, shift, ranks):
    """Compute ranks by a hash table with open addressing; return the number of new bins."""
    last = U64(slots.size - 1)
    new = 0
    for i in range(width):
        slot = (bins[i] * _GOLDEN) >> shift
        # Taken by another bin: one comparison, since CPUs cannot predict the first.
        while min(U64(counts[slot]), slots[slot] ^ bins[i]) != U64(0):
            slot = (slot + U64(1)) & last
        slots[slot] = bins[i]
        new += counts[slot] == 0
        ranks[i] = U64(counts[slot])
        counts[slot] += 1
    return new


@kernel
def grow(slots, counts):
    """Return the hash table with twice the slots."""
    log2_slots = 1
    while 1 << log2_slots <= slots.size:
        log2_slots += 1
    shift, last = U64(64 - log2_slots), U64(2 * slots.size - 1)
    new_slots = np.empty(2 * slots.size, np.uint64)
    new_counts = np.zeros(2 * slots.size, np.int32)
    for old in range(slots.size):
        if counts[old] != 0:
            slot = (slots[old] * _GOLDEN) >> shift
            while new_counts[slot] != 0:
                slot = (slot + U64(1)) & last
            new_slots[slot], new_counts[slot] = slots[old], counts[old]
    return new_slots, new_counts, shift
