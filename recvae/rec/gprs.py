"""Greedy Poisson rejection sampling, global form.

Source: Flamich, "Greedy Poisson rejection sampling" (NeurIPS 2023), section 3.
"""

from dataclasses import dataclass
from typing import Any

from recvae.rec.arrivals import Arrivals, check_cap
from recvae.rec.partition import Partition
from recvae.rec.partitioned import PartitionedCoder
from recvae.rec.proposal import Proposal
from recvae.rec.search import FirstAccepted, StoppingRule
from recvae.rec.stretch import stretch_function
from recvae.rec.target import DiagonalGaussian, on_grid, require_on_grid


@dataclass(frozen=True)
class GlobalGPRS(PartitionedCoder):
    """Sends the first candidate that arrives before its stretched density ratio; exact.

    Accepts when T_n < sigma(r(z_n)), T_n the sum of n + 1 exponentials, sigma as in `stretch`.
    Draws sup r = 2^D_inf[Q||P] candidates on average.

    Args:
        partition: all ones.
        max_candidates: cap on candidates, in [1, 2^30]. A search that ends there sends the current
            winner of the race of `PartitionedPFR`, and is reported by `SearchResult.capped` and a
            warning of `encode`.
    """

    max_candidates: int = 1 << 20

    def __post_init__(self) -> None:
        check_cap(self.max_candidates)
        if self.partition.num_bins > 1:
            raise ValueError(f"partition: got {self.partition.num_bins} bins, need one")
        super().__post_init__()

    def within_reach(self, target: DiagonalGaussian) -> DiagonalGaussian:
        """See `Coder.within_reach`."""
        return on_grid(target)

    @property
    def arrivals(self) -> Arrivals:
        """See `PartitionedCoder`."""
        return "poisson"

    @property
    def limit(self) -> int:
        """See `PartitionedCoder`."""
        return self.max_candidates

    def check_target(self, target: DiagonalGaussian) -> None:
        """See `PartitionedCoder`; the prior's grid must represent it."""
        super().check_target(target)
        require_on_grid(target)

    def rule(self, target: DiagonalGaussian, proposal: Proposal) -> StoppingRule:
        """See `PartitionedCoder`."""
        return FirstAccepted(stretch_function(target))


def GPRS(dim: int, **options: Any) -> GlobalGPRS:
    """Global greedy Poisson rejection sampling."""
    return GlobalGPRS(Partition.none(dim), **options)
