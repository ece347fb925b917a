"""log2 q/p' of a tile of candidates: in float32 for the screen, in float64 as in the eager code."""

import triton
import triton.language as tl
from triton.language.random import philox_impl

from recvae.exact import gaussian
from recvae.rec.search.triton.draws import ROW

HEAD = tl.constexpr(8)
"""Entries before the terms of dimensions in an item's doubles: base, error, log2_sup, and bottom,
step and row of its stretch function."""

_ONES, _MIDDLE = tl.constexpr(0xFFFFFFFF), tl.constexpr(1 << 31)
# 1/2 has the exponent 126 in float32.
_PIECE_SHIFT = tl.constexpr(23 - gaussian.MANTISSA_BITS)
_FIRST_PIECE = tl.constexpr(126 << gaussian.MANTISSA_BITS)
_FIRST_ENTRY = tl.constexpr(gaussian.FIRST_ENTRY)
_ENTRY_SHIFT = tl.constexpr(52 - gaussian.MANTISSA_BITS)
_REST_BITS = tl.constexpr(gaussian.REST_BITS)
_REST_SHIFT = tl.constexpr(52 - gaussian.MANTISSA_BITS - gaussian.REST_BITS)
_REST_MASK = tl.constexpr((1 << gaussian.REST_BITS) - 1)


@triton.jit
def _shared_words(bins, count, key0, key1):
    return philox_impl(
        bins.to(tl.uint32), (bins >> 32).to(tl.uint32), count.to(tl.uint32),
        (count >> 32).to(tl.uint32), key0, key1,
    )  # fmt: skip


@triton.jit
def _digit(shift, mask, low, high, DIGIT_WORDS: tl.constexpr):
    """A dimension's interval, from the packed digits."""
    digit = low >> (shift & 63).to(tl.uint64)
    if DIGIT_WORDS == 2:
        digit = tl.where(shift < 64, digit, high >> (shift & 63).to(tl.uint64))
    return (digit & mask.to(tl.uint64)).to(tl.int64)


@triton.jit
def _place(word, digit, intervals, magic):
    """Positions floor((2^32 digit + u) / J) of the prior's quantiles, uint32."""
    x = (digit.to(tl.uint64) << 32) | word.to(tl.uint64)
    # With magic = (2^64 + e) / J, e < J <= 2^20, the product exceeds x / J by less than 2^-12: its
    # floor is at most one too large, and then the remainder, in 32 bits, is negative.
    position = tl.umulhi(x, x * 0 + magic.to(tl.uint64, bitcast=True)).to(tl.uint32)
    remainder = (word - position * intervals.to(tl.uint32)).to(tl.int32, bitcast=True)
    return position - (remainder < 0).to(tl.uint32)


@triton.jit
def screen(
    bins, ranks, low, high, key0, key1, base, singles, dimensions, pieces, quads,
    DIGIT_WORDS: tl.constexpr,
):  # fmt: skip
    """log2 q/p' in float32, within the item's error."""
    ratio = base.to(tl.float32) + (bins * 0).to(tl.float32)
    steps = singles + 12 * quads
    for quad in range(quads):
        w0, w1, w2, w3 = _shared_words(bins, ranks * quads + quad, key0, key1)
        ratio = _add_screened(
            ratio, w0, 4 * quad, low, high, singles, steps, dimensions, pieces, DIGIT_WORDS
        )
        ratio = _add_screened(
            ratio, w1, 4 * quad + 1, low, high, singles, steps, dimensions, pieces, DIGIT_WORDS
        )
        ratio = _add_screened(
            ratio, w2, 4 * quad + 2, low, high, singles, steps, dimensions, pieces, DIGIT_WORDS
        )
        ratio = _add_screened(
            ratio, w3, 4 * quad + 3, low, high, singles, steps, dimensions, pieces, DIGIT_WORDS
        )
    return ratio


