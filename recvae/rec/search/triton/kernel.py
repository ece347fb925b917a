"""The search of one item by one program, a tile of candidates at a time.

    for each tile
        draw times and bins; count the ranks
        screen: log2 q/p' in float32
        if one of them may lead, or end the search
            score those as the eager code does, in float64; keep the best

Only the scores in float64 count, so the codes are the eager ones.
"""

from collections import namedtuple

import triton
import triton.language as tl

from recvae.rec.search.triton import ranks as rank_table
from recvae.rec.search.triton import winners
from recvae.rec.search.triton.draws import UNORDERED, draw_bins, log2_times, since_last
from recvae.rec.search.triton.scores import exact, screen

RACE, TO_END, ACCEPT = (tl.constexpr(rule) for rule in range(3))

CAPPED, ENDED, TABLE_FULL = range(3)
_CAPPED, _ENDED, _TABLE_FULL = (tl.constexpr(outcome) for outcome in range(3))

LOG2_TIME_ERROR = tl.constexpr(2.0**-10)
"""More than the screen's logarithms of times are off, in bits."""

Plan = namedtuple("Plan", "words dimensions quantiles pieces")
"""What is the same for all items: see `plan`."""

Items = namedtuple(
    "Items",
    "keys edges step_bits screen_steps base center quadratic linear screen_terms error log2_sup "
    "stretch_bottom stretch_step stretch_row stretch_table",
)
"""Tables with a row an item: keys (private low, high, shared low, high); edges, the `bin_cdf` of
each dimension in 32 bits; the fields of a `Proposal`; what screens, and how far off it may be; the
bound of log2 r', and the stretch function, where the rule has one."""

Table = namedtuple("Table", "bins counts members")
"""The hash tables of all programs; see `ranks`."""

Best = namedtuple("Best", "scores bins ranks")
"""The best of each row, (rows, keep)."""

Given = namedtuple("Given", "times ranks")
"""What other kernels found of each candidate, (items, num_candidates) int64."""


@triton.jit
def _item(items, n, total, dim, nodes):
    return Items(
        items.keys + 4 * n, items.edges + n * total, items.step_bits + n * total,
        items.screen_steps + n * total, items.base + n, items.center + n * dim,
        items.quadratic + n * dim, items.linear + n * dim, items.screen_terms + 3 * n * dim,
        items.error + n, items.log2_sup + n, items.stretch_bottom + n, items.stretch_step + n,
        items.stretch_row + n, items.stretch_table + tl.load(items.stretch_row + n) * nodes,
    )  # fmt: skip


@triton.jit
def _key(item, word: tl.constexpr):
    return tl.load(item.keys + word).to(tl.uint32)


@triton.jit
def _maximum(a, b):
    return tl.maximum(a, b)


_SIZES = ["rows", "chunks", "chunk", "num_candidates", "total", "dim", "cut", "keep", "nodes"]
_TABLE_SIZES = ["slots", "room", "factor", "shift"]


