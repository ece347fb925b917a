"""The search of `search_fused`, compiled by numba.

Candidates go through in strips that stay in the first-level cache. Each step is a loop over a strip
of its own: those without table look-ups become vector instructions. What that takes: indices are
unsigned (one that cannot be negative needs no wraparound), and integers become floats from int32 or
uint32 (CPUs without AVX-512 convert 64 bits one by one). Floating-point operations come in the
order of the eager code, and none is contracted. All kernels are in this file, since numba's cache
notices no change of another.
"""

import math

import numpy as np

from recvae.exact.gaussian import FIRST_ENTRY, MANTISSA_BITS, REST_BITS
from recvae.rec import arrivals, philox, randomness
from recvae.rec.compiled import compiled
from recvae.rec.partition import MAX_LOG2_INTERVALS

STRIP = 256
FIRST_STRIP = 16
LINEAR_SEARCH_LIMIT = 64
FIRST_LOG2_SLOTS = 10

ORDERED, UNORDERED, POISSON = range(3)
ARRIVALS = {"ordered": ORDERED, "unordered": UNORDERED, "poisson": POISSON}

_U = np.uint64
_MASK = _U(philox.MASK)
_HALF = _U(32)
_MULTIPLIER0, _MULTIPLIER1 = (_U(m) for m in philox.MULTIPLIERS)
_INCREMENT0, _INCREMENT1 = (_U(i) for i in philox.KEY_INCREMENTS)
_CANDIDATES = _U(randomness.CANDIDATES)
_GOLDEN = _U(0x9E3779B97F4A7C15)

_ENTRY_SHIFT = _U(52 - MANTISSA_BITS)
_FIRST_ENTRY = _U(FIRST_ENTRY)
_REST_MASK = _U(((1 << REST_BITS) - 1) << (52 - MANTISSA_BITS - REST_BITS))
_SIGN = np.uint32(1 << 31)
_MANTISSA_MASK, _ONE_PATTERN = _U(arrivals.MANTISSA_MASK), _U(arrivals.ONE_PATTERN)
_TIME_FRACTION = float(arrivals.TIME_FRACTION_BITS)


_step = compiled()
_inlined = compiled(forceinline=True)


@_inlined
def _philox(c0, c1, c2, c3, k0, k1):
    for _ in range(philox.ROUNDS):
        product0, product1 = _MULTIPLIER0 * c0, _MULTIPLIER1 * c2
        c0, c1, c2, c3 = (
            (product1 >> _HALF) ^ c1 ^ k0,
            product1 & _MASK,
            (product0 >> _HALF) ^ c3 ^ k1,
            product0 & _MASK,
        )
        k0, k1 = (k0 + _INCREMENT0) & _MASK, (k1 + _INCREMENT1) & _MASK
    return c0, c1, c2, c3


@_inlined
def _series_log2(x):
    pattern = np.float64(x).view(np.uint64)
    exponent = np.float64(np.int32(np.int32(pattern >> _U(52)) - 1023))
    mantissa = _U((pattern & _MANTISSA_MASK) | _ONE_PATTERN).view(np.float64)
    large = mantissa > arrivals.SQRT_2
    exponent = exponent + 1.0 if large else exponent
    mantissa = mantissa * 0.5 if large else mantissa
    t = (mantissa - 1.0) / (mantissa + 1.0)
    square = t * t
    series = arrivals.SERIES[0]
    for coefficient in arrivals.SERIES[1:]:
        series = series * square + coefficient
    return exponent + t * series * arrivals.TWO_OVER_LN_2


@_step
def _private_words(first, width, quad, key, words):
    k0, k1 = key[0], key[1]
    for i in range(width):
        c0, c1, c2, c3 = _philox(_U(first) + _U(i), _U(0), quad, _CANDIDATES, k0, k1)
        words[i], words[STRIP + i] = c0, c1
        words[2 * STRIP + i], words[3 * STRIP + i] = c2, c3


@_step
def _shared_words(bins, first_counts, width, quad, key, words):
    k0, k1 = key[0], key[1]
    for i in range(width):
        count = first_counts[i] + quad
        c0, c1, c2, c3 = _philox(
            bins[i] & _MASK, bins[i] >> _HALF, count & _MASK, count >> _HALF, k0, k1
        )
        words[i], words[STRIP + i] = c0, c1
        words[2 * STRIP + i], words[3 * STRIP + i] = c2, c3


@_step
def _arrive(first, width, kind, num_candidates, words, time, log_times):
    """Fills log_times; returns the time of the last of the strip."""
    constant = np.float64(num_candidates if kind == UNORDERED else 1)
    left = np.float64(num_candidates - first)
    for i in range(width):
        exponential_bits = 33.0 - _series_log2(2.0 * np.float64(words[i]) + 1.0)
        factor = num_candidates / (left - np.float64(np.int32(i)))
        factor = factor if kind == ORDERED else constant
        log_times[i] = exponential_bits * arrivals.NATS_TO_TIME * factor
    for i in range(width):
        since_last = np.int64(log_times[i]) + 1
        time = since_last if kind == UNORDERED else time + since_last
        log_times[i] = np.float64(time)
    for i in range(width):
        log_times[i] = _series_log2(log_times[i]) - _TIME_FRACTION
    return time


