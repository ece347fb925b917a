"""The search of one item after another; each step is a function of its own."""

from collections import namedtuple

import numpy as np

from recvae.jit import compiled, inlined, step
from recvae.rec.search.numba.constants import STRIP, U64
from recvae.rec.search.numba.intervals import (
    FEW,
    FIRST_LOG2_SLOTS,
    add_peaks,
    enter_few_intervals,
    find_intervals,
    grow,
    number_bins,
    rank_within_bin,
)
from recvae.rec.search.numba.screen import (
    PLACED,
    add_gaussian,
    add_losses,
    drop_hopeless,
    find_entries,
    look_up,
    place,
    tabulate_item,
)
from recvae.rec.search.numba.times import POISSON, arrive
from recvae.rec.search.numba.winners import Item, accept_first, keep_best
from recvae.rec.search.numba.words import private_words, shared_words

FIRST_STRIP = 16

Plan = namedtuple(
    "Plan",
    "max_candidates arrivals may_end intervals strides cut starts offsets lower upper quantiles "
    "lines",
)
"""What is the same for all items.

may_end: whether the rule may end before max_candidates. intervals, strides: of each dimension. cut:
the dimensions with several intervals; starts: where the ladder of each begins. offsets: where the
intervals of each dimension begin in lower and upper, the ends of what is sampled there, and in
step_bits. quantiles: the Gaussian table; lines: it in floats.
"""

Items = namedtuple(
    "Items",
    "private shared ladder step_bits base center quadratic linear screen error log2_sup",
)
"""Arrays with a row an item: keys; the fields of a Proposal, step_bits of all dimensions; what
screens candidates, and how far off it may be; the bound of log2 r', infinite without one."""

Stretches = namedtuple("Stretches", "bottom step table row")
"""The fields of a Stretch."""

Winners = namedtuple("Winners", "bins ranks scores drawn capped")
"""The fields of SearchResults, to be filled: zeros, but scores of minus infinity."""


Strip = namedtuple(
    "Strip",
    "words bins ranks digits bounds log_times kept places kept_digits first_counts tails entries "
    "lines line_pairs",
)
"""What the kernels know of the candidates of a strip; see those that fill it."""


@step
def _new_strip(dim):
    lines = np.empty(2 * STRIP, np.float32)
    return Strip(
        words=np.empty(5 * STRIP, np.uint32),
        bins=np.zeros(STRIP, np.uint64),
        ranks=np.empty(STRIP, np.uint64),
        digits=np.zeros((dim, STRIP), np.uint32),
        bounds=np.empty(STRIP, np.float32),
        log_times=np.empty(STRIP, np.float64),
        kept=np.empty(STRIP, np.uint64),
        places=np.empty(STRIP, np.uint64),
        kept_digits=np.empty(STRIP, np.uint32),
        first_counts=np.empty(STRIP, np.uint64),
        tails=np.empty(STRIP, np.float32),
        entries=np.empty(STRIP, np.uint32),
        lines=lines,
        line_pairs=lines.view(np.uint64),
    )


