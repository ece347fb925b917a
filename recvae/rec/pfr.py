"""The Poisson functional representation and its partitioned form.

Source: Li & El Gamal, "Strong functional representation lemma and applications to coding theorems"
(IEEE Transactions on Information Theory, 2018), section III.
"""

from dataclasses import dataclass
from typing import Any

from recvae.rec.arrivals import Arrivals, check_cap
from recvae.rec.partition import Partition
from recvae.rec.partitioned import PartitionedCoder
from recvae.rec.proposal import Proposal, Weights, log2_sup_ratio
from recvae.rec.search import RaceToEnd, StoppingRule
from recvae.rec.target import DiagonalGaussian, on_grid, require_on_grid


@dataclass(frozen=True)
class PartitionedPFR(PartitionedCoder):
    """Sends argmin T_n / r'(z_n) over the infinite sequence of candidates; exact.

    T_n is the sum of n + 1 exponentials. The search stops once no later candidate can win, when
    best <= T_n / sup r': after about 2^D_inf[Q||P'] candidates.

    Args:
        weights: pi_d(b), proportional to sup r_d on the interval ("sup", which stops earliest) or
            to Q_d(B_b) ("mass"). They affect the search time, never the code length.
        max_candidates: cap on candidates, in [1, 2^30]. A search that ends there is reported by
            `SearchResult.capped` and a warning of `encode`.
    """

    weights: Weights = "sup"
    max_candidates: int = 1 << 20

    def __post_init__(self) -> None:
        check_cap(self.max_candidates)
        if self.weights not in ("sup", "mass"):
            raise ValueError(f"weights: got {self.weights!r}, need 'sup' or 'mass'")
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

    @property
    def proposal_weights(self) -> Weights:
        """See `PartitionedCoder`."""
        return self.weights

    def check_target(self, target: DiagonalGaussian) -> None:
        """See `PartitionedCoder`; the prior's grid must represent it."""
        super().check_target(target)
        require_on_grid(target)

    def rule(self, target: DiagonalGaussian, proposal: Proposal) -> StoppingRule:
        """See `PartitionedCoder`."""
        return RaceToEnd(log2_sup_ratio(target, proposal))


def PFR(dim: int, **options: Any) -> PartitionedPFR:
    """The Poisson functional representation: PartitionedPFR without partition."""
    return PartitionedPFR(Partition.none(dim), **options)
