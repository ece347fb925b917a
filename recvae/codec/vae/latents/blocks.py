"""Latents in blocks: uniform bins and a rank for each block. The codec of most models."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.codec.vae.latents.latent_codec import (
    LatentCodec,
    LayoutOptions,
    Sent,
    refuse_bins,
    register_latent_codec,
    search_within_reach,
)
from recvae.codec.vae.ranks import decode_ranks, encode_ranks
from recvae.rec import (
    Block,
    Code,
    Coder,
    DiagonalGaussian,
    IndexCode,
    Partition,
    algorithm_named,
    fit_bucket_code,
    plan_blocks,
)
from recvae.rec.layout import DEFAULT_ALGORITHM
from recvae.vae.information import mutual_information_bits

MAX_LOG2_CANDIDATES = 20
NUMBERS_OF_BLOCKS = (1, 2, 3, 4, 6, 8)

Sender: TypeAlias = Callable[["BlockLatents", DiagonalGaussian, Tensor], Sent]
"""(codec, posteriors (n, D), images (n, h, w) uint8) to the choice to send."""

FitRanks: TypeAlias = Callable[[Tensor, int], IndexCode]
"""From ranks (n,) int64 below N, and N, to a code for them."""


@register_latent_codec
@dataclass(frozen=True)
class BlockLatents(LatentCodec):
    """Codes each block of latents by one relative entropy coder.

    Args:
        key: names the shared randomness, 64 bits.
        blocks: which latents are coded together, and how.
        rank_codes: codes of the ranks within the bins, one a block.
        sender: chooses what is sent; None for the blocks' own coders. Not a constant of the model,
            since no receiver needs it.
    """

    name: ClassVar[str] = "blocks"
    incomplete_message: ClassVar[str] = (
        "blocks: every latent dimension must stand in exactly one block"
    )

    blocks: tuple[Block, ...]
    rank_codes: tuple[IndexCode, ...]
    sender: Sender | None = field(default=None, kw_only=True, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_shared_out(block.dimensions for block in self.blocks)
        if len(self.rank_codes) != len(self.blocks):
            raise ValueError(f"rank_codes: {len(self.rank_codes)} for {len(self.blocks)} blocks")
        for block, code in zip(self.blocks, self.rank_codes, strict=True):
            check_rank_code(code, block.num_candidates)

    @classmethod
    def unfitted(cls, key: int, blocks: Sequence[Block]) -> "BlockLatents":
        """A codec whose rank codes are not fitted yet."""
        none = torch.zeros(0, dtype=torch.int64)
        codes = tuple(fit_bucket_code(none, block.num_candidates) for block in blocks)
        return cls(key, tuple(blocks), codes)

    @classmethod
    def check_options(cls, options: LayoutOptions) -> None:
        """See `LatentCodec`."""
        kind = algorithm_named(options.algorithm or DEFAULT_ALGORITHM)
        if kind.per_dimension:
            raise ValueError(f"algorithm: got {kind.name!r}, which does not code {cls.name}")
        if not kind.partitioned:
            refuse_bins(options, kind.name)
        most = options.max_log2_candidates
        if kind.exact and not 0 <= most <= MAX_LOG2_CANDIDATES:
            raise ValueError(f"max_log2_candidates: got {most}, need 0 to 20 for {kind.name}")

    @classmethod
    def layouts(
        cls, key: int, target: DiagonalGaussian, sample: DiagonalGaussian, options: LayoutOptions
    ) -> Iterator["BlockLatents"]:
        """See `LatentCodec`: one layout for each number of blocks."""
        information = mutual_information_bits(target)
        counts = [options.num_blocks] if options.num_blocks else NUMBERS_OF_BLOCKS
        for num_blocks in counts:
            if num_blocks > len(information) and not options.num_blocks:
                continue
            blocks = plan_blocks(
                information,
                sample,
                num_blocks,
                options.bins_per_information,
                options.extra_bits,
                options.max_log2_candidates,
                options.algorithm or DEFAULT_ALGORITHM,
            )
            yield cls.planned(key, blocks, target)

    @classmethod
    def planned(cls, key: int, blocks: Sequence[Block], target: DiagonalGaussian) -> "BlockLatents":
        """A codec for blocks, given all training images' posteriors; ranks are not fitted yet."""
        return cls.unfitted(key, blocks)

    @property
    def summary(self) -> str:
        """See `LatentCodec`."""
        searches = ", ".join(f"{math.log2(block.num_candidates):.1f}" for block in self.blocks)
        return f"{len(self.blocks)} blocks, log2 N = {searches}"

    def fitted(self, codes: Sequence[Code], fit: FitRanks = fit_bucket_code) -> "BlockLatents":
        """A copy whose rank codes are fitted to the codes sent for training images."""
        pairs = zip(codes, self.blocks, strict=True)
        rank_codes = tuple(fit(code.ranks, block.num_candidates) for code, block in pairs)
        return replace(self, rank_codes=rank_codes)

    @property
    def latent_dim(self) -> int:
        """See `LatentCodec`."""
        return sum(len(block.dimensions) for block in self.blocks)

    @cached_property
    def coders(self) -> tuple[Coder, ...]:
        """The coder of each block."""
        return tuple(block.coder(index) for index, block in enumerate(self.blocks))

    def send(self, target: DiagonalGaussian, images: Tensor | None = None) -> Sent:
        """See `LatentCodec`."""
        if self.sender is not None:
            assert images is not None
            return self.sender(self, target, images)
        targets = (block.take(target) for block in self.blocks)
        return search_within_reach(self.coders, targets, self.key)

    def receive(self, codes: Sequence[Code]) -> Tensor:
        """See `LatentCodec`."""
        first = codes[0].bins
        z = first.new_empty(len(first), self.latent_dim)
        for block, coder, code in zip(self.blocks, self.coders, codes, strict=True):
            z[:, list(block.dimensions)] = coder.decode(code, self.key)
        return z

    def encode(self, encoder: RangeEncoder, codes: Sequence[Code]) -> None:
        """See `LatentCodec`."""
        for index, (code, rank_code) in enumerate(zip(codes, self.rank_codes, strict=True)):
            self.encode_bins(encoder, index, code.bins.numpy())
            encode_ranks(encoder, rank_code, code.ranks)

    def decode(self, decoder: RangeDecoder, count: int) -> list[Code]:
        """See `LatentCodec`."""
        codes = []
        for index, rank_code in enumerate(self.rank_codes):
            bins = self.decode_bins(decoder, index, count).astype(np.int64)
            codes.append(Code(torch.from_numpy(bins), decode_ranks(decoder, rank_code, count)))
        return codes

    def bits(self, codes: Sequence[Code]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `LatentCodec`."""
        bins, ranks = np.zeros((2, len(codes[0].ranks)))
        for index, (code, rank_code) in enumerate(zip(codes, self.rank_codes, strict=True)):
            bins += self.bin_bits(index, code.bins.numpy())
            ranks += rank_code.bits(code.ranks).numpy()
        return bins, ranks

    def to_json(self) -> dict[str, Any]:
        """See `LatentCodec`; a block names its algorithm unless it is the default."""
        return {
            "blocks": [
                {
                    "dimensions": list(block.dimensions),
                    "intervals": list(block.intervals),
                    "num_candidates": block.num_candidates,
                    "rank_code": code.to_json(),
                }
                | ({"algorithm": block.algorithm} if block.algorithm != DEFAULT_ALGORITHM else {})
                for block, code in zip(self.blocks, self.rank_codes, strict=True)
            ]
        }

    @classmethod
    def from_json(cls, key: int, constants: dict[str, Any]) -> "BlockLatents":
        """See `LatentCodec`."""
        return cls(key, *blocks_from_json(constants["blocks"]))

    def encode_bins(self, encoder: RangeEncoder, block: int, bins: NDArray[np.int64]) -> None:
        """Write the bins (n, dim) of a block."""
        encoder.encode_uniform(bins.flatten(), np.tile(self.blocks[block].intervals, len(bins)))

    def decode_bins(self, decoder: RangeDecoder, block: int, count: int) -> NDArray[np.int32]:
        """Read the bins (count, dim) of a block."""
        intervals = self.blocks[block].intervals
        return decoder.decode_uniform(np.tile(intervals, count)).reshape(count, len(intervals))

    def bin_bits(self, block: int, bins: NDArray[np.int64]) -> NDArray[np.float64]:
        """Ideal code length of the bins (n, dim) of a block, (n,)."""
        return np.full(len(bins), Partition(self.blocks[block].intervals).log2_bins)


def blocks_from_json(
    listed: list[dict[str, Any]],
) -> tuple[tuple[Block, ...], tuple[IndexCode, ...]]:
    """Blocks and the codes of their ranks, as `BlockLatents.to_json` lists them."""
    _check_shared_out(block["dimensions"] for block in listed)
    blocks = tuple(
        Block(
            tuple(block["dimensions"]),
            tuple(block["intervals"]),
            block["num_candidates"],
            block.get("algorithm", DEFAULT_ALGORITHM),
        )
        for block in listed
    )
    return blocks, tuple(IndexCode.from_json(block["rank_code"]) for block in listed)


def _check_shared_out(dimensions: Iterable[Sequence[int]]) -> None:
    """Raise ValueError unless these blocks hold each dimension 0 .. D - 1 exactly once."""
    every = sorted(chain.from_iterable(dimensions))
    if not every or every != list(range(len(every))):
        raise ValueError(BlockLatents.incomplete_message)


def check_rank_code(code: IndexCode, num_candidates: int) -> None:
    """Raise ValueError unless a model file may hold this code for ranks below N."""
    if type(num_candidates) is not int or not 1 <= num_candidates <= 1 << MAX_LOG2_CANDIDATES:
        raise ValueError(f"num_candidates is {num_candidates}; allowed: 1 to 2^20")
    code.bits(torch.tensor([num_candidates - 1]))  # raises unless the code covers every rank
    if max(code.raw_bits) > MAX_LOG2_CANDIDATES:
        raise ValueError("rank_code: raw_bits above 20")
