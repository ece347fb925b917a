"""Converts a search's inputs to the kernel's arrays, runs it in threads, and converts back.

Threads share no state, and no threading layer is started.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from recvae.exact.gaussian import FRACTION_BITS, gaussian_table
from recvae.rec.partition import Partition
from recvae.rec.proposal import Proposal, sampled_ranges
from recvae.rec.search.inputs import (
    BestCandidates,
    FirstAccepted,
    Race,
    RaceToEnd,
    SearchInputs,
    StoppingRule,
)
from recvae.rec.search.numba.kernel import Items, Plan, StretchTables, Winners, search_items
from recvae.rec.search.numba.times import ARRIVALS
from recvae.rec.search.screening import quantile_pieces, screening_terms
from recvae.threads import in_threads


def search(inputs: SearchInputs, rule: StoppingRule) -> BestCandidates:
    """Find the codes of `eager.search`, for a rule that the kernel knows."""
    batch = inputs.batch
    results = BestCandidates.nothing(batch, rule.keep, inputs.device)
    winners = Winners(
        *(
            tensor.numpy()
            for tensor in (
                results.bins, results.ranks, results.scores, results.num_drawn, results.capped,
            )
        )
    )  # fmt: skip
    plan, items, stretches = _plan(inputs, rule), _items(inputs, rule), _stretch_tables(rule)

    def search_part(part: slice) -> None:
        part_stretches = None if stretches is None else stretches._replace(row=stretches.row[part])
        search_items(
            plan,
            Items(*(x[part] for x in items)),
            part_stretches,
            Winners(*(x[part] for x in winners)),
        )

    threads = min(torch.get_num_threads(), max(batch, 1))
    # More parts than threads, so that no thread waits long for the others.
    bounds = np.linspace(0, batch, min(batch, 4 * threads) + 1).astype(int).tolist()
    parts = list(map(slice, bounds[:-1], bounds[1:]))
    for _ in in_threads(search_part, parts, threads):
        pass
    return results


def _plan(inputs: SearchInputs, rule: StoppingRule) -> Plan:
    """The data that all items share."""
    partition = inputs.proposal.partition
    cut = partition.cut_dimensions
    return Plan(
        inputs.max_candidates,
        ARRIVALS[inputs.arrivals],
        not isinstance(rule, Race),
        np.array(partition.intervals, dtype=np.uint64),
        np.array(partition.strides, dtype=np.uint64),
        np.array(cut, dtype=np.int64),
        np.cumsum([0, *(partition.intervals[d] for d in cut)], dtype=np.int64),
        np.cumsum([0, *partition.intervals], dtype=np.int64),
        *_ranges(partition),
        gaussian_table(),
        quantile_pieces().view(np.uint64)[:, 0],
    )


def _items(inputs: SearchInputs, rule: StoppingRule) -> Items:
    """The data of each item."""
    proposal = inputs.proposal
    keys = (
        np.stack([word.numpy() for word in key], axis=1).astype(np.uint64)
        for key in (inputs.private, inputs.shared)
    )
    never = torch.full_like(proposal.base, torch.inf)
    tables = (
        proposal.bin_cdf, _all_step_bits(proposal), proposal.base, proposal.center,
        proposal.quadratic, proposal.linear, *screening_terms(proposal),
        rule.log2_sup if isinstance(rule, RaceToEnd) else never,
        torch.from_numpy(order_of_quads(proposal)),
    )  # fmt: skip
    return Items(*keys, *(np.ascontiguousarray(table.numpy()) for table in tables))


def _stretch_tables(rule: StoppingRule) -> StretchTables | None:
    if not isinstance(rule, FirstAccepted):
        return None
    stretch = rule.stretch
    tensors = (stretch.bottom, stretch.step, stretch.table, stretch.row)
    return StretchTables(*(np.ascontiguousarray(tensor.numpy()) for tensor in tensors))


def order_of_quads(proposal: Proposal) -> np.ndarray:
    """The order to screen dimensions in, by fours: (batch, quads) int64, n for 4 n to 4 n + 3.

    Any order is correct. First come those where samples are likely to fall furthest below the
    maximum for their intervals: where the target is sharp and intervals are wide, as far out.
    """
    intervals = np.array(proposal.partition.intervals)
    center = proposal.center.numpy() * 2.0**-FRACTION_BITS
    shortfalls = np.abs(proposal.quadratic.numpy()) * (1 + center**2) / intervals**2
    return np.argsort(-np.add.reduceat(shortfalls, np.arange(0, len(intervals), 4), axis=1))


def _all_step_bits(proposal: Proposal) -> Tensor:
    """The step_bits of all dimensions, 0 for those that are not cut."""
    intervals = torch.tensor(proposal.partition.intervals)
    is_cut = (intervals > 1).repeat_interleave(intervals)
    table = proposal.step_bits.new_zeros(len(proposal.base), len(is_cut))
    table[:, is_cut] = proposal.step_bits
    return table


@lru_cache(8)
def _ranges(partition: Partition) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the sampled range of each interval of each dimension, float64, in units of 2^-28."""
    ranges = [sampled_ranges(count, torch.device("cpu")) for count in partition.intervals]
    lower, upper = (torch.cat(ends) * 2.0**FRACTION_BITS for ends in zip(*ranges, strict=True))
    return lower.numpy(), upper.numpy()
