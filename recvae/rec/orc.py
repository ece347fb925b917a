"""Ordered random coding, minimal random coding, and their partitioned forms.

Sources: Theis & Yosri, "Algorithms for the communication of samples" (ICML 2022), section 3.3, for
ordered random coding; Havasi, Peharz & Hernandez-Lobato, "Minimal random code learning" (ICLR
2019) for minimal random coding.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recvae.rec.arrivals import MAX_LOG2_CANDIDATES, Arrivals
from recvae.rec.code import Code
from recvae.rec.partition import Partition
from recvae.rec.partitioned import PartitionedCoder
from recvae.rec.proposal import Proposal
from recvae.rec.search import Race, StoppingRule
from recvae.rec.target import DiagonalGaussian


@dataclass(frozen=True)
class PartitionedORC(PartitionedCoder):
    """Sends the winner of a race of N candidates: argmin(log T_n - log r'(z_n)).

    T = cumsum(Exp(1) * N / (N - n)), the sorted values of N exponentials, so that early candidates,
    whose ranks are cheap, tend to win. The sample has the law of self-normalised importance
    sampling with N candidates: the target's for N well above 2^KL[Q||P'], see `search_kl_bits`.
    Items with the same key and a partition of all ones share all candidates; their scores are
    then a single matrix product.

    Args:
        num_candidates: N, in [1, 2^24].
        ordered: False for minimal random coding, whose times are the exponentials, unsorted.
    """

    num_candidates: int
    ordered: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.num_candidates <= 1 << MAX_LOG2_CANDIDATES:
            raise ValueError(f"num_candidates: got {self.num_candidates}, need 1 to 2^24")
        super().__post_init__()

    def encode_best(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator, keep: int
    ) -> tuple[Code, Tensor]:
        """The first `keep` finishers of each item's race; `encode` sends the first of them.

        Any of them decodes, so a sender that knows the cost of what follows may choose.

        Returns:
            codes with bins (batch, keep, dim) and ranks (batch, keep), and their scores
            log2 r'(z_n) - log2 T_n, (batch, keep) float64, decreasing.
        """
        if not 1 <= keep <= self.num_candidates:
            raise ValueError(f"keep: got {keep}, need 1 to num_candidates = {self.num_candidates}")
        found = self._search(target, key, generator, lambda *_: Race(keep))
        return Code(self.partition.unflatten(found.bins), found.ranks), found.scores

    @property
    def arrivals(self) -> Arrivals:
        """See `PartitionedCoder`."""
        return "ordered" if self.ordered else "unordered"

    @property
    def limit(self) -> int:
        """See `PartitionedCoder`."""
        return self.num_candidates

    def rule(self, target: DiagonalGaussian, proposal: Proposal) -> StoppingRule:
        """See `PartitionedCoder`."""
        return Race()


def ORC(dim: int, num_candidates: int, **options: Any) -> PartitionedORC:
    """Ordered random coding: PartitionedORC without partition."""
    return PartitionedORC(Partition.none(dim), num_candidates, **options)


def MRC(dim: int, num_candidates: int, **options: Any) -> PartitionedORC:
    """Minimal random coding: ordered random coding without the order."""
    return PartitionedORC(Partition.none(dim), num_candidates, ordered=False, **options)