@_step
def _find_intervals(uniforms, width, ladder, digits):
    """Interval of each uniform: how many rungs, but for the first, are not above it."""
    bottom, last = ladder[0], np.uint32(ladder.size - 1)
    digits[:width] = 0
    if ladder.size <= LINEAR_SEARCH_LIMIT:
        for rung in range(1, ladder.size):
            if ladder[rung] - bottom > philox.MASK:
                break
            threshold = np.uint32(ladder[rung] - bottom)
            for i in range(width):
                digits[i] += np.uint32(uniforms[i] >= threshold)
        return
    for level in range(MAX_LOG2_INTERVALS, -1, -1):
        for i in range(width if 1 << level < ladder.size else 0):
            middle = np.uint32(digits[i] + np.uint32(1 << level))
            rung = ladder[min(middle, last)] - bottom
            digits[i] = middle if (middle <= last) & (rung <= uniforms[i]) else digits[i]


@_step
def _enter_intervals(digits, width, stride, step_bits, bins, ratios):
    for i in range(width):
        bins[i] += _U(digits[i]) * stride
    for i in range(width):
        ratios[i] += step_bits[_U(digits[i])]


@_step
def _rank_within_bin(bins, width, slots, counts, shift, ranks):
    """Ranks by a hash table with open addressing; returns how many bins were new to it."""
    last = _U(slots.size - 1)
    new = 0
    for i in range(width):
        slot = (bins[i] * _GOLDEN) >> shift
        while counts[slot] != 0 and slots[slot] != bins[i]:
            slot = (slot + _U(1)) & last
        slots[slot] = bins[i]
        new += counts[slot] == 0
        ranks[i] = _U(counts[slot])
        counts[slot] += 1
    return new


@_step
def _grow(slots, counts):
    """The hash table with twice the slots."""
    log2_slots = 1
    while 1 << log2_slots <= slots.size:
        log2_slots += 1
    shift, last = _U(64 - log2_slots), _U(2 * slots.size - 1)
    new_slots = np.empty(2 * slots.size, np.uint64)
    new_counts = np.zeros(2 * slots.size, np.int32)
    for old in range(slots.size):
        if counts[old] != 0:
            slot = (slots[old] * _GOLDEN) >> shift
            while new_counts[slot] != 0:
                slot = (slot + _U(1)) & last
            new_slots[slot], new_counts[slot] = slots[old], counts[old]
    return new_slots, new_counts, shift


@_step
def _center(uniforms, digits, width, intervals, heights):
    """Positions less their middle, 2^31 - 1/2: the heights have the sign of z."""
    if intervals == 1.0:
        for i in range(width):
            heights[i] = np.float64(np.int32(uniforms[i] ^ _SIGN)) + 0.5
        return
    # Integers below 2^53 are exact in float64, and so is the floor of this quotient: below 2^32 it
    # is rounded by less than 2^-21, and it lies at least 1 / J >= 2^-20 below the next integer.
    for i in range(width):
        x = np.float64(np.int32(digits[i])) * 4294967296.0 + np.float64(uniforms[i])
        heights[i] = np.floor(x / intervals) - 2147483647.5


@_step
def _find_entries(heights, width, entries, rests):
    """Entries of the Gaussian table, and 2^-31 times what interpolates to the next one."""
    for i in range(width):
        # t + 1/2, t the position in its tail.
        pattern = np.float64(2147483648.0 - abs(heights[i])).view(np.uint64)
        entries[i] = (pattern >> _ENTRY_SHIFT) - _FIRST_ENTRY
        rests[i] = _U((pattern & _REST_MASK) | _ONE_PATTERN).view(np.float64) - 1.0


@_step
def _look_up(starts_and_drops, width, entries, starts, drops):
    for i in range(width):
        place = entries[i] << _U(1)
        starts[i], drops[i] = starts_and_drops[place], starts_and_drops[place + _U(1)]


@_step
def _add_gaussian(heights, rests, starts, drops, width, center, quadratic, linear, ratios):
    """Adds one dimension's s (quadratic s + linear)."""
    for i in range(width):
        # All exact: integers below 2^46 with a scale.
        magnitude = np.float64(starts[i]) - np.floor(np.float64(drops[i]) * rests[i])
        s = math.copysign(magnitude, heights[i]) - center
        ratios[i] += s * (quadratic * s + linear)


@_step
def _keep_best(ratios, log_times, bins, ranks, width, log2_sup, best_scores, best_bins, best_ranks):
    """Inserts a strip into the lists of the best so far; at equal scores the earlier one leads.

    Returns how many it took until no later one could lead, or 0.
    """
    last = best_scores.size - 1
    for i in range(width):
        score = ratios[i] - log_times[i]
        if score > best_scores[last]:
            place = last
            while place > 0 and score > best_scores[place - 1]:
                best_scores[place] = best_scores[place - 1]
                best_bins[place] = best_bins[place - 1]
                best_ranks[place] = best_ranks[place - 1]
                place -= 1
            best_scores[place] = score
            best_bins[place] = np.int64(bins[i])
            best_ranks[place] = np.int64(ranks[i])
        if best_scores[0] >= log2_sup - log_times[i]:
            return i + 1
    return 0


