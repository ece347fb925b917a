"""The private draws of a tile of candidates: bins and arrival times, as in `rec.randomness`."""

import triton
import triton.language as tl
from triton.language.random import philox_impl

from recvae.rec import arrivals, randomness

ORDERED, UNORDERED, POISSON = (tl.constexpr(kind) for kind in range(3))

ROW = tl.constexpr(8)
"""Entries of the plan for a private word: step, intervals, start, stride, shift, mask; and for a
dimension: intervals, magic, start, shift, mask. See `plan.partition_table`."""

_CANDIDATES = tl.constexpr(randomness.CANDIDATES)
_MANTISSA_MASK = tl.constexpr(arrivals.MANTISSA_MASK)
_ONE_PATTERN = tl.constexpr(arrivals.ONE_PATTERN)
_SQRT_2 = tl.constexpr(arrivals.SQRT_2)
_TWO_OVER_LN_2 = tl.constexpr(arrivals.TWO_OVER_LN_2)
_SERIES_0, _SERIES_1, _SERIES_2, _SERIES_3, _SERIES_4 = map(tl.constexpr, arrivals.SERIES)
_NATS_TO_TIME = tl.constexpr(arrivals.NATS_TO_TIME)
_TIME_FRACTION_BITS = tl.constexpr(float(arrivals.TIME_FRACTION_BITS))


@triton.jit
def series_log2(x):
    """Bit-identical to `arrivals.series_log2`: float64 to the same."""
    pattern = x.to(tl.int64, bitcast=True)
    exponent = ((pattern >> 52) - 1023).to(tl.float64)
    mantissa = ((pattern & _MANTISSA_MASK) | _ONE_PATTERN).to(tl.float64, bitcast=True)
    # A constant in a comparison, unlike in an addition, would be rounded to float32.
    large = mantissa > tl.full([], _SQRT_2, tl.float64)
    exponent = tl.where(large, exponent + 1.0, exponent)
    mantissa = tl.where(large, mantissa * 0.5, mantissa)
    t = (mantissa - 1.0) / (mantissa + 1.0)
    square = t * t
    series = _SERIES_0 * square + _SERIES_1
    series = series * square + _SERIES_2
    series = series * square + _SERIES_3
    series = series * square + _SERIES_4
    return exponent + t * series * _TWO_OVER_LN_2


@triton.jit
def log2_times(times):
    """Bit-identical to `arrivals.log2_times`: int64 in units of 2^-32 to float64 bits."""
    return series_log2(times.to(tl.float64)) - _TIME_FRACTION_BITS


@triton.jit
def since_last(words, candidates, num_candidates, ARRIVALS: tl.constexpr):
    """Times since the previous candidate, or since 0 if unordered; int64."""
    exponential_bits = 33.0 - series_log2((2 * words.to(tl.int64) + 1).to(tl.float64))
    times = exponential_bits * _NATS_TO_TIME
    if ARRIVALS == UNORDERED:
        times = times * num_candidates.to(tl.float64)
    if ARRIVALS == ORDERED:
        # A tile may extend beyond the last candidate.
        left = tl.maximum(num_candidates - candidates.to(tl.int64), 1)
        times = times * (num_candidates.to(tl.float64) / left.to(tl.float64))
    return times.to(tl.int64) + 1


@triton.jit
def draw_bins(candidates, key0, key1, edges, plan, quads, DIGIT_WORDS: tl.constexpr):
    """Words for the times, and bins of candidates, uint32.

    Returns the words; flat bins, int64; and the digits of the bins packed into DIGIT_WORDS of two
    uint64, 0 if no dimension is cut.
    """
    zero = candidates * 0
    time_words, w1, w2, w3 = _private_words(candidates, 0, key0, key1)
    bins = zero.to(tl.int64)
    low = zero.to(tl.uint64)
    high = low
    if DIGIT_WORDS:
        bins, low, high = _enter(w1, plan + ROW, edges, bins, low, high, DIGIT_WORDS)
        bins, low, high = _enter(w2, plan + 2 * ROW, edges, bins, low, high, DIGIT_WORDS)
        bins, low, high = _enter(w3, plan + 3 * ROW, edges, bins, low, high, DIGIT_WORDS)
        for quad in range(1, quads):
            w0, w1, w2, w3 = _private_words(candidates, quad, key0, key1)
            row = plan + 4 * ROW * quad
            bins, low, high = _enter(w0, row, edges, bins, low, high, DIGIT_WORDS)
            bins, low, high = _enter(w1, row + ROW, edges, bins, low, high, DIGIT_WORDS)
            bins, low, high = _enter(w2, row + 2 * ROW, edges, bins, low, high, DIGIT_WORDS)
            bins, low, high = _enter(w3, row + 3 * ROW, edges, bins, low, high, DIGIT_WORDS)
    return time_words, bins, low, high


@triton.jit
def _private_words(candidates, quad, key0, key1):
    zero = candidates * 0
    return philox_impl(candidates, zero, zero + quad, zero + _CANDIDATES, key0, key1)


@triton.jit
def _enter(word, row, edges, bins, low, high, DIGIT_WORDS: tl.constexpr):
    """Add the dimension drawn by a word, finding its interval by binary search."""
    step = tl.load(row).to(tl.int32)
    intervals, start = tl.load(row + 1).to(tl.int32), tl.load(row + 2)
    stride, shift = tl.load(row + 3), tl.load(row + 4)
    digit = (word * 0).to(tl.int32)
    while step > 0:
        middle = digit + step
        inside = middle < intervals
        edge = tl.load(edges + start + middle, mask=inside, other=0).to(tl.uint32, bitcast=True)
        digit = tl.where(inside & (edge <= word), middle, digit)
        step = step >> 1
    digit = digit.to(tl.int64)
    bins += digit * stride
    if DIGIT_WORDS == 1 or shift < 64:
        low |= digit.to(tl.uint64) << shift.to(tl.uint64)
    else:
        high |= digit.to(tl.uint64) << (shift - 64).to(tl.uint64)
    return bins, low, high
