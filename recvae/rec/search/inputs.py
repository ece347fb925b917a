"""The inputs of a search, the rules by which it chooses, and its results."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from recvae.rec.arrivals import Arrivals
from recvae.rec.proposal import Proposal
from recvae.rec.randomness import KeyWords
from recvae.rec.stretch import StretchFunction


@dataclass(frozen=True, eq=False)
class SearchInputs:
    """The candidates of a batch of items: all that is needed to draw and score them.

    Args:
        proposal: distribution to draw candidates from and score them with.
        private: keys of the sender's streams, words of shape (batch,).
        shared: block keys of the shared randomness, words of shape (batch,).
        arrivals: law of the arrival times.
        max_candidates: N for ordered and unordered arrivals, else the cap.
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

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.proposal.base.device

    def __getitem__(self, items: Tensor | slice) -> "SearchInputs":
        private, shared = ((k[0][items], k[1][items]) for k in (self.private, self.shared))
        return SearchInputs(
            self.proposal[items], private, shared, self.arrivals, self.max_candidates
        )


@dataclass(frozen=True, eq=False)
class StoppingRule:
    """The rule by which a search chooses among an item's candidates, in order of arrival.

    A candidate's score is log2 r' - log2 T, in bits; ties go to the earlier one.
    """

    @property
    def keep(self) -> int:
        """The number of candidates found for each item."""
        return 1

    def __getitem__(self, items: Tensor | slice) -> "StoppingRule":
        return self


@dataclass(frozen=True, eq=False)
class Race(StoppingRule):
    """The `keep` candidates with the highest scores of all `max_candidates`, best first."""

    keep: int = 1


@dataclass(frozen=True, eq=False)
class RaceToEnd(StoppingRule):
    """The candidate with the highest score of the infinite sequence; Poisson arrivals.

    Args:
        log2_sup: (batch,) float64, the bound of log2 r' in bits: a candidate after time T scores at
            most log2_sup - log2 T, so the race is over when the leader reaches that.
    """

    log2_sup: Tensor

    def __getitem__(self, items: Tensor | slice) -> "RaceToEnd":
        return RaceToEnd(self.log2_sup[items])


@dataclass(frozen=True, eq=False)
class FirstAccepted(StoppingRule):
    """The first candidate that arrives before sigma(r): greedy Poisson rejection sampling.

    Its score is infinite. If there is none before the cap, it is the current winner of the race.

    Args:
        stretch: sigma of each item.
    """

    stretch: StretchFunction

    def __getitem__(self, items: Tensor | slice) -> "FirstAccepted":
        return FirstAccepted(self.stretch[items])


@dataclass(frozen=True, eq=False)
class BestCandidates:
    """The results of a search for each item of a batch.

    Args:
        bins: flat bins, (batch, keep) int64.
        ranks: (batch, keep) int64.
        scores: (batch, keep) float64, bits.
        num_drawn: number of candidates drawn, (batch,) int64.
        capped: whether the search ended at its cap, (batch,) bool.
    """

    bins: Tensor
    ranks: Tensor
    scores: Tensor
    num_drawn: Tensor
    capped: Tensor

    @staticmethod
    def nothing(batch: int, keep: int, device: torch.device) -> "BestCandidates":
        """Zeros with scores of minus infinity, for `put` to fill."""
        bins = torch.zeros((batch, keep), dtype=torch.int64, device=device)
        scores = torch.full_like(bins, -torch.inf, dtype=torch.float64)
        drawn = torch.zeros(batch, dtype=torch.int64, device=device)
        return BestCandidates(bins, bins.clone(), scores, drawn, torch.zeros_like(drawn).bool())

    @staticmethod
    def joined(parts: Sequence["BestCandidates"]) -> "BestCandidates":
        """Concatenate results of consecutive items, with the same number of candidates each."""
        columns = (
            [getattr(part, field.name) for part in parts] for field in fields(BestCandidates)
        )
        return BestCandidates(*map(torch.cat, columns))

    def put(self, items: slice | Tensor, part: "BestCandidates") -> None:
        """Write the results for some items into these tensors."""
        for field in fields(self):
            getattr(self, field.name)[items] = getattr(part, field.name)


def item_slices(batch: int, elements_per_item: int, chunk_elements: int) -> list[slice]:
    """Slices of a batch with at most chunk_elements elements each, though at least one item."""
    step = max(1, chunk_elements // elements_per_item)
    return [slice(start, start + step) for start in range(0, batch, step)]
