"""Latents coded one dimension at a time by branch and bound: A* coding and its relatives.

The stream of a group: the ranks of each dimension; then, step by step, the path to each candidate,
as binary decisions with probabilities proportional to the sizes of the two parts. Sender and
receiver follow the same path.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.codec.vae.latents.blocks import check_rank_code
from recvae.codec.vae.latents.latent_codec import (
    LatentCodec,
    LayoutOptions,
    Sent,
    refuse_bins,
    register_latent_codec,
    search_within_reach,
)
from recvae.codec.vae.ranks import decode_ranks, encode_ranks
from recvae.exact import TOTAL
from recvae.rec import (
    Code,
    Coder,
    DiagonalGaussian,
    IndexCode,
    Partition,
    Setting,
    algorithm_named,
    fit_bucket_code,
)
from recvae.rec.branch_and_bound import SplitOnSample
from recvae.rec.positions import shortest_position

MAX_CANDIDATES = 512
DEFAULT_ALGORITHM = "A*"


@register_latent_codec
@dataclass(frozen=True)
class BranchAndBoundLatents(LatentCodec):
    """Codes each dimension separately, all by one coder.

    Args:
        key: names the shared randomness, 64 bits.
        algorithm: "A*" or "branch-and-bound GPRS".
        rank_codes: codes of the ranks, one a dimension.
        max_candidates: cap on the candidates of each dimension.
    """

    name: ClassVar[str] = "branch and bound"

    algorithm: str
    rank_codes: tuple[IndexCode, ...]
    max_candidates: int = MAX_CANDIDATES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rank_codes:
            raise ValueError("rank_codes: got none, need one for each dimension")
        for code in self.rank_codes:
            check_rank_code(code, self.max_candidates)
        _ = self.coder  # raises for unknown algorithms

    @classmethod
    def unfitted(
        cls, key: int, algorithm: str, dim: int, max_candidates: int = MAX_CANDIDATES
    ) -> "BranchAndBoundLatents":
        """A codec whose rank codes are not fitted yet."""
        knows_nothing = fit_bucket_code(torch.zeros(0, dtype=torch.int64), max_candidates)
        return cls(key, algorithm, (knows_nothing,) * dim, max_candidates)

    @classmethod
    def fit(cls, key: int, algorithm: str, target: DiagonalGaussian) -> "BranchAndBoundLatents":
        """A codec whose rank codes are fitted to posteriors of training images, (n, D)."""
        latents = cls.unfitted(key, algorithm, target.dim)
        return latents.fitted(latents.send(target).codes)

    @classmethod
    def check_options(cls, options: LayoutOptions) -> None:
        """See `LatentCodec`."""
        if options.num_blocks:
            given = f"got {options.num_blocks}, {cls.name} has no blocks"
            raise ValueError(f"num_blocks: {given}: leave it at 0")
        refuse_bins(options, cls.name)
        _coder(options.algorithm or DEFAULT_ALGORITHM, 1, MAX_CANDIDATES)
        if (most := options.max_log2_candidates) < 0:
            raise ValueError(f"max_log2_candidates: got {most}, need 0 or more")

    @classmethod
    def layouts(
        cls, key: int, target: DiagonalGaussian, sample: DiagonalGaussian, options: LayoutOptions
    ) -> Iterator["BranchAndBoundLatents"]:
        """See `LatentCodec`: only one."""
        cap = min(MAX_CANDIDATES, 1 << options.max_log2_candidates)
        yield cls.unfitted(key, options.algorithm or DEFAULT_ALGORITHM, sample.dim, cap)

    @property
    def summary(self) -> str:
        """See `LatentCodec`."""
        return f"each dimension by {self.algorithm}"

    def fitted(self, codes: Sequence[Code]) -> "BranchAndBoundLatents":
        """See `LatentCodec`: fits the rank codes."""
        columns = codes[0].ranks.T
        fitted = tuple(fit_bucket_code(ranks, self.max_candidates) for ranks in columns)
        return replace(self, rank_codes=fitted)

    @property
    def latent_dim(self) -> int:
        """See `LatentCodec`."""
        return len(self.rank_codes)

    @cached_property
    def coder(self) -> SplitOnSample:
        """The coder of all dimensions."""
        return _coder(self.algorithm, self.latent_dim, self.max_candidates)

    @property
    def coders(self) -> tuple[Coder, ...]:
        """See `LatentCodec`."""
        return (self.coder,)

    def send(self, target: DiagonalGaussian, images: Tensor | None = None) -> Sent:
        """See `LatentCodec`."""
        return search_within_reach(self.coders, [target], self.key)

    def receive(self, codes: Sequence[Code]) -> Tensor:
        """See `LatentCodec`."""
        return self.coder.decode(codes[0], self.key)

    def encode(self, encoder: RangeEncoder, codes: Sequence[Code]) -> None:
        """See `LatentCodec`."""
        (code,) = codes
        for d, rank_code in enumerate(self.rank_codes):
            encode_ranks(encoder, rank_code, code.ranks[:, d])
        goal = code.bins.flatten()

        def descent(coordinates: Tensor, low: Tensor, high: Tensor, position: Tensor) -> Tensor:
            above = goal[coordinates] > position
            encoder.encode(above.int().numpy(), _frequencies(low, high, position))
            return above

        self.coder.walk(code.ranks, self.key, descent)

    def decode(self, decoder: RangeDecoder, count: int) -> list[Code]:
        """See `LatentCodec`."""
        columns = [decode_ranks(decoder, rank_code, count) for rank_code in self.rank_codes]
        ranks = torch.stack(columns, dim=1)
        if bool((ranks >= self.max_candidates).any()):
            raise ValueError(f"ranks: got one out of range, need [0, {self.max_candidates})")

        def descent(coordinates: Tensor, low: Tensor, high: Tensor, position: Tensor) -> Tensor:
            above = decoder.decode(_frequencies(low, high, position))
            return torch.from_numpy(above.astype(bool))

        low, high, _ = self.coder.walk(ranks, self.key, descent)
        return [Code(shortest_position(low, high)[..., None], ranks)]

    def bits(self, codes: Sequence[Code]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `LatentCodec`; the path counts as bins."""
        (code,) = codes
        ranks = sum(
            (rank_code.bits(code.ranks[:, d]) for d, rank_code in enumerate(self.rank_codes)),
            start=torch.zeros(len(code.ranks), dtype=torch.float64),
        )
        return self.coder.bin_bits(code, self.key).numpy(), ranks.numpy()

    def to_json(self) -> dict[str, Any]:
        """See `LatentCodec`."""
        return {
            "algorithm": self.algorithm,
            "max_candidates": self.max_candidates,
            "rank_codes": [code.to_json() for code in self.rank_codes],
        }

    @classmethod
    def from_json(cls, key: int, constants: dict[str, Any]) -> "BranchAndBoundLatents":
        """See `LatentCodec`."""
        codes = tuple(map(IndexCode.from_json, constants["rank_codes"]))
        return cls(key, constants["algorithm"], codes, constants["max_candidates"])


def _coder(algorithm: str, dim: int, max_candidates: int) -> SplitOnSample:
    coder = algorithm_named(algorithm).coder(Setting(Partition.none(dim), max_candidates))
    if not isinstance(coder, SplitOnSample):
        raise ValueError(f"algorithm: got {algorithm!r}, need one that codes by branch and bound")
    return coder


def _frequencies(low: Tensor, high: Tensor, position: Tensor) -> NDArray[np.int32]:
    """Frequencies of going below and above the position, (coordinates, 2), by size of the parts."""
    others = (high - low - 1).clamp_min(1)
    above = ((high - position - 1) * TOTAL // others).clamp(1, TOTAL - 1)
    return torch.stack([TOTAL - above, above], dim=1).int().numpy()
