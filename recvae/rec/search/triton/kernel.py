"""The search of one item by one program, a tile of candidates at a time.

    for each tile
        draw times and bins; count the ranks
        screen: log2 q/p' in float32
        if one of them may lead, or end the search
            score those as the eager code does, in float64; keep the best

Only the scores in float64 count, so the codes are the eager ones. An item's numbers are contiguous,
so that few addresses are held in registers.
"""

from collections import namedtuple

import triton
import triton.language as tl

from recvae.rec.search.triton import ranks as rank_table
from recvae.rec.search.triton import winners
from recvae.rec.search.triton.draws import ROW, UNORDERED, draw_bins, log2_times, since_last
from recvae.rec.search.triton.scores import HEAD, exact, screen

RACE, TO_END, ACCEPT = (tl.constexpr(rule) for rule in range(3))

CAPPED, ENDED, TABLE_FULL = range(3)
_CAPPED, _ENDED, _TABLE_FULL = (tl.constexpr(outcome) for outcome in range(3))

LOG2_TIME_ERROR = tl.constexpr(2.0**-10)
"""A bound on the error of the screen's logarithms of times, in bits."""

Plan = namedtuple("Plan", "table quantiles")
"""The data that all items share: see `plan`."""

Items = namedtuple("Items", "keys singles doubles sigma")
"""Tables with a row for each item.

keys: private low, high, shared low, high; int64. singles, int32 holding other types' bits: center,
quadratic and linear of each dimension in float32, padded to whole counters; step_bits in float32;
edges of intervals in uint32. doubles: the entries of `scores.HEAD`; center, quadratic and linear of
each dimension; step_bits. sigma: rows of a `StretchFunction`'s table, shared by items.
"""

Given = namedtuple("Given", "times ranks")
"""Results of other kernels for each candidate, (items, num_candidates) int64."""


@triton.jit
def _maximum(a, b):
    return tl.maximum(a, b)


@triton.jit
def _may_count(
    ratios, log2_near, least, error, bottom, step, sigma, nodes, RULE: tl.constexpr
):  # fmt: skip
    """Which of a tile's candidates may lead, or be accepted, according to the screen."""
    # Written so that NaN counts.
    highest = (ratios - log2_near).to(tl.float64) + (error + LOG2_TIME_ERROR)
    may_count = (highest < least) == 0
    if RULE == ACCEPT:
        most = winners.log2_sigma(ratios.to(tl.float64) + error, bottom, step, sigma, nodes)
        may_count = may_count | (log2_near.to(tl.float64) - LOG2_TIME_ERROR < most)
    return may_count