@triton.jit
def _add_screened(
    ratio, word, d, low, high, singles, steps, dimensions, pieces, DIGIT_WORDS: tl.constexpr
):  # fmt: skip
    position = word
    if DIGIT_WORDS:
        row = dimensions + d * ROW
        intervals = tl.load(row)
        if intervals > 1:
            digit = _digit(tl.load(row + 3), tl.load(row + 4), low, high, DIGIT_WORDS)
            ratio += tl.load(steps + tl.load(row + 2) + digit).to(tl.float32, bitcast=True)
            position = _place(word, digit, intervals, tl.load(row + 1))
    upper = position >= _MIDDLE
    tail = tl.where(upper, position ^ _ONES, position).to(tl.int32)
    height = tail.to(tl.float32) + 0.5
    entry = (height.to(tl.int32, bitcast=True) >> _PIECE_SHIFT) - _FIRST_PIECE
    piece = tl.load(pieces + entry)
    start = piece.to(tl.int32).to(tl.float32, bitcast=True)
    slope = (piece >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    magnitude = tl.fma(-slope, height, start)
    # Padding is 0 and adds nothing.
    center = tl.load(singles + 3 * d).to(tl.float32, bitcast=True)
    quadratic = tl.load(singles + 3 * d + 1).to(tl.float32, bitcast=True)
    linear = tl.load(singles + 3 * d + 2).to(tl.float32, bitcast=True)
    s = tl.where(upper, magnitude, -magnitude) - center
    return tl.fma(s, tl.fma(s, s * 0 + quadratic, s * 0 + linear), ratio)


@triton.jit
def exact(
    bins, ranks, low, high, key0, key1, doubles, words, dimensions, quantiles, cut, quads, dim,
    DIGIT_WORDS: tl.constexpr,
):  # fmt: skip
    """Bit-identical to `Proposal.log2_ratio`."""
    ratio = tl.load(doubles) + (bins * 0).to(tl.float64)
    if DIGIT_WORDS:
        for position in range(cut):
            row = words + (position + 1) * ROW
            digit = _digit(tl.load(row + 4), tl.load(row + 5), low, high, DIGIT_WORDS)
            ratio += tl.load(doubles + HEAD + 3 * dim + tl.load(row + 2) + digit)
    terms = doubles + HEAD
    for quad in range(quads):
        w0, w1, w2, w3 = _shared_words(bins, ranks * quads + quad, key0, key1)
        ratio = _add_exact(
            ratio, w0, 4 * quad, low, high, terms, dimensions, quantiles, dim, DIGIT_WORDS
        )
        ratio = _add_exact(
            ratio, w1, 4 * quad + 1, low, high, terms, dimensions, quantiles, dim, DIGIT_WORDS
        )
        ratio = _add_exact(
            ratio, w2, 4 * quad + 2, low, high, terms, dimensions, quantiles, dim, DIGIT_WORDS
        )
        ratio = _add_exact(
            ratio, w3, 4 * quad + 3, low, high, terms, dimensions, quantiles, dim, DIGIT_WORDS
        )
    return ratio


@triton.jit
def _add_exact(
    ratio, word, d, low, high, terms, dimensions, quantiles, dim, DIGIT_WORDS: tl.constexpr
):  # fmt: skip
    if d < dim:
        position = word
        if DIGIT_WORDS:
            row = dimensions + d * ROW
            intervals = tl.load(row)
            if intervals > 1:
                digit = _digit(tl.load(row + 3), tl.load(row + 4), low, high, DIGIT_WORDS)
                position = _place(word, digit, intervals, tl.load(row + 1))
        s = _quantile(position, quantiles).to(tl.float64) - tl.load(terms + 3 * d)
        ratio += s * (tl.load(terms + 3 * d + 1) * s + tl.load(terms + 3 * d + 2))
    return ratio


@triton.jit
def _quantile(position, table):
    """`exact.gaussian.quantile` of uint32 positions; int64 in units of 2^-28."""
    upper = position >= _MIDDLE
    tail = tl.where(upper, position ^ _ONES, position)
    pattern = (tail.to(tl.float64) + 0.5).to(tl.int64, bitcast=True)
    entry = (pattern >> _ENTRY_SHIFT) - _FIRST_ENTRY
    rest = (pattern >> _REST_SHIFT) & _REST_MASK
    start = tl.load(table + entry).to(tl.int64)
    magnitude = start - ((start - tl.load(table + entry + 1).to(tl.int64)) * rest >> _REST_BITS)
    return tl.where(upper, magnitude, -magnitude)