@inlined
def _draw_bins(strip, first, width, key, cut, strides, ladder, starts, peaks, offsets):
    """Bins of the candidates, and the most that they allow on top of the bounds so far.

    The first four of their private words have been drawn.
    """
    strip.bins[:] = 0
    for position in range(cut.size):
        word = position + 1
        if word % 4 == 0:
            private_words(first, width, U64(word // 4), key, strip.words)
        d, at = cut[position], U64(word % 4 * STRIP)
        digits, of_dimension = strip.digits[d], peaks[offsets[d] :]
        rungs = ladder[starts[position] : starts[position + 1]]
        if rungs.size <= FEW:
            enter_few_intervals(strip.words, at, width, rungs, of_dimension, digits, strip.bounds)
        else:
            find_intervals(strip.words, at, width, rungs, digits)
            add_peaks(digits, width, of_dimension, strip.bounds)
        number_bins(digits, width, strides[d], strip.bins)


@inlined
def _bound_ratios(strip, width, least, key, intervals, losses, offsets, table, screen):
    """Takes away from the bounds what samples fall short of; returns how many may come to `least`.

    Those are in front, and `kept` tells which they are.
    """
    dim = intervals.size
    for i in range(width):
        strip.kept[i] = U64(i)
        strip.first_counts[i] = strip.ranks[i] * U64((dim + 3) // 4)
    left = width
    for d in range(dim):
        if d % 4 == 0:
            if d:
                left = drop_hopeless(
                    strip.bounds, strip.log_times, least, strip.kept, strip.places, left,
                    strip.bins, strip.first_counts,
                )  # fmt: skip
            shared_words(strip.bins, strip.first_counts, left, U64(d // 4), key, strip.words)
        at, loss = U64(d % 4 * STRIP), losses[offsets[d]]
        if intervals[d] > 1:
            of_dimension = losses[offsets[d] :]
            add_losses(
                strip.digits[d], strip.kept, left, of_dimension, strip.bounds, strip.kept_digits
            )
            place(strip.words, at, strip.kept_digits, left, intervals[d])
            at, loss = PLACED, np.float32(0)
        find_entries(strip.words, at, left, strip.tails, strip.entries)
        look_up(table, left, strip.entries, strip.line_pairs)
        add_gaussian(
            strip.words, at, strip.tails, strip.lines, left, screen[d, 0], screen[d, 1],
            screen[d, 2], loss, strip.bounds,
        )  # fmt: skip
    return left


@compiled(nogil=True)
def search_items(plan, items, stretches, winners):
    """Searches all items and fills `winners`, best candidate first.

    Takes the winner of the race or, given `Stretches` and not None, the first candidate accepted.
    """
    batch, dim = items.center.shape
    slots = np.empty(1 << FIRST_LOG2_SLOTS, np.uint64)
    counts = np.zeros(slots.size, np.int32)
    shift = U64(64 - FIRST_LOG2_SLOTS)
    strip = _new_strip(dim)
    peaks = np.empty(plan.lower.size, np.float32)
    losses = np.empty(plan.lower.size, np.float32)

    for n in range(batch):
        counts[:] = 0
        time, used, first, end = 0, 0, 0, 0
        best = winners.scores[n], winners.bins[n], winners.ranks[n]
        item = Item(
            items.shared[n], plan.intervals, plan.strides, plan.offsets, plan.quantiles,
            items.step_bits[n], items.base[n], items.center[n], items.quadratic[n],
            items.linear[n],
        )  # fmt: skip
        highest = tabulate_item(plan, item, peaks, losses)
        while end == 0 and first < plan.max_candidates:
            # A race that may end soon starts with short strips.
            longest = max(first, FIRST_STRIP) if plan.arrivals == POISSON else STRIP
            width = min(STRIP, longest, plan.max_candidates - first)
            private_words(first, width, U64(0), items.private[n], strip.words)
            time = arrive(
                first, width, plan.arrivals, plan.max_candidates, strip.words, time, strip.log_times
            )
            strip.bounds[:] = np.float32(highest)
            _draw_bins(
                strip, first, width, items.private[n], plan.cut, plan.strides, items.ladder[n],
                plan.starts, peaks, plan.offsets,
            )  # fmt: skip
            if plan.cut.size:
                while 2 * (used + width) > slots.size:
                    slots, counts, shift = grow(slots, counts)
                used += rank_within_bin(strip.bins, width, slots, counts, shift, strip.ranks)
            else:
                for i in range(width):
                    strip.ranks[i] = U64(first + i)
            # All that may be accepted must be looked at, however little they score.
            least = best[0][-1] - items.error[n] if stretches is None else -np.inf
            left = _bound_ratios(
                strip, width, least, items.shared[n], plan.intervals, losses, plan.offsets,
                plan.lines, items.screen[n],
            )  # fmt: skip
            if stretches is None:
                end = keep_best(
                    strip, left, width, items.error[n], items.log2_sup[n], item, *best
                )  # fmt: skip
            else:
                row = stretches.row[n]
                stretch = stretches.bottom[row], stretches.step[row], stretches.table[row]
                end = accept_first(strip, width, items.error[n], stretch, item, *best)
            winners.drawn[n] = first + (end if end else width)
            first += width
        winners.capped[n] = end == 0 and plan.may_end
