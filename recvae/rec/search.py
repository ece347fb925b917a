"""The search through candidates in plain torch, for any device: the reference of all faster ones.

Candidates come in the order of their arrival. Their bins are drawn first, a segment at a time, to
count the ranks; then they are drawn and scored in chunks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from recvae.rec.arrivals import Arrivals, arrival_times, log2_times
from recvae.rec.proposal import Proposal
from recvae.rec.randomness import KeyWords, private_uniforms, shared_samples
from recvae.rec.stretch import Stretch

FIRST_SEGMENT = 64


@dataclass(frozen=True, eq=False)
class Problem:
    """What a search is given, for each item of a batch.

    Args:
        proposal: what candidates are drawn from and scored with.
        private: keys of the sender's streams, words of shape (batch,).
        shared: block keys of the shared randomness, words of shape (batch,).
        arrivals: law of the arrival times.
        max_candidates: N of ordered and unordered arrivals; elsewhere the cap.
    """

    proposal: Proposal
    private: KeyWords
    shared: KeyWords
    arrivals: Arrivals
    max_candidates: int

    @property
    def batch(self) -> int:
        """Number of items."""
        return len(self.proposal.base)

    def __getitem__(self, items: Tensor) -> "Problem":
        private, shared = ((k[0][items], k[1][items]) for k in (self.private, self.shared))
        return Problem(self.proposal[items], private, shared, self.arrivals, self.max_candidates)


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: flat bins and ranks (batch, keep) int64, scores (batch, keep) float64,
    the candidates drawn (batch,) int64, and whether the search ended at its cap (batch,) bool."""

    bins: Tensor
    ranks: Tensor
    scores: Tensor
    drawn: Tensor
    capped: Tensor

    def put(self, items: slice, of_items: "Found") -> None:
        """Writes what was found for some items into these tensors."""
        for field in fields(self):
            getattr(self, field.name)[items] = getattr(of_items, field.name)


@dataclass(frozen=True, eq=False)
class Segment:
    """Candidates in order of arrival, each field (batch, n); log2_* in bits."""

    bins: Tensor
    ranks: Tensor
    log2_times: Tensor
    log2_ratios: Tensor


class Candidates:
    """The candidates of a batch of items, a segment at a time; `items` are those still searched."""

    def __init__(self, problem: Problem, chunk_elements: int) -> None:
        device = problem.proposal.base.device
        self.problem = problem
        self.chunk_elements = chunk_elements
        self.drawn = 0
        self.items = torch.arange(problem.batch, device=device)
        self.time = torch.zeros((problem.batch, 1), dtype=torch.int64, device=device)
        self.seen = torch.empty((problem.batch, 0), dtype=torch.int64, device=device)

    def next_segment(self, length: int) -> Segment:
        """Draws and scores the next `length` candidates of every item."""
        proposal, private = self.problem.proposal, self.problem.private
        partition = proposal.partition
        step = max(1, self.chunk_elements // (self.problem.batch * partition.dim))
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
            torch.cat(words, dim=1), first, self.problem.arrivals, self.problem.max_candidates
        )
        if self.problem.arrivals != "unordered":
            times = times + self.time
            self.time = times[:, -1:]
        ratios = torch.empty_like(times, dtype=torch.float64)
        for n in chunks:
            tuples = partition.unflatten(new[:, n])
            z = shared_samples(self.problem.shared, partition, tuples, ranks[:, n])
            ratios[:, n] = proposal.log2_ratio(tuples, z)
        self.drawn = end
        return Segment(new, ranks, log2_times(times), ratios)

    def keep_only(self, places: Tensor) -> None:
        """Goes on with some of the items alone, those at these places (n,) int64 of `items`."""
        self.problem, self.items = self.problem[places], self.items[places]
        self.time, self.seen = self.time[places], self.seen[places]


def race(problem: Problem, keep: int, chunk_elements: int) -> Found:
    """The `keep` candidates with the highest score log2 r' - log2 T of N, best first."""
    segment = Candidates(problem, chunk_elements).next_segment(problem.max_candidates)
    scores = segment.log2_ratios - segment.log2_times
    scores, order = torch.sort(scores, dim=1, descending=True, stable=True)
    best = order[:, :keep]
    drawn = torch.full_like(best[:, 0], problem.max_candidates)
    return Found(
        segment.bins.gather(1, best),
        segment.ranks.gather(1, best),
        scores[:, :keep],
        drawn,
        torch.zeros_like(drawn, dtype=torch.bool),
    )


