"""Base of the coders that search candidates one after another."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from recvae.rec.arrivals import Arrivals
from recvae.rec.code import Code, Coder, SearchResult
from recvae.rec.devices import all_hold, constant
from recvae.rec.partition import Partition
from recvae.rec.proposal import Proposal, Weights, propose
from recvae.rec.randomness import (
    MAX_BLOCK,
    key_tensor,
    private_key,
    shared_keys,
    shared_samples,
)
from recvae.rec.search import (
    BestCandidates,
    SearchInputs,
    StoppingRule,
    check_implementation,
    item_slices,
    search,
)
from recvae.rec.target import DiagonalGaussian

RuleFactory: TypeAlias = Callable[[DiagonalGaussian, Proposal], StoppingRule]
"""From some items' targets and their proposal to the rule of the search."""


@dataclass(frozen=True)
class PartitionedCoder(Coder):
    """Sends a candidate's bin and its rank among the candidates of that bin.

        for candidate n = 0, 1, 2, ..
            b_d ~ pi_d in each dimension d                        the sender's private randomness
            l = number of earlier candidates with the bin tuple b
            u = shared uniforms of (key, block, b, l)
            z_d = Phi^-1((b_d + u_d) / J_d)
            log r'(z) = sum_d log q_d(z_d) - log p_d(z_d) - log J_d - log pi_d(b_d)
        send (b, l) of the chosen one

    The coders differ in how long they search and which candidate they choose: a subclass defines
    its `arrivals`, its `limit` of candidates and its `rule`, independent of the device. A code
    depends on its item's target and key and on the generator's seed; not on the rest of the batch,
    nor on `chunk_elements` or `implementation`.

    Source: He, Flamich & Hernandez-Lobato, "Accelerating relative entropy coding with space
    partitioning" (NeurIPS 2024), section 3.

    Args:
        partition: intervals of each dimension; all ones for the coder without partition.
        block: names this block of latents within an item, in [0, 2^32): blocks draw independently.
        chunk_elements: bounds the memory of encoding, in elements (of 8 bytes) per temporary.
        implementation: name of a backend of `rec.search`: "eager" torch for any device, "numba"
            (alias "fused") for CPUs, "triton" for GPUs, "shared" for items that share all
            candidates; "auto" takes the fastest for the tensors. All give the same codes.

    Raises:
        ValueError: if an argument is out of range.
    """

    partition: Partition
    _: KW_ONLY
    block: int = 0
    chunk_elements: int = 1 << 20
    implementation: str = "auto"

    def __post_init__(self) -> None:
        if not 0 <= self.block <= MAX_BLOCK:
            raise ValueError(f"block: got {self.block}, need an integer in [0, 2^32)")
        if self.chunk_elements < 1:
            raise ValueError(f"chunk_elements: got {self.chunk_elements}, need at least 1")
        check_implementation(self.implementation)

    @property
    @abstractmethod
    def arrivals(self) -> Arrivals:
        """The law of the arrival times."""

    @property
    @abstractmethod
    def limit(self) -> int:
        """The maximum number of candidates drawn."""

    @property
    def proposal_weights(self) -> Weights:
        """What pi_d(b) is proportional to."""
        return "mass"

    @abstractmethod
    def rule(self, target: DiagonalGaussian, proposal: Proposal) -> StoppingRule:
        """The rule by which the search chooses among the candidates of some items."""

    def check_target(self, target: DiagonalGaussian) -> None:
        """Raise ValueError for a target that cannot be coded."""
        self._check_dim("target", target.dim)

    def search(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator
    ) -> SearchResult:
        """See `Coder.search`."""
        found = self._search(target, key, generator, self.rule)
        code = Code(self.partition.unflatten(found.bins[:, 0]), found.ranks[:, 0])
        return SearchResult(code, found.num_drawn, found.capped)

    def decode(self, code: Code, key: int | Tensor) -> Tensor:
        """Decode the samples: one draw each, in integers.

        Args:
            code: bins (batch, dim) and ranks (batch,); or (batch, n, dim) and (batch, n).
            key: as given to `encode`.

        Returns:
            int64 of the shape of code.bins, z in units of 2^-28; see `exact.gaussian.to_float`.

        Raises:
            ValueError: if no encoder could have sent the code, or key does not fit.
        """
        bins, ranks = code.bins, code.ranks
        self._check_dim("code", bins.shape[-1])
        intervals = constant(self.partition.intervals, torch.int64, bins.device)
        bins_fit, ranks_fit = all_hold(
            (bins >= 0) & (bins < intervals), (ranks >= 0) & (ranks < self.limit)
        )
        if not bins_fit:
            raise ValueError(f"bins: got one out of range, need [0, J) of {self.partition}")
        if not ranks_fit:
            raise ValueError(f"ranks: got one out of range, need [0, {self.limit})")
        single = ranks.dim() == 1
        z = shared_samples(
            shared_keys(key, bins.shape[0], bins.device, self.block),
            self.partition,
            bins[:, None] if single else bins,
            ranks[:, None] if single else ranks,
        )
        return z[:, 0] if single else z

    def bin_bits(self, code: Code, key: int | Tensor) -> Tensor:
        """log2 J for each item, (batch,) float64."""
        shape, device = code.ranks.shape[:1], code.ranks.device
        return torch.full(shape, self.partition.log2_bins, dtype=torch.float64, device=device)

    def search_kl_bits(self, target: DiagonalGaussian) -> Tensor:
        """KL[Q||P'] of each item in bits, (batch,) float64; the search needs a few bits more."""
        self._check_dim("target", target.dim)
        bits = target.kl_bits().sum(1)
        for items in self._item_slices(target.batch):
            proposal = propose(target[items], self.partition, self.proposal_weights)
            bits[items] += proposal.weight_bits()
        return bits

    def _search(
        self,
        target: DiagonalGaussian,
        key: int | Tensor,
        generator: torch.Generator,
        make_rule: RuleFactory,
    ) -> BestCandidates:
        self.check_target(target)
        batch, device = target.batch, target.mean.device
        private = private_key(key_tensor(key, batch, device), self.block, generator)
        shared = shared_keys(key, batch, device, self.block)
        parts = []
        with torch.no_grad():
            for items in self._item_slices(target.batch) or [slice(0, 0)]:
                part = target[items]
                proposal = propose(part, self.partition, self.proposal_weights)
                inputs = SearchInputs(
                    proposal,
                    (private[0][items], private[1][items]),
                    (shared[0][items], shared[1][items]),
                    self.arrivals,
                    self.limit,
                )
                rule = make_rule(part, proposal)
                parts.append(search(inputs, rule, self.implementation, self.chunk_elements))
        return BestCandidates.joined(parts)

    def _item_slices(self, batch: int) -> list[slice]:
        """Slices of as many items as have proposals that fit a chunk."""
        return item_slices(batch, sum(self.partition.intervals), self.chunk_elements)

    def _check_dim(self, field: str, dim: int) -> None:
        if dim != self.partition.dim:
            raise ValueError(f"{field}: got dim {dim}, need the partition's, {self.partition.dim}")