@_inlined
def _log2_sigma(log2_ratio, bottom, step, table):
    """Stretch.log2_sigma for one candidate."""
    height, last = log2_ratio - bottom, np.int64(table.size - 1)
    place = height / step
    if place <= 0.0:
        return table[0] + height
    if place >= np.float64(last):
        return np.inf
    entry = min(np.int64(place), last - 1)
    return table[entry] + (place - entry) * (table[entry + 1] - table[entry])


@_step
def _accept_first(
    ratios, log_times, bins, ranks, width, stretch, best_scores, best_bins, best_ranks
):
    """Takes the first of a strip that arrives before sigma(r), or the best; returns its number."""
    bottom, step, table = stretch
    for i in range(width):
        accepted = log_times[i] < _log2_sigma(ratios[i], bottom, step, table)
        score = np.inf if accepted else ratios[i] - log_times[i]
        if score > best_scores[0]:
            best_scores[0] = score
            best_bins[0] = np.int64(bins[i])
            best_ranks[0] = np.int64(ranks[i])
        if accepted:
            return i + 1
    return 0


@compiled(nogil=True)
def search_items(
    num_candidates, kind, intervals, strides, cut, starts, table, stretch_bottom, stretch_step,
    stretch_table, private, shared, ladder, step_bits, base, center, quadratic, linear, log2_sup,
    row, best_bins, best_ranks, best_scores, drawn, capped,
):  # fmt: skip
    """Searches all items of the arrays; fills the last five, best candidate first.

    Takes the winner of the race or, given a stretch function, the first candidate accepted by it.
    """
    batch, dim = center.shape
    slots = np.empty(1 << FIRST_LOG2_SLOTS, np.uint64)
    counts = np.zeros(slots.size, np.int32)
    shift = _U(64 - FIRST_LOG2_SLOTS)
    quads = _U((dim + 3) // 4)
    words = np.empty(4 * STRIP, np.uint32)
    digits = np.zeros((dim, STRIP), np.uint32)
    bins, ranks = np.zeros(STRIP, np.uint64), np.empty(STRIP, np.uint64)
    first_counts, entries = np.empty(STRIP, np.uint64), np.empty(STRIP, np.uint64)
    heights, rests = np.empty(STRIP, np.float64), np.empty(STRIP, np.float64)
    from_z, drops = np.empty(STRIP, np.int32), np.empty(STRIP, np.int32)
    ratios, log_times = np.empty(STRIP, np.float64), np.empty(STRIP, np.float64)

    for item in range(batch):
        counts[:] = 0
        time, used, first, end = 0, 0, 0, 0
        best = best_scores[item], best_bins[item], best_ranks[item]
        while end == 0 and first < num_candidates:
            # A race that may end soon starts with short strips.
            longest = max(first, FIRST_STRIP) if kind == POISSON else STRIP
            width = min(STRIP, longest, num_candidates - first)
            _private_words(first, width, _U(0), private[item], words)
            time = _arrive(first, width, kind, num_candidates, words, time, log_times)
            bins[:] = 0
            ratios[:] = base[item]
            for position in range(cut.size):
                word = position + 1
                if word % 4 == 0:
                    _private_words(first, width, _U(word // 4), private[item], words)
                d, start, stop = cut[position], starts[position], starts[position + 1]
                uniforms = words[word % 4 * STRIP :]
                _find_intervals(uniforms, width, ladder[item, start:stop], digits[d])
                _enter_intervals(
                    digits[d], width, strides[d], step_bits[item, start:stop], bins, ratios
                )
            if cut.size:
                while 2 * (used + width) > slots.size:
                    slots, counts, shift = _grow(slots, counts)
                used += _rank_within_bin(bins, width, slots, counts, shift, ranks)
            else:
                for i in range(width):
                    ranks[i] = _U(first + i)
            for i in range(width):
                first_counts[i] = ranks[i] * quads
            for d in range(dim):
                if d % 4 == 0:
                    _shared_words(bins, first_counts, width, _U(d // 4), shared[item], words)
                uniforms = words[d % 4 * STRIP :]
                _center(uniforms, digits[d], width, intervals[d], heights)
                _find_entries(heights, width, entries, rests)
                _look_up(table, width, entries, from_z, drops)
                mean, square, slope = center[item, d], quadratic[item, d], linear[item, d]
                _add_gaussian(heights, rests, from_z, drops, width, mean, square, slope, ratios)
            if stretch_table.size:
                of_row = (
                    stretch_bottom[row[item]],
                    stretch_step[row[item]],
                    stretch_table[row[item]],
                )
                end = _accept_first(ratios, log_times, bins, ranks, width, of_row, *best)
            else:
                end = _keep_best(ratios, log_times, bins, ranks, width, log2_sup[item], *best)
            drawn[item] = first + (end if end else width)
            first += width
        capped[item] = end == 0 and kind == POISSON
