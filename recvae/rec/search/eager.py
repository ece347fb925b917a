"""The search through candidates in plain torch, for any device: the reference for all faster ones.

Candidates come in order of arrival. Their bins are drawn first, a segment at a time, to count the
ranks; then they are drawn and scored in chunks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import singledispatch

import torch
from torch import Tensor

from recvae.rec.arrivals import arrival_times, log2_times
from recvae.rec.randomness import private_uniforms, shared_samples
from recvae.rec.search.dispatch import Backend
from recvae.rec.search.inputs import (
    BestCandidates,
    FirstAccepted,
    Race,
    RaceToEnd,
    SearchInputs,
    StoppingRule,
    item_slices,
)
from recvae.rec.search.ranks import rank_within_bin

FIRST_SEGMENT = 64


def search(inputs: SearchInputs, rule: StoppingRule, chunk_elements: int) -> BestCandidates:
    """Search with any rule registered with `search_by`, in batches of items."""
    # A race keeps all of its N candidates.
    held = inputs.proposal.partition.dim
    held += inputs.max_candidates if isinstance(rule, Race) else 0
    results = BestCandidates.nothing(inputs.batch, rule.keep, inputs.device)
    for items in item_slices(inputs.batch, held, chunk_elements):
        results.put(items, search_by(rule[items], inputs[items], chunk_elements))
    return results


@singledispatch
def search_by(rule: StoppingRule, inputs: SearchInputs, chunk_elements: int) -> BestCandidates:
    """The reference for a rule; a new rule registers one with `@search_by.register`."""
    raise TypeError(f"rule: got {type(rule).__name__}, need one that is registered with search_by")


BACKEND = Backend("eager", search, suits=lambda inputs, rule: True)


@dataclass(frozen=True, eq=False)
class Segment:
    """Candidates in order of arrival, each field (batch, n); log2_* in bits."""

    bins: Tensor
    ranks: Tensor
    log2_times: Tensor
    log2_ratios: Tensor


class CandidateStream:
    """The candidates of a batch of items, in segments; `items` are those still being searched."""

    def __init__(self, inputs: SearchInputs, chunk_elements: int) -> None:
        device = inputs.device
        self.inputs = inputs
        self.chunk_elements = chunk_elements
        self.drawn = 0
        self.items = torch.arange(inputs.batch, device=device)
        self.time = torch.zeros((inputs.batch, 1), dtype=torch.int64, device=device)
        self.seen = torch.empty((inputs.batch, 0), dtype=torch.int64, device=device)

    def next_segment(self, length: int) -> Segment:
        """Draw and score the next `length` candidates of every item."""
        proposal, private = self.inputs.proposal, self.inputs.private
        partition = proposal.partition
        step = max(1, self.chunk_elements // (self.inputs.batch * partition.dim))
        first, end = self.drawn, self.drawn + length
        chunks = [slice(n, min(n + step, length)) for n in range(0, length, step)]
        words, bins = [], []
        for n in chunks:
            uniforms = private_uniforms(
                private, first + n.start, first + n.stop, 1 + len(partition.cut_dimensions)
            )
            words.append(uniforms[:, :, 0])
            bins.append(proposal.draw_bins(uniforms[:, :, 1:]))
        new = torch.cat(bins, dim=1)
        if partition.cut_dimensions:
            self.seen = torch.cat([self.seen, new], dim=1)
            ranks = rank_within_bin(self.seen)[:, first:]
        else:
            ranks = torch.arange(first, end, device=new.device).expand_as(new)
        times = arrival_times(
            torch.cat(words, dim=1), first, self.inputs.arrivals, self.inputs.max_candidates
        )
        if self.inputs.arrivals != "unordered":
            times = times + self.time
            self.time = times[:, -1:]
        ratios = torch.empty_like(times, dtype=torch.float64)
        for n in chunks:
            tuples = partition.unflatten(new[:, n])
            z = shared_samples(self.inputs.shared, partition, tuples, ranks[:, n])
            ratios[:, n] = proposal.log2_ratio(tuples, z)
        self.drawn = end
        return Segment(new, ranks, log2_times(times), ratios)

    def keep_only(self, places: Tensor) -> None:
        """Continue with only some of the items, given by indices (n,) int64 into `items`."""
        self.inputs, self.items = self.inputs[places], self.items[places]
        self.time, self.seen = self.time[places], self.seen[places]


@search_by.register
def race(rule: Race, inputs: SearchInputs, chunk_elements: int) -> BestCandidates:
    """See `Race`."""
    segment = CandidateStream(inputs, chunk_elements).next_segment(inputs.max_candidates)
    scores = segment.log2_ratios - segment.log2_times
    scores, order = torch.sort(scores, dim=1, descending=True, stable=True)
    best = order[:, : rule.keep]
    drawn = torch.full_like(best[:, 0], inputs.max_candidates)
    return BestCandidates(
        segment.bins.gather(1, best),
        segment.ranks.gather(1, best),
        scores[:, : rule.keep],
        drawn,
        torch.zeros_like(drawn, dtype=torch.bool),
    )


@search_by.register
def race_to_end(rule: RaceToEnd, inputs: SearchInputs, chunk_elements: int) -> BestCandidates:
    """See `RaceToEnd`."""
    results = _all_capped(inputs)
    for candidates, segment in _segments(inputs, chunk_elements):
        items, scores = candidates.items, segment.log2_ratios - segment.log2_times
        running = torch.cat([results.scores[items], scores], dim=1).cummax(dim=1).values[:, 1:]
        over = running >= rule.log2_sup[items, None] - segment.log2_times
        # Rounding must not let a candidate win that arrives after the end.
        scores = torch.where(over.cumsum(1) - over.long() > 0, -torch.inf, scores)
        _take_best(results, items, segment, scores)
        _finish(results, candidates, over)
    return results


@search_by.register
def first_accepted(
    rule: FirstAccepted, inputs: SearchInputs, chunk_elements: int
) -> BestCandidates:
    """See `FirstAccepted`."""
    results = _all_capped(inputs)
    for candidates, segment in _segments(inputs, chunk_elements):
        scores = segment.log2_ratios - segment.log2_times
        log2_sigma = rule.stretch[candidates.items].log2_sigma(segment.log2_ratios)
        accepted = segment.log2_times < log2_sigma
        # The first of several infinite scores leads.
        scores = torch.where(accepted, torch.inf, scores)
        _take_best(results, candidates.items, segment, scores)
        _finish(results, candidates, accepted)
    return results


def _all_capped(inputs: SearchInputs) -> BestCandidates:
    """The result at the cap if a search finds nothing."""
    nothing = BestCandidates.nothing(inputs.batch, 1, inputs.device)
    drawn = torch.full_like(nothing.num_drawn, inputs.max_candidates)
    return replace(nothing, num_drawn=drawn, capped=torch.ones_like(nothing.capped))


def _segments(
    inputs: SearchInputs, chunk_elements: int
) -> Iterator[tuple[CandidateStream, Segment]]:
    """Segments until no item is left or the cap is met; lengths double while they fit a chunk."""
    candidates = CandidateStream(inputs, chunk_elements)
    while len(candidates.items) and candidates.drawn < inputs.max_candidates:
        room = chunk_elements // (len(candidates.items) * inputs.proposal.partition.dim)
        length = min(max(FIRST_SEGMENT, candidates.drawn), max(FIRST_SEGMENT, room))
        length = min(length, inputs.max_candidates - candidates.drawn)
        yield candidates, candidates.next_segment(length)


def _take_best(results: BestCandidates, items: Tensor, segment: Segment, scores: Tensor) -> None:
    """Store the segment's best candidates where they lead; ties go to the earlier one."""
    n = scores.argmax(dim=1, keepdim=True)
    leads = scores.gather(1, n) > results.scores[items]
    for best, found in (
        (results.bins, segment.bins),
        (results.ranks, segment.ranks),
        (results.scores, scores),
    ):
        best[items] = torch.where(leads, found.gather(1, n), best[items])


def _finish(results: BestCandidates, candidates: CandidateStream, over: Tensor) -> None:
    """Remove the items whose search ended at some candidate of the last segment."""
    ended, items = over.any(dim=1), candidates.items
    drawn = candidates.drawn - over.shape[1] + 1 + over.int().argmax(dim=1)
    results.num_drawn[items] = torch.where(ended, drawn, results.num_drawn[items])
    results.capped[items] = ~ended
    candidates.keep_only(torch.nonzero(~ended)[:, 0])
