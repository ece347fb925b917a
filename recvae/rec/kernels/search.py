"""The search of one item after another: each step a call of a kernel."""

from collections import namedtuple

import numpy as np

from recvae.jit import compiled, inlined, step
from recvae.rec.kernels.constants import STRIP, U64
from recvae.rec.kernels.intervals import (
    FEW,
    FIRST_LOG2_SLOTS,
    add_peaks,
    enter_few_intervals,
    find_intervals,
    grow,
    number_bins,
    rank_within_bin,
)
from recvae.rec.kernels.screen import (
    PLACED,
    add_gaussian,
    add_losses,
    drop_hopeless,
    find_entries,
    look_up,
    place,
    tabulate_peaks,
)
from recvae.rec.kernels.times import POISSON, arrive
from recvae.rec.kernels.winners import accept_first, keep_best
from recvae.rec.kernels.words import private_words, shared_words

FIRST_STRIP = 16


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
def search_items(
    num_candidates, kind, intervals, strides, cut, starts, offsets, lower, upper, table, lines,
    stretch_bottom, stretch_step, stretch_table, private, shared, ladder, step_bits, base, center,
    quadratic, linear, screen, error, log2_sup, row, best_bins, best_ranks, best_scores, drawn,
    capped,
):  # fmt: skip
    """Searches all items of the arrays; fills the last five, best candidate first.

    Takes the winner of the race or, given a stretch function, the first candidate accepted by it.
    """
    batch, dim = center.shape
    slots = np.empty(1 << FIRST_LOG2_SLOTS, np.uint64)
    counts = np.zeros(slots.size, np.int32)
    shift = U64(64 - FIRST_LOG2_SLOTS)
    strip = _new_strip(dim)
    peaks, losses = np.empty(lower.size, np.float32), np.empty(lower.size, np.float32)

    for item in range(batch):
        counts[:] = 0
        time, used, first, end = 0, 0, 0, 0
        best = best_scores[item], best_bins[item], best_ranks[item]
        exact = (
            shared[item], intervals, strides, offsets, table, step_bits[item], base[item],
            center[item], quadratic[item], linear[item],
        )  # fmt: skip
        highest = base[item]
        for d in range(dim):
            start, stop = offsets[d], offsets[d + 1]
            tabulate_peaks(
                lower[start:stop], upper[start:stop], center[item, d], quadratic[item, d],
                linear[item, d], step_bits[item, start:stop], peaks[start:stop], losses[start:stop],
            )  # fmt: skip
            highest += peaks[start] if intervals[d] == 1 else 0.0
        while end == 0 and first < num_candidates:
            # A race that may end soon starts with short strips.
            longest = max(first, FIRST_STRIP) if kind == POISSON else STRIP
            width = min(STRIP, longest, num_candidates - first)
            private_words(first, width, U64(0), private[item], strip.words)
            time = arrive(first, width, kind, num_candidates, strip.words, time, strip.log_times)
            strip.bounds[:] = np.float32(highest)
            _draw_bins(
                strip, first, width, private[item], cut, strides, ladder[item], starts, peaks,
                offsets,
            )  # fmt: skip
            if cut.size:
                while 2 * (used + width) > slots.size:
                    slots, counts, shift = grow(slots, counts)
                used += rank_within_bin(strip.bins, width, slots, counts, shift, strip.ranks)
            else:
                for i in range(width):
                    strip.ranks[i] = U64(first + i)
            least = -np.inf if stretch_table.size else best[0][-1] - error[item]
            left = _bound_ratios(
                strip, width, least, shared[item], intervals, losses, offsets, lines, screen[item]
            )
            if stretch_table.size:
                r = row[item]
                stretch = stretch_bottom[r], stretch_step[r], stretch_table[r]
                end = accept_first(strip, width, error[item], stretch, exact, *best)
            else:
                end = keep_best(strip, left, width, error[item], log2_sup[item], exact, *best)
            drawn[item] = first + (end if end else width)
            first += width
        capped[item] = end == 0 and kind == POISSON
