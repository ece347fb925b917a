"""Ordered random coding with space partitioning.

Sources: Theis & Yosri, "Algorithms for the communication of samples" (ICML 2022), for ordered
random coding; He, Flamich & Hernandez-Lobato, "Accelerating relative entropy coding with space
partitioning" (NeurIPS 2024), for the partition.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recvae.rec.arrivals import MAX_LOG2_CANDIDATES, log2_ordered_arrivals
from recvae.rec.code import Code
from recvae.rec.partition import Partition
from recvae.rec.proposal import Proposal, propose
from recvae.rec.randomness import (
    MAX_BLOCK,
    KeyWords,
    key_tensor,
    private_key,
    private_uniforms,
    shared_key,
    shared_samples,
)
from recvae.rec.target import DiagonalGaussian


@dataclass(frozen=True)
class PartitionedORC:
    """Sends, of N candidates drawn where the target is, the winner of a race: its bin and rank.

        for candidate n = 0 .. N-1:
            b_d ~ pi_d = Q_d(B_b) in each dimension d             the sender's own randomness
            l = number of earlier candidates with the bin tuple b
            u = shared uniforms of (key, block, b, l)
            z_d = Phi^-1((b_d + u_d) / J_d)
            log r'(z) = sum_d log q_d(z_d) - log p_d(z_d) - log J_d - log pi_d(b_d)
        send (b, l) of argmin(log T_n - log r'(z_n)),  T = cumsum(Exp(1) * N / (N - n))

    The sample has the law of self-normalised importance sampling with N candidates: the target's
    for N well above 2^KL[Q||P'], see `search_kl_bits`. Plain ordered random coding is a partition
    of all ones.

    A code depends on its item's target and key and on the generator's seed; not on what else is in
    the batch nor on `chunk_elements`. Items that share a key share all randomness.

    Args:
        partition: intervals of each dimension.
        num_candidates: N, in [1, 2^24].
        block: names this block of latents within an item, in [0, 2^32): blocks draw independently.
        chunk_elements: bounds the memory of encoding, in elements (of 8 bytes) per temporary.
        implementation: "eager" torch for any device; "fused" for CPU, by numba; "auto" takes the
            fused one for CPU tensors. They give the same codes.

    Raises:
        ValueError: if an argument is out of its range.
    """

    partition: Partition
    num_candidates: int
    block: int = 0
    chunk_elements: int = 1 << 20
    implementation: Literal["auto", "eager", "fused"] = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.num_candidates <= 1 << MAX_LOG2_CANDIDATES:
            raise ValueError(f"num_candidates: got {self.num_candidates}, need 1 to 2^24")
        if not 0 <= self.block <= MAX_BLOCK:
            raise ValueError(f"block: got {self.block}, need an integer in [0, 2^32)")
        if self.chunk_elements < 1:
            raise ValueError(f"chunk_elements: got {self.chunk_elements}, need at least 1")
        if self.implementation not in ("auto", "eager", "fused"):
            raise ValueError(
                f"implementation: got {self.implementation!r}, need 'auto', 'eager' or 'fused'"
            )

    def search_kl_bits(self, target: DiagonalGaussian) -> Tensor:
        """KL[Q||P'] of each item in bits, (batch,) float64: N should be some bits above 2^this."""
        self._check_dim("target", target.dim)
        bits = target.kl_bits().sum(1)
        for items in self._item_chunks(target.batch, sum(self.partition.intervals)):
            bits[items] += propose(target[items], self.partition).weight_bits()
        return bits

    def encode(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator
    ) -> Code:
        """Codes one sample of each target.

        Args:
            target: (batch, dim).
            key: 64-bit name of the shared randomness: an integer in [0, 2^64), or (batch,) int64.
            generator: the sender's own randomness; one 64-bit seed is taken from it.

        Raises:
            ValueError: if target has another dim than the partition, or key is not as above.
        """
        return self.encode_best(target, key, generator, keep=1)[0][:, 0]

    def encode_best(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator, keep: int
    ) -> tuple[Code, Tensor]:
        """The first `keep` finishers of each item's race; the first of them is what `encode` sends.

        Any of them decodes: a sender that knows the cost of what follows may choose.

        Returns:
            codes with bins (batch, keep, dim) and ranks (batch, keep), and their scores
            log2 r'(z_n) - log2 T_n, (batch, keep) float64, falling.
        """
        self._check_dim("target", target.dim)
        if not 1 <= keep <= self.num_candidates:
            raise ValueError(f"keep: got {keep}, need 1 to num_candidates = {self.num_candidates}")
        device, batch = target.mean.device, target.batch
        if self.implementation == "fused" and device.type != "cpu":
            raise ValueError(f"implementation: got 'fused' for {device} tensors, need CPU tensors")
        fused = self.implementation == "fused" or (
            self.implementation == "auto" and device.type == "cpu"
        )
        search = self._search_fused if fused else self._search_eager
        keys = key_tensor(key, batch, device)
        private, shared = private_key(keys, self.block, generator), shared_key(keys, self.block)
        bins = torch.empty((batch, keep), dtype=torch.int64, device=device)
        ranks, scores = torch.empty_like(bins), torch.empty_like(bins, dtype=torch.float64)
        # What is held for each item: its tables and, without fusion, its candidates' numbers.
        held = sum(self.partition.intervals) + (0 if fused else self.num_candidates)
        with torch.no_grad():
            for items in self._item_chunks(batch, held):
                bins[items], ranks[items], scores[items] = search(
                    propose(target[items], self.partition),
                    (private[0][items], private[1][items]),
                    (shared[0][items], shared[1][items]),
                    keep,
                )
        return Code(self.partition.unflatten(bins), ranks), scores

    def decode(self, code: Code, key: int | Tensor) -> Tensor:
        """The samples that a code names: one draw each, in integers.

        Args:
            code: bins (batch, dim) and ranks (batch,); or, for `encode_best`, (batch, keep, dim)
                and (batch, keep).
            key: as given to `encode`.

        Returns:
            int64 of the shape of code.bins, z in units of 2^-28; see `exact.gaussian.to_float`.

        Raises:
            ValueError: if no encoder could have sent the code, or key does not fit.
        """
        bins, ranks = code.bins, code.ranks
        self._check_dim("code", bins.shape[-1])
        intervals = torch.tensor(self.partition.intervals, device=bins.device)
        if not bool(((bins >= 0) & (bins < intervals)).all()):
            raise ValueError(f"bins: got one out of range, need [0, J) of {self.partition}")
        if not bool(((ranks >= 0) & (ranks < self.num_candidates)).all()):
            raise ValueError(f"ranks: got one out of range, need [0, {self.num_candidates})")
        keys = key_tensor(key, bins.shape[0], bins.device)
        single = ranks.dim() == 1
        z = shared_samples(
            shared_key(keys, self.block),
            self.partition,
            bins[:, None] if single else bins,
            ranks[:, None] if single else ranks,
        )
        return z[:, 0] if single else z

    def _item_chunks(self, batch: int, elements_per_item: int) -> list[slice]:
        step = max(1, self.chunk_elements // elements_per_item)
        return [slice(start, start + step) for start in range(0, batch, step)]

    def _check_dim(self, field: str, dim: int) -> None:
        if dim != self.partition.dim:
            raise ValueError(
                f"{field}: got dim {dim}, need that of partition, {self.partition.dim}"
            )

    def _search_eager(
        self, proposal: Proposal, private: KeyWords, shared: KeyWords, keep: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The `keep` best candidates: flat bins, ranks and scores, each (batch, keep)."""
        partition, batch, device = self.partition, len(proposal.base), proposal.base.device
        step = max(1, self.chunk_elements // (batch * partition.dim))
        chunks = [
            (start, min(start + step, self.num_candidates))
            for start in range(0, self.num_candidates, step)
        ]
        bins, time_words = (
            torch.empty((batch, self.num_candidates), dtype=torch.int64, device=device)
            for _ in range(2)
        )
        for start, stop in chunks:
            uniforms = private_uniforms(private, start, stop, 1 + len(partition.cut_dimensions))
            time_words[:, start:stop] = uniforms[:, :, 0]
            bins[:, start:stop] = proposal.draw_bins(uniforms[:, :, 1:])
        ranks = rank_within_bin(bins)
        log2_times = log2_ordered_arrivals(time_words)
        scores = torch.empty_like(log2_times)
        for start, stop in chunks:
            n = slice(start, stop)
            tuples = partition.unflatten(bins[:, n])
            z = shared_samples(shared, partition, tuples, ranks[:, n])
            scores[:, n] = proposal.log2_ratio(tuples, z) - log2_times[:, n]
        scores, order = torch.sort(scores, dim=1, descending=True, stable=True)
        best = order[:, :keep]
        return bins.gather(1, best), ranks.gather(1, best), scores[:, :keep]

    def _search_fused(
        self, proposal: Proposal, private: KeyWords, shared: KeyWords, keep: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        # numba takes long to import, and only this needs it.
        from recvae.rec.orc_fused import search_fused

        return search_fused(proposal, private, shared, self.num_candidates, keep)


def rank_within_bin(bins: Tensor) -> Tensor:
    """How many earlier candidates share each candidate's bin: (batch, n) int64 to the same."""
    in_order, order = torch.sort(bins, dim=1, stable=True)
    places = torch.arange(bins.shape[1], device=bins.device).expand_as(bins)
    starts_run = torch.ones_like(in_order, dtype=torch.bool)
    starts_run[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
    run_start = torch.cummax(torch.where(starts_run, places, 0), dim=1).values
    return torch.empty_like(bins).scatter_(1, order, places - run_start)