@triton.jit(do_not_specialize=[*_SIZES, *_TABLE_SIZES])
def search_rows(
    best, num_drawn, outcome, plan, items, table, given, rows, chunks, chunk, num_candidates, total,
    dim, cut, keep, nodes, slots, room, factor, shift, RULE: tl.constexpr, ARRIVALS: tl.constexpr,
    CUT: tl.constexpr, GIVEN: tl.constexpr, KEEP: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Searches rows: each one a chunk of an item's candidates, all of them where chunks is 1.

    GIVEN: whether times and ranks are. room: the most bins a table may hold between tiles. KEEP: a power of two, at least keep.
    """
    lane = tl.arange(0, BLOCK)
    private_quads, quads = (cut + 4) // 4, (dim + 3) // 4
    program = tl.program_id(0).to(tl.int64)
    table = Table(
        table.bins + program * slots, table.counts + program * slots,
        table.members + program * slots,
    )  # fmt: skip
    for row in range(program, rows, tl.num_programs(0)):
        n = row // chunks
        item = _item(items, n, total, dim, nodes)
        own = Best(best.scores + row * keep, best.bins + row * keep, best.ranks + row * keep)
        winners.clear(own, keep, KEEP)
        if CUT and not GIVEN:
            rank_table.clear(table, slots, BLOCK)
        private0, private1 = _key(item, 0), _key(item, 1)
        shared0, shared1 = _key(item, 2), _key(item, 3)
        error, log2_sup = tl.load(item.error), tl.load(item.log2_sup)
        first = row % chunks * chunk
        stop = tl.minimum(first + chunk, num_candidates)
        time, used, end, full = first * 0, 0, first * 0, False
        least = tl.full([], -float("inf"), tl.float64)
        while (first < stop) & (end == 0) & (full == 0):
            candidates = (first + lane).to(tl.uint32)
            valid = first + lane < stop
            words, bins, low, high = draw_bins(
                candidates, private0, private1, item.edges, plan.words, private_quads, CUT
            )
            ranks = first + lane
            if GIVEN:
                at = n * num_candidates + first + lane
                times = tl.load(given.times + at, mask=valid, other=1)
                if CUT:
                    ranks = tl.load(given.ranks + at, mask=valid, other=0)
            else:
                times = since_last(words, candidates, num_candidates, ARRIVALS)
                if ARRIVALS != UNORDERED:
                    times = time + tl.cumsum(times, 0)
                    time = tl.max(times, 0)
                if CUT:
                    ranks, new = rank_table.rank_within_bin(
                        bins, table, slots, factor, shift, BLOCK
                    )
                    if RULE != RACE:
                        used += new
            ratios = screen(bins, ranks, low, high, shared0, shared1, item, plan, quads, dim, CUT)
            log2_near = tl.log2(times.to(tl.float32)) - 32.0
            # Told so that what is not a number may lead.
            hopeless = (ratios - log2_near).to(tl.float64) < least - error
            may_count = valid & (hopeless == 0)
            if RULE == ACCEPT:
                most = winners.log2_sigma(ratios.to(tl.float64) + error, item, nodes)
                early = log2_near.to(tl.float64) - LOG2_TIME_ERROR < most
                may_count = may_count | (valid & early)
            look = tl.max(may_count.to(tl.int32), 0) > 0
            if RULE == TO_END:
                latest = tl.max(tl.where(valid, log2_near, -float("inf")), 0).to(tl.float64)
                look = look | (least >= log2_sup - latest - LOG2_TIME_ERROR)
            if look:
                exact_ratios = exact(
                    bins, ranks, low, high, shared0, shared1, item, plan, cut, quads, dim, CUT
                )
                log2_arrivals = log2_times(times)
                scores = exact_ratios - log2_arrivals
                if RULE == TO_END:
                    scores = tl.where(may_count, scores, -float("inf"))
                    running = tl.maximum(tl.associative_scan(scores, 0, _maximum), least)
                    over = valid & (running >= log2_sup - log2_arrivals)
                elif RULE == ACCEPT:
                    over = may_count & (
                        log2_arrivals < winners.log2_sigma(exact_ratios, item, nodes)
                    )
                    scores = tl.where(over, float("inf"), scores)
                if RULE != RACE:
                    # None wins that comes after the end.
                    last = tl.min(tl.where(over, lane, BLOCK), 0)
                    may_count = may_count & (lane <= last)
                    if last < BLOCK:
                        end = first + last + 1
                scores = tl.where(may_count, scores, -float("inf"))
                least = winners.insert(own, keep, least, scores, bins, ranks, KEEP, BLOCK)
            if RULE != RACE and CUT:
                full = (used > room) & (end == 0) & (first + BLOCK < stop)
            first += BLOCK
        tl.store(num_drawn + row, tl.where(end > 0, end, num_candidates))
        tl.store(outcome + row, tl.where(full, _TABLE_FULL, tl.where(end > 0, _ENDED, _CAPPED)))


@triton.jit(do_not_specialize=["num_candidates", "total", "cut", "chunk"])
def draw_candidates(
    since, bins, keys, edges, words, num_candidates, total, cut, chunk, ARRIVALS: tl.constexpr,
    CUT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Times since the candidate before, and bins, of a chunk of an item: what ranks are made of.

    since, bins: (items, num_candidates) int64.
    """
    n, lane = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    private0 = tl.load(keys + 4 * n).to(tl.uint32)
    private1 = tl.load(keys + 4 * n + 1).to(tl.uint32)
    start = tl.program_id(1).to(tl.int64) * chunk
    for first in range(start, tl.minimum(start + chunk, num_candidates), BLOCK):
        valid = first + lane < num_candidates
        candidates = (first + lane).to(tl.uint32)
        drawn, numbers, _, _ = draw_bins(
            candidates, private0, private1, edges + n * total, words, (cut + 4) // 4, CUT
        )
        at = n * num_candidates + first + lane
        tl.store(since + at, since_last(drawn, candidates, num_candidates, ARRIVALS), mask=valid)
        if CUT:
            tl.store(bins + at, numbers, mask=valid)
