"""Exact scores of the candidates that may lead, and the leaders."""

from collections import namedtuple

import numpy as np

from recvae.jit import inlined, kernel
from recvae.rec.search.numba.constants import U64
from recvae.rec.search.numba.quantile import quantile
from recvae.rec.search.numba.words import HALF, philox, shared_counter

Item = namedtuple("Item", "key intervals offsets quantiles step_bits base center quadratic linear")
"""The data to score an item's candidates: its rows of `kernel.Items`, and parts of the `Plan`."""


@kernel
def _exact_ratio(number, rank, digits, item):
    """Bit-identical to Proposal.log2_ratio, for one candidate; digits: interval by dimension."""
    dim, table, ratio = item.center.size, item.quantiles, item.base
    for d in range(dim):
        ratio += item.step_bits[item.offsets[d] + digits[d]]
    words = (U64(0), U64(0), U64(0), U64(0))
    for d in range(dim):
        if d % 4 == 0:
            count = rank * U64((dim + 3) // 4) + U64(d // 4)
            words = philox(shared_counter(number, count), item.key[0], item.key[1])
        position = ((U64(digits[d]) << HALF) | words[d % 4]) // item.intervals[d]
        s = np.float64(quantile(position, table)) - item.center[d]
        ratio += s * (item.quadratic[d] * s + item.linear[d])
    return ratio


@kernel
def keep_best(segment, left, width, error, log2_sup, item, best_scores, best_bins, best_ranks):
    """Insert a segment into the lists of the best so far; ties go to the earlier one.

    Returns how many candidates it took until no later one could lead, or 0.
    """
    bins, ranks, log_times = segment.bins, segment.ranks, segment.log_times
    last, seen = best_scores.size - 1, np.int64(0)
    for j in range(left):
        i = np.int64(segment.kept[j])
        if i > 0 and best_scores[0] >= log2_sup - log_times[i - 1]:
            break
        seen = i
        if segment.bounds[j] < best_scores[last] - error:
            continue
        score = _exact_ratio(bins[j], ranks[i], segment.digits[:, i], item) - log_times[i]
        place = best_scores.size
        while place > 0 and score > best_scores[place - 1]:
            place -= 1
        for moved in range(last, place, -1):
            best_scores[moved] = best_scores[moved - 1]
            best_bins[moved] = best_bins[moved - 1]
            best_ranks[moved] = best_ranks[moved - 1]
        if place <= last:
            best_scores[place] = score
            best_bins[place] = np.int64(bins[j])
            best_ranks[place] = np.int64(ranks[i])
    if best_scores[0] < log2_sup - log_times[width - 1]:
        return 0
    while best_scores[0] < log2_sup - log_times[seen]:
        seen += 1
    return seen + 1


@inlined
def _log2_sigma(log2_ratio, bottom, step, table):
    """As StretchFunction.log2_sigma, for one candidate."""
    height, last = log2_ratio - bottom, np.int64(table.size - 1)
    place = height / step
    if place <= 0.0:
        return table[0] + height
    if not place < np.float64(last):
        return np.inf
    entry = min(np.int64(place), last - 1)
    return table[entry] + (place - entry) * (table[entry + 1] - table[entry])


@kernel
def accept_first(segment, width, error, stretch, item, best_scores, best_bins, best_ranks):
    """Take the first that arrives before sigma(r), else the best; return its number."""
    bounds, log_times, bins, ranks = segment.bounds, segment.log_times, segment.bins, segment.ranks
    bottom, step, table = stretch
    for i in range(width):
        could_lead = not bounds[i] - log_times[i] < best_scores[0] - error
        if could_lead or log_times[i] < _log2_sigma(bounds[i] + error, bottom, step, table):
            log2_ratio = _exact_ratio(bins[i], ranks[i], segment.digits[:, i], item)
            accepted = log_times[i] < _log2_sigma(log2_ratio, bottom, step, table)
            score = np.inf if accepted else log2_ratio - log_times[i]
            if score > best_scores[0]:
                best_scores[0] = score
                best_bins[0] = np.int64(bins[i])
                best_ranks[0] = np.int64(ranks[i])
            if accepted:
                return i + 1
    return 0
