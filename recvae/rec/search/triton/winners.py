"""The best candidates of an item so far, in memory: best first, of equal scores the earlier one."""

import triton
import triton.language as tl


@triton.jit
def clear(best, keep, KEEP: tl.constexpr):
    """Bins and ranks of 0, scores of minus infinity."""
    place = tl.arange(0, KEEP)
    zero = tl.zeros([KEEP], tl.int64)
    tl.store(best.scores + place, zero.to(tl.float64) - float("inf"), mask=place < keep)
    tl.store(best.bins + place, zero, mask=place < keep)
    tl.store(best.ranks + place, zero, mask=place < keep)
    tl.debug_barrier()


@triton.jit
def insert(best, keep, least, scores, bins, ranks, KEEP: tl.constexpr, BLOCK: tl.constexpr):
    """Puts a tile's candidates that score above `least` where they belong.

    Returns the score of the last that is kept, which later ones must beat.
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
    scores = tl.load(best.scores + place, mask=there, other=-float("inf"), volatile=True)
    bins = tl.load(best.bins + place, mask=there, other=0, volatile=True)
    ranks = tl.load(best.ranks + place, mask=there, other=0, volatile=True)
    tl.debug_barrier()
    before = scores >= score
    # Those that the new one beats move back by one; the last falls out.
    moves = (place + 1 < keep) & (before == 0)
    tl.store(best.scores + place + 1, scores, mask=moves)
    tl.store(best.bins + place + 1, bins, mask=moves)
    tl.store(best.ranks + place + 1, ranks, mask=moves)
    own = tl.sum(before.to(tl.int32), 0)
    tl.store(best.scores + own, score)
    tl.store(best.bins + own, bin)
    tl.store(best.ranks + own, rank)
    tl.debug_barrier()
    return tl.min(tl.load(best.scores + place, mask=there, other=float("inf"), volatile=True), 0)


@triton.jit
def log2_sigma(log2_ratio, item, nodes):
    """`StretchFunction.log2_sigma`, bit for bit: bits, float64 to the same."""
    height = log2_ratio - tl.load(item.stretch_bottom)
    place = height / tl.load(item.stretch_step)
    last = nodes - 1
    entry = tl.minimum(tl.maximum(place, 0.0), (last - 1).to(tl.float64)).to(tl.int64)
    start = tl.load(item.stretch_table + entry)
    rise = tl.load(item.stretch_table + entry + 1) - start
    inside = start + (place - entry.to(tl.float64)) * rise
    below = tl.load(item.stretch_table) + height
    sigma = tl.where(place >= last.to(tl.float64), float("inf"), inside)
    return tl.where(place <= 0, below, sigma)
