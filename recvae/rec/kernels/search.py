"""The search of one item after another: each step a call of a kernel."""

import numpy as np

from recvae.rec.kernels.compiled import STRIP, U64, compiled
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
    quads = U64((dim + 3) // 4)
    words = np.empty(5 * STRIP, np.uint32)
    digits = np.zeros((dim, STRIP), np.uint32)
    bins, ranks = np.zeros(STRIP, np.uint64), np.empty(STRIP, np.uint64)
    kept, places = np.empty(STRIP, np.uint64), np.empty(STRIP, np.uint64)
    kept_digits = np.empty(STRIP, np.uint32)
    first_counts, entries = np.empty(STRIP, np.uint64), np.empty(STRIP, np.uint32)
    tails, found_lines = np.empty(STRIP, np.float32), np.empty(2 * STRIP, np.float32)
    line_pairs = found_lines.view(np.uint64)
    bounds, log_times = np.empty(STRIP, np.float32), np.empty(STRIP, np.float64)
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
            private_words(first, width, U64(0), private[item], words)
            time = arrive(first, width, kind, num_candidates, words, time, log_times)
            bins[:] = 0
            bounds[:] = np.float32(highest)
            for position in range(cut.size):
                word = position + 1
                if word % 4 == 0:
                    private_words(first, width, U64(word // 4), private[item], words)
                d, at = cut[position], U64(word % 4 * STRIP)
                rungs = ladder[item, starts[position] : starts[position + 1]]
                if rungs.size <= FEW:
                    enter_few_intervals(
                        words, at, width, rungs, peaks[offsets[d] :], digits[d], bounds
                    )
                else:
                    find_intervals(words, at, width, rungs, digits[d])
                    add_peaks(digits[d], width, peaks[offsets[d] :], bounds)
                number_bins(digits[d], width, strides[d], bins)
            if cut.size:
                while 2 * (used + width) > slots.size:
                    slots, counts, shift = grow(slots, counts)
                used += rank_within_bin(bins, width, slots, counts, shift, ranks)
            else:
                for i in range(width):
                    ranks[i] = U64(first + i)
            for i in range(width):
                kept[i], first_counts[i] = U64(i), ranks[i] * quads
            least = -np.inf if stretch_table.size else best[0][-1] - error[item]
            left = width
            for d in range(dim):
                if d % 4 == 0:
                    if d:
                        left = drop_hopeless(
                            bounds, log_times, least, kept, places, left, bins, first_counts
                        )
                    shared_words(bins, first_counts, left, U64(d // 4), shared[item], words)
                at = U64(d % 4 * STRIP)
                if intervals[d] > 1:
                    add_losses(digits[d], kept, left, losses[offsets[d] :], bounds, kept_digits)
                    place(words, at, kept_digits, left, intervals[d])
                    at = PLACED
                find_entries(words, at, left, tails, entries)
                look_up(lines, left, entries, line_pairs)
                mean, square, slope = screen[item, d, 0], screen[item, d, 1], screen[item, d, 2]
                loss = losses[offsets[d]] if intervals[d] == 1 else np.float32(0)
                add_gaussian(words, at, tails, found_lines, left, mean, square, slope, loss, bounds)
            if stretch_table.size:
                of_row = (
                    stretch_bottom[row[item]],
                    stretch_step[row[item]],
                    stretch_table[row[item]],
                )
                end = accept_first(
                    bounds, log_times, bins, ranks, width, error[item], of_row, exact, *best
                )
            else:
                end = keep_best(
                    bounds, log_times, bins, ranks, kept, left, width, error[item],
                    log2_sup[item], exact, *best,
                )  # fmt: skip
            drawn[item] = first + (end if end else width)
            first += width
        capped[item] = end == 0 and kind == POISSON
