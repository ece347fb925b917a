"""The search of one item after another; each step is a separate function."""

from collections import namedtuple

import numpy as np

from recvae.jit import compiled, inlined, kernel
from recvae.rec.search.numba.constants import SEGMENT, U64
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

FIRST_SEGMENT = 16

Plan = namedtuple(
    "Plan",
    "max_candidates arrivals may_end intervals strides cut starts offsets lower upper quantiles "
    "pieces",
)
"""The data that all items share.

may_end: whether the rule may end before max_candidates. intervals, strides: those of each
dimension. cut: the dimensions with several intervals; starts: the start of each one's bin_cdf.
offsets: the start of each dimension's intervals in step_bits and in lower and upper, the ends of
the sampled ranges. quantiles: the Gaussian table; pieces: the same in floats.
"""

Items = namedtuple(
    "Items",
    "private shared bin_cdf step_bits base center quadratic linear screen error log2_sup quads",
)
"""Arrays with a row for each item: keys; the fields of a Proposal, with step_bits of all
dimensions; the terms of the screen and a bound on its error; the bound of log2 r', infinite without
one; the order in which to screen dimensions, as indices of four each."""

StretchTables = namedtuple("StretchTables", "bottom step table row")
"""The fields of a StretchFunction."""

Winners = namedtuple("Winners", "bins ranks scores num_drawn capped")
"""The fields of BestCandidates, to be filled: zeros, except scores of minus infinity."""


Segment = namedtuple(
    "Segment",
    "words bins ranks digits bounds log_times kept places kept_digits first_counts tails entries "
    "pieces piece_pairs",
)
"""The kernels' data about the candidates of a segment; see the functions that fill it."""


@kernel
def _new_segment(dim):
    pieces = np.empty(2 * SEGMENT, np.float32)
    return Segment(
        words=np.empty(5 * SEGMENT, np.uint32),
        bins=np.zeros(SEGMENT, np.uint64),
        ranks=np.empty(SEGMENT, np.uint64),
        digits=np.zeros((dim, SEGMENT), np.uint32),
        bounds=np.empty(SEGMENT, np.float32),
        log_times=np.empty(SEGMENT, np.float64),
        kept=np.empty(SEGMENT, np.uint64),
        places=np.empty(SEGMENT, np.uint64),
        kept_digits=np.empty(SEGMENT, np.uint32),
        first_counts=np.empty(SEGMENT, np.uint64),
        tails=np.empty(SEGMENT, np.float32),
        entries=np.empty(SEGMENT, np.uint32),
        pieces=pieces,
        piece_pairs=pieces.view(np.uint64),
    )


