"""The best candidates of an item so far, in memory: best first, ties in order of arrival."""

import triton
import triton.language as tl


@triton.jit
def clear(best, keep, KEEP: tl.constexpr):
    """Set scores to minus infinity, bins and ranks to 0: (3, keep) int64, scores as bits."""
    place = tl.arange(0, KEEP)
    zero = tl.zeros([KEEP], tl.int64)
    nothing = tl.full([KEEP], -float("inf"), tl.float64).to(tl.int64, bitcast=True)
    tl.store(best + place, nothing, mask=place < keep)
    tl.store(best + keep + place, zero, mask=place < keep)
    tl.store(best + 2 * keep + place, zero, mask=place < keep)
    tl.debug_barrier()


@triton.jit
def insert(best, keep, least, scores, bins, ranks, KEEP: tl.constexpr, BLOCK: tl.constexpr):
    """Insert a tile's candidates that score above `least` in order.

    Returns the score of the last one kept, which later ones must exceed.
    """
    lane = tl.arange(0, BLOCK)
    highest = tl.max(scores, 0)
    while highest > least:
        i = tl.min(tl.where(scores == highest, lane, BLOCK), 0)
        bin = tl.sum(tl.where(lane == i, bins, 0), 0)
        rank = tl.sum(tl.where(lane == i, ranks, 0), 0)
        least = _insert_one(best, keep, highest, bin, rank, KEEP)
        scores = tl.where(lane == i, -float("inf"), scores)
        highest = tl.max(scores, 0)
    return least


@triton.jit
def _insert_one(best, keep, score, bin, rank, KEEP: tl.constexpr):
    place = tl.arange(0, KEEP)
    there = place < keep
    bits = tl.load(best + place, mask=there, other=0, volatile=True)
    bins = tl.load(best + keep + place, mask=there, other=0, volatile=True)
    ranks = tl.load(best + 2 * keep + place, mask=there, other=0, volatile=True)
    scores = tl.where(there, bits.to(tl.float64, bitcast=True), -float("inf"))
    tl.debug_barrier()
    before = scores >= score
    # Those that the new one beats move back by one; the last drops out.
    moves = (place + 1 < keep) & (before == 0)
    tl.store(best + place + 1, bits, mask=moves)
    tl.store(best + keep + place + 1, bins, mask=moves)
    tl.store(best + 2 * keep + place + 1, ranks, mask=moves)
    own = tl.sum(before.to(tl.int32), 0)
    tl.store(best + own, score.to(tl.int64, bitcast=True))
    tl.store(best + keep + own, bin)
    tl.store(best + 2 * keep + own, rank)
    tl.debug_barrier()
    return tl.load(best + keep - 1, volatile=True).to(tl.float64, bitcast=True)


@triton.jit
def log2_sigma(log2_ratio, bottom, step, table, nodes):
    """Bit-identical to `StretchFunction.log2_sigma`: bits, float64 to the same."""
    height = log2_ratio - bottom
    place = height / step
    last = nodes - 1
    entry = tl.minimum(tl.maximum(place, 0.0), (last - 1).to(tl.float64)).to(tl.int64)
    start = tl.load(table + entry)
    rise = tl.load(table + entry + 1) - start
    inside = start + (place - entry.to(tl.float64)) * rise
    below = tl.load(table) + height
    sigma = tl.where(place >= last.to(tl.float64), float("inf"), inside)
    return tl.where(place <= 0, below, sigma)