@triton.jit
def _scores(
    ratios, log2_arrivals, may_count, valid, least, log2_sup, bottom, step, sigma, nodes,
    RULE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Scores of those that count, minus infinity for others; the end of the search, or BLOCK."""
    lane = tl.arange(0, BLOCK)
    scores = ratios - log2_arrivals
    if RULE == RACE:
        return tl.where(may_count, scores, -float("inf")), tl.full([], BLOCK, tl.int32)
    if RULE == TO_END:
        scores = tl.where(may_count, scores, -float("inf"))
        running = tl.maximum(tl.associative_scan(scores, 0, _maximum), least)
        over = valid & (running >= log2_sup - log2_arrivals)
    else:
        over = may_count & (log2_arrivals < winners.log2_sigma(ratios, bottom, step, sigma, nodes))
        scores = tl.where(over, float("inf"), scores)
    last = tl.min(tl.where(over, lane, BLOCK), 0)
    # No candidate after the end wins.
    return tl.where(may_count & (lane <= last), scores, -float("inf")), last


_SIZES = ["rows", "chunks", "chunk", "num_candidates", "total", "dim", "cut", "keep", "nodes"]
_TABLE_SIZES = ["slots", "room", "factor", "shift"]


@triton.jit(do_not_specialize=[*_SIZES, *_TABLE_SIZES])
def search_rows(
    best, num_drawn, outcome, plan, items, table, given, rows, chunks, chunk, num_candidates, total,
    dim, cut, keep, nodes, slots, room, factor: tl.int64, shift, RULE: tl.constexpr,
    ARRIVALS: tl.constexpr, DIGIT_WORDS: tl.constexpr, GIVEN: tl.constexpr, KEEP: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Search rows: each is a chunk of an item's candidates, all of them if chunks is 1.

    best: (rows, 3, keep), see `winners`. room: the most bins that a table may hold between tiles.
    DIGIT_WORDS: see `draws.draw_bins`. GIVEN: whether times and ranks are given. KEEP: a power of
    two, at least keep.
    """
    lane = tl.arange(0, BLOCK)
    private_quads, quads = (cut + 4) // 4, (dim + 3) // 4
    words, dimensions = plan.table, plan.table + 4 * ROW * private_quads
    pieces = dimensions + 4 * ROW * quads
    program = tl.program_id(0).to(tl.int64)
    slots_here = table + rank_table.SLOT * program * slots
    for row in range(program, rows, tl.num_programs(0)):
        n = row // chunks
        own = best + row * 3 * keep
        singles = items.singles + n * (12 * quads + 2 * total)
        doubles = items.doubles + n * (HEAD + 3 * dim + total)
        edges = singles + 12 * quads + total
        winners.clear(own, keep, KEEP)
        if DIGIT_WORDS and not GIVEN:
            rank_table.clear(slots_here, slots, BLOCK)
        private0 = tl.load(items.keys + 4 * n).to(tl.uint32)
        private1 = tl.load(items.keys + 4 * n + 1).to(tl.uint32)
        shared0 = tl.load(items.keys + 4 * n + 2).to(tl.uint32)
        shared1 = tl.load(items.keys + 4 * n + 3).to(tl.uint32)
        base, error, log2_sup = tl.load(doubles), tl.load(doubles + 1), tl.load(doubles + 2)
        bottom, step = tl.load(doubles + 3), tl.load(doubles + 4)
        sigma = items.sigma + tl.load(doubles + 5).to(tl.int64) * nodes
        first = (row % chunks).to(tl.int32) * chunk
        stop = tl.minimum(first + chunk, num_candidates)
        time, used, end, full = row * 0, 0, first * 0, False
        least = tl.full([], -float("inf"), tl.float64)
        while (first < stop) & (end == 0) & (full == 0):
            candidates = (first + lane).to(tl.uint32)
            valid = first + lane < stop
            drawn, bins, low, high = draw_bins(
                candidates, private0, private1, edges, words, private_quads, DIGIT_WORDS
            )
            ranks = (first + lane).to(tl.int64)
            if GIVEN:
                at = n * num_candidates + ranks
                times = tl.load(given.times + at, mask=valid, other=1)
                if DIGIT_WORDS:
                    ranks = tl.load(given.ranks + at, mask=valid, other=0)
            else:
                times = since_last(drawn, candidates, num_candidates, ARRIVALS)
                if ARRIVALS != UNORDERED:
                    times = time + tl.cumsum(times, 0)
                    time = tl.max(times, 0)
                if DIGIT_WORDS:
                    ranks, new = rank_table.rank_within_bin(
                        bins, slots_here, slots, factor, shift, BLOCK
                    )
                    if RULE != RACE:
                        used += new
            screened = screen(
                bins, ranks, low, high, shared0, shared1, base, singles, dimensions, pieces, quads,
                DIGIT_WORDS,
            )  # fmt: skip
            log2_near = tl.log2(times.to(tl.float32)) - 32.0
            may_count = valid & _may_count(
                screened, log2_near, least, error, bottom, step, sigma, nodes, RULE
            )
            look = tl.max(may_count.to(tl.int32), 0) > 0
            if RULE == TO_END:
                latest = tl.max(tl.where(valid, log2_near, -float("inf")), 0).to(tl.float64)
                look = look | (least >= log2_sup - latest - LOG2_TIME_ERROR)
            if look:
                ratios = exact(
                    bins, ranks, low, high, shared0, shared1, doubles, words, dimensions,
                    plan.quantiles, cut, quads, dim, DIGIT_WORDS,
                )  # fmt: skip
                scores, last = _scores(
                    ratios, log2_times(times), may_count, valid, least, log2_sup, bottom, step,
                    sigma, nodes, RULE, BLOCK,
                )  # fmt: skip
                if RULE != RACE and last < BLOCK:
                    end = first + last + 1
                least = winners.insert(own, keep, least, scores, bins, ranks, KEEP, BLOCK)
            if RULE != RACE and DIGIT_WORDS:
                full = (used > room) & (end == 0) & (first + BLOCK < stop)
            first += BLOCK
        tl.store(num_drawn + row, tl.where(end > 0, end, num_candidates).to(tl.int64))
        tl.store(outcome + row, tl.where(full, _TABLE_FULL, tl.where(end > 0, _ENDED, _CAPPED)))


@triton.jit(do_not_specialize=["num_candidates", "total", "dim", "cut", "chunk"])
def draw_candidates(
    since, bins, plan, items, num_candidates, total, dim, cut, chunk, ARRIVALS: tl.constexpr,
    DIGIT_WORDS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Draw times since the previous candidate, and bins for the ranks, of a chunk of an item.

    since, bins: (items, num_candidates) int64.
    """
    n, lane, quads = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK), (dim + 3) // 4
    private0 = tl.load(items.keys + 4 * n).to(tl.uint32)
    private1 = tl.load(items.keys + 4 * n + 1).to(tl.uint32)
    edges = items.singles + n * (12 * quads + 2 * total) + 12 * quads + total
    start = tl.program_id(1).to(tl.int64) * chunk
    for first in range(start, tl.minimum(start + chunk, num_candidates), BLOCK):
        valid = first + lane < num_candidates
        candidates = (first + lane).to(tl.uint32)
        drawn, numbers, _, _ = draw_bins(
            candidates, private0, private1, edges, plan.table, (cut + 4) // 4, DIGIT_WORDS
        )
        at = n * num_candidates + first + lane
        tl.store(since + at, since_last(drawn, candidates, num_candidates, ARRIVALS), mask=valid)
        if DIGIT_WORDS:
            tl.store(bins + at, numbers, mask=valid)
