"""The contract of search backends: find the codes of the eager reference, bit for bit.

`SEARCHES` are the cases that distinguish backends; `check` tests one backend on one of them, on any
device.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from rec.coders import random_target, same_target
from recvae.rec import DiagonalGaussian, Partition
from recvae.rec.arrivals import Arrivals
from recvae.rec.proposal import Weights, log2_sup_ratio, propose
from recvae.rec.randomness import key_tensor, private_key, shared_key
from recvae.rec.search import BACKENDS, FirstAccepted, Race, RaceToEnd, SearchInputs, StoppingRule
from recvae.rec.search.inputs import BestCandidates
from recvae.rec.stretch import stretch_function

CHUNK_ELEMENTS = 3000  # several chunks of most searches


@dataclass(frozen=True)
class Searching:
    """A search: the candidates of some items, and the rule.

    Args:
        target: the targets.
        max_candidates: N, or the cap.
        intervals: those of each dimension.
        rule: "race" (of `keep`), "end" (to its end) or "accept".
        ordered: whether the times of a race are ordered.
        one_key: whether all items share their candidates.
        weights: weights of the proposal.
    """

    target: DiagonalGaussian
    max_candidates: int
    intervals: tuple[int, ...]
    rule: str = "race"
    keep: int = 1
    ordered: bool = True
    one_key: bool = False
    weights: Weights = "mass"

    def inputs_and_rule(self, device: torch.device) -> tuple[SearchInputs, StoppingRule]:
        """Its inputs and rule on a device."""
        target = DiagonalGaussian(self.target.mean.to(device), self.target.scale.to(device))
        batch = target.batch
        keys = key_tensor(7 if self.one_key else torch.arange(batch) * 7919 - 2, batch, device)
        private = private_key(keys, 3, torch.Generator().manual_seed(5))
        proposal = propose(target, Partition(self.intervals), self.weights)
        arrivals: Arrivals = "ordered" if self.ordered else "unordered"
        rule: StoppingRule = Race(self.keep)
        if self.rule != "race":
            arrivals = "poisson"
        if self.rule == "end":
            rule = RaceToEnd(log2_sup_ratio(target, proposal))
        elif self.rule == "accept":
            rule = FirstAccepted(stretch_function(target))
        shared = shared_key(keys, 3)
        return SearchInputs(proposal, private, shared, arrivals, self.max_candidates), rule


def _targets(batch: int, dim: int, bits: float = 1.0) -> DiagonalGaussian:
    return random_target(batch, (bits,) * dim, seed=batch + dim)


def _wide(spread: float, scale: float, dim: int) -> DiagonalGaussian:
    noise = torch.randn((5, dim), generator=torch.Generator().manual_seed(1))
    return DiagonalGaussian(spread * noise, torch.full((5, dim), scale))


SEARCHES: dict[str, Callable[[], Searching]] = {
    "ORC": lambda: Searching(_targets(9, 5), 700, (1,) * 5),
    "ORC, one dimension, one item": lambda: Searching(_targets(1, 1), 257, (1,)),
    "ORC, many dimensions": lambda: Searching(_targets(3, 256, 0.05), 300, (1,) * 256),
    "ORC, no items": lambda: Searching(_targets(0, 3), 100, (1, 1, 1)),
    "ORC, one candidate": lambda: Searching(_targets(4, 3), 1, (1, 1, 1)),
    "ORC, target = prior": lambda: Searching(same_target((0.0,) * 3, (1.0,) * 3, 6), 300, (1,) * 3),
    "ORC, keep 5": lambda: Searching(_targets(6, 4), 511, (1,) * 4, keep=5),
    "MRC": lambda: Searching(_targets(9, 5), 700, (1,) * 5, ordered=False),
    "MRC, keep all": lambda: Searching(_targets(3, 2), 40, (1, 1), keep=40, ordered=False),
    "one key": lambda: Searching(_targets(40, 4, 0.6), 900, (1,) * 4, one_key=True),
    "one key, unordered": lambda: Searching(
        _targets(40, 4, 0.6), 900, (1,) * 4, ordered=False, one_key=True
    ),
    "partitioned ORC, 4^12": lambda: Searching(_targets(5, 12), 600, (4,) * 12),
    "partitioned ORC, few and odd": lambda: Searching(_targets(5, 7), 700, (3, 1, 5, 2, 7, 1, 4)),
    "partitioned ORC, ragged": lambda: Searching(_targets(7, 3), 255, (2, 2, 1)),
    "partitioned ORC, long ladders": lambda: Searching(_targets(4, 3, 4.0), 513, (64, 33, 1000)),
    "partitioned ORC, keep 3": lambda: Searching(_targets(4, 4, 2.0), 400, (4, 2, 3, 1), keep=3),
    "partitioned ORC, narrow": lambda: Searching(_wide(0.5, 1e-6, 4), 400, (8, 1, 3, 2)),
    "partitioned ORC, out of float32": lambda: Searching(_wide(1.0, 1e-20, 4), 300, (8, 1, 3, 2)),
    "PFR": lambda: Searching(_targets(9, 3), 5000, (1, 1, 1), "end"),
    "PFR, capped": lambda: Searching(_targets(9, 3, 3.0), 100, (1, 1, 1), "end"),
    "partitioned PFR, sup": lambda: Searching(
        _targets(9, 4, 1.5), 5000, (3, 2, 2, 1), "end", weights="sup"
    ),
    "partitioned PFR, mass": lambda: Searching(_targets(9, 4, 1.5), 5000, (3, 2, 2, 1), "end"),
    "partitioned PFR, many bins": lambda: Searching(
        _targets(2, 4, 4.0), 6000, (64, 64, 64, 64), "end"
    ),
    "GPRS": lambda: Searching(_targets(5, 3), 5000, (1, 1, 1), "accept"),
    "GPRS, capped": lambda: Searching(_targets(5, 3, 3.0), 60, (1, 1, 1), "accept"),
}


def served(backend: str, device: str = "cpu") -> list[str]:
    """The names of the searches that a backend serves on a device."""
    needs, place = BACKENDS[backend].needs, torch.device(device)
    made = ((name, make().inputs_and_rule(place)) for name, make in SEARCHES.items())
    return [name for name, (inputs, rule) in made if needs(inputs, rule) is None]


def check(backend: str, searching: Searching, device: str = "cpu") -> None:
    """Compare a backend with the reference on the same device."""
    inputs, rule = searching.inputs_and_rule(torch.device(device))
    assert BACKENDS[backend].needs(inputs, rule) is None
    check_results(searching, BACKENDS[backend].search(inputs, rule, CHUNK_ELEMENTS), device)


def check_results(searching: Searching, found: BestCandidates, device: str = "cpu") -> None:
    """Compare results with those of the reference on that device."""
    inputs, rule = searching.inputs_and_rule(torch.device(device))
    expected = BACKENDS["eager"].search(inputs, rule, CHUNK_ELEMENTS)
    for field in BestCandidates.__dataclass_fields__:
        reference, result = getattr(expected, field), getattr(found, field)
        assert result.dtype == reference.dtype, field
        assert torch.equal(result, reference), field