@inlined
def _draw_bins(segment, first, width, key, cut, strides, bin_cdf, starts, peaks, offsets):
    """Draw the bins of the candidates, and add the maxima for them to the bounds.

    The first four of their private words have been drawn already.
    """
    segment.bins[:] = 0
    for position in range(cut.size):
        word = position + 1
        if word % 4 == 0:
            private_words(first, width, U64(word // 4), key, segment.words)
        d, at = cut[position], U64(word % 4 * SEGMENT)
        digits, own_peaks = segment.digits[d], peaks[offsets[d] :]
        edges = bin_cdf[starts[position] : starts[position + 1]]
        if edges.size <= FEW:
            enter_few_intervals(segment.words, at, width, edges, own_peaks, digits, segment.bounds)
        else:
            find_intervals(segment.words, at, width, edges, digits)
            add_peaks(digits, width, own_peaks, segment.bounds)
        number_bins(digits, width, strides[d], segment.bins)


@inlined
def _bound_candidates(segment, width, least, key, intervals, losses, offsets, table, screen, quads):
    """Lower the bounds by the samples' losses; return the number that may still reach `least`.

    These come first, and `kept` holds their indices.
    """
    for i in range(width):
        segment.kept[i] = U64(i)
        segment.first_counts[i] = segment.ranks[i] * U64(quads.size)
    left = width
    for turn in range(quads.size):
        if turn > 0:
            left = drop_hopeless(
                segment.bounds, least, segment.kept, segment.places, left, segment.bins,
                segment.first_counts,
            )  # fmt: skip
        quad = quads[turn]
        shared_words(segment.bins, segment.first_counts, left, U64(quad), key, segment.words)
        for d in range(4 * quad, min(4 * quad + 4, intervals.size)):
            at, loss = U64(d % 4 * SEGMENT), losses[offsets[d]]
            if intervals[d] > 1:
                add_losses(
                    segment.digits[d], segment.kept, left, losses[offsets[d] :], segment.bounds,
                    segment.kept_digits,
                )  # fmt: skip
                place(segment.words, at, segment.kept_digits, left, intervals[d])
                at, loss = PLACED, np.float32(0)
            find_entries(segment.words, at, left, segment.tails, segment.entries)
            look_up(table, left, segment.entries, segment.piece_pairs)
            add_gaussian(
                segment.words, at, segment.tails, segment.pieces, left, screen[d, 0],
                screen[d, 1], screen[d, 2], loss, segment.bounds,
            )  # fmt: skip
    return left


@compiled(nogil=True)
def search_items(plan, items, stretches, winners):
    """Search all items and fill `winners`, best candidate first.

    Takes the winner of the race or, if `StretchTables` are given, the first one accepted.
    """
    batch, dim = items.center.shape
    slots = np.empty(1 << FIRST_LOG2_SLOTS, np.uint64)
    counts = np.zeros(slots.size, np.int32)
    shift = U64(64 - FIRST_LOG2_SLOTS)
    segment = _new_segment(dim)
    peaks = np.empty(plan.lower.size, np.float32)
    losses = np.empty(plan.lower.size, np.float32)

    for n in range(batch):
        counts[:] = 0
        time, used, first, end = 0, 0, 0, 0
        best = winners.scores[n], winners.bins[n], winners.ranks[n]
        item = Item(
            items.shared[n], plan.intervals, plan.offsets, plan.quantiles, items.step_bits[n],
            items.base[n], items.center[n], items.quadratic[n], items.linear[n],
        )  # fmt: skip
        highest = tabulate_item(plan, item, peaks, losses)
        while end == 0 and first < plan.max_candidates:
            # A race that may end soon starts with short segments.
            longest = max(first, FIRST_SEGMENT) if plan.arrivals == POISSON else SEGMENT
            width = min(SEGMENT, longest, plan.max_candidates - first)
            private_words(first, width, U64(0), items.private[n], segment.words)
            time = arrive(
                first,
                width,
                plan.arrivals,
                plan.max_candidates,
                segment.words,
                time,
                segment.log_times,
            )
            # A race compares scores; acceptance depends only on log2 q/p'.
            for i in range(width):
                segment.bounds[i] = highest - (segment.log_times[i] if stretches is None else 0.0)
            _draw_bins(
                segment, first, width, items.private[n], plan.cut, plan.strides, items.bin_cdf[n],
                plan.starts, peaks, plan.offsets,
            )  # fmt: skip
            if plan.cut.size:
                while 2 * (used + width) > slots.size:
                    slots, counts, shift = grow(slots, counts)
                used += rank_within_bin(segment.bins, width, slots, counts, shift, segment.ranks)
            else:
                for i in range(width):
                    segment.ranks[i] = U64(first + i)
            # All that may be accepted must be examined, however low they score.
            least = best[0][-1] - items.error[n] if stretches is None else -np.inf
            left = _bound_candidates(
                segment, width, least, items.shared[n], plan.intervals, losses, plan.offsets,
                plan.pieces, items.screen[n], items.quads[n],
            )  # fmt: skip
            if stretches is None:
                end = keep_best(
                    segment, left, width, items.error[n], items.log2_sup[n], item, *best
                )  # fmt: skip
            else:
                row = stretches.row[n]
                stretch = stretches.bottom[row], stretches.step[row], stretches.table[row]
                end = accept_first(segment, width, items.error[n], stretch, item, *best)
            winners.num_drawn[n] = first + (end if end else width)
            first += width
        winners.capped[n] = end == 0 and plan.may_end