def race_to_the_end(problem: Problem, log2_sup: Tensor, chunk_elements: int) -> Found:
    """The candidate with the highest score of all that will ever arrive.

    Args:
        problem: with Poisson arrivals.
        log2_sup: (batch,) float64, the bound of log2 r': a candidate after time T scores at most
            log2_sup - log2 T, so the race is over when the leader has that.
        chunk_elements: bounds the memory.
    """
    found = _nothing_found(problem)
    for candidates, segment in _segments(problem, chunk_elements):
        items, scores = candidates.items, segment.log2_ratios - segment.log2_times
        running = torch.cat([found.scores[items], scores], dim=1).cummax(dim=1).values[:, 1:]
        over = running >= log2_sup[items, None] - segment.log2_times
        # Rounding must not let one win that comes after the end.
        scores = torch.where(over.cumsum(1) - over.long() > 0, -torch.inf, scores)
        _take_best(found, items, segment, scores)
        _finish(found, candidates, over)
    return found


def first_accepted(problem: Problem, stretch: Stretch, chunk_elements: int) -> Found:
    """The first candidate that arrives before sigma(r): greedy Poisson rejection sampling.

    Its score is infinite. Where there is none before the cap, it is the winner of the race so far.
    """
    found = _nothing_found(problem)
    for candidates, segment in _segments(problem, chunk_elements):
        scores = segment.log2_ratios - segment.log2_times
        log2_sigma = stretch[candidates.items].log2_sigma(segment.log2_ratios)
        accepted = segment.log2_times < log2_sigma
        # The first of several infinite scores leads.
        scores = torch.where(accepted, torch.inf, scores)
        _take_best(found, candidates.items, segment, scores)
        _finish(found, candidates, accepted)
    return found


def _nothing_found(problem: Problem) -> Found:
    base = problem.proposal.base
    bins = torch.zeros((problem.batch, 1), dtype=torch.int64, device=base.device)
    scores = torch.full_like(base, -torch.inf)[:, None]
    drawn = torch.full_like(bins[:, 0], problem.max_candidates)
    return Found(bins, bins.clone(), scores, drawn, torch.ones_like(drawn, dtype=torch.bool))


def _segments(problem: Problem, chunk_elements: int) -> Iterator[tuple[Candidates, Segment]]:
    """Segments until no item is left or the cap is met; they double while they fit into a chunk."""
    candidates = Candidates(problem, chunk_elements)
    while len(candidates.items) and candidates.drawn < problem.max_candidates:
        room = chunk_elements // (len(candidates.items) * problem.proposal.partition.dim)
        length = min(max(FIRST_SEGMENT, candidates.drawn), max(FIRST_SEGMENT, room))
        length = min(length, problem.max_candidates - candidates.drawn)
        yield candidates, candidates.next_segment(length)


def _take_best(found: Found, items: Tensor, segment: Segment, scores: Tensor) -> None:
    """Puts the segment's best candidates where they lead; at equal scores the earlier one does."""
    n = scores.argmax(dim=1, keepdim=True)
    leads = scores.gather(1, n) > found.scores[items]
    for of_all, of_segment in (
        (found.bins, segment.bins),
        (found.ranks, segment.ranks),
        (found.scores, scores),
    ):
        of_all[items] = torch.where(leads, of_segment.gather(1, n), of_all[items])


def _finish(found: Found, candidates: Candidates, over: Tensor) -> None:
    """Takes the items whose search is over, at some candidate of the last segment, out of it."""
    ended = over.any(dim=1)
    items, start = candidates.items[ended], candidates.drawn - over.shape[1]
    found.drawn[items] = start + 1 + over[ended].int().argmax(dim=1)
    found.capped[items] = False
    candidates.keep_only(torch.nonzero(~ended)[:, 0])


def rank_within_bin(bins: Tensor) -> Tensor:
    """How many earlier candidates share each candidate's bin: (batch, n) int64 to the same."""
    in_order, order = torch.sort(bins, dim=1, stable=True)
    places = torch.arange(bins.shape[1], device=bins.device).expand_as(bins)
    starts_run = torch.ones_like(in_order, dtype=torch.bool)
    starts_run[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
    run_start = torch.cummax(torch.where(starts_run, places, 0), dim=1).values
    return torch.empty_like(bins).scatter_(1, order, places - run_start)
