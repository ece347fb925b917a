"""Latents in blocks whose bins are coded under a prior fitted to the aggregate posterior.

The latents of all images together do not quite follow the prior, so some intervals of a dimension
are sent more often than others. Their frequencies are constants of the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.codec.vae.latents.blocks import BlockLatents, blocks_from_json
from recvae.codec.vae.latents.latent_codec import register_latent_codec
from recvae.exact import PRECISION_BITS, TOTAL
from recvae.rec import Block, DiagonalGaussian
from recvae.rec.index_codes import to_frequencies

Tables: TypeAlias = tuple[tuple[tuple[int, ...], ...], ...]
"""Frequencies of the intervals of each dimension of each block: integers >= 1 of sum 2^24."""


@register_latent_codec
@dataclass(frozen=True)
class FittedBins(BlockLatents):
    """`BlockLatents` with frequencies for the bins.

    Args:
        tables: as returned by `fit_bins`.
    """

    name: ClassVar[str] = "fitted bins"

    tables: Tables = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        needed = [list(block.intervals) for block in self.blocks]
        if [[len(table) for table in tables] for tables in self.tables] != needed:
            raise ValueError("bin_frequencies: need one for each interval of each dimension")
        for table in (table for tables in self.tables for table in tables):
            if not all(type(f) is int and f >= 1 for f in table) or sum(table) != TOTAL:
                raise ValueError("bin_frequencies: need integers >= 1 with the sum 2^24")

    @classmethod
    def planned(cls, key: int, blocks: Sequence[Block], target: DiagonalGaussian) -> "FittedBins":
        """See `BlockLatents`; fits the bins to all posteriors."""
        plain = BlockLatents.unfitted(key, blocks)
        return cls(key, plain.blocks, plain.rank_codes, tables=fit_bins(blocks, target))

    def encode_bins(self, encoder: RangeEncoder, block: int, bins: NDArray[np.int64]) -> None:
        """See `BlockLatents`."""
        for column, table in zip(bins.T, self._arrays[block], strict=True):
            encoder.encode(column, table)

    def decode_bins(self, decoder: RangeDecoder, block: int, count: int) -> NDArray[np.int32]:
        """See `BlockLatents`."""
        columns = [decoder.decode_repeated(table, count) for table in self._arrays[block]]
        return np.stack(columns, axis=1)

    def bin_bits(self, block: int, bins: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `BlockLatents`."""
        bits = np.zeros(len(bins))
        for column, table in zip(bins.T, self._arrays[block], strict=True):
            bits += PRECISION_BITS - np.log2(table[column])
        return bits

    def to_json(self) -> dict[str, Any]:
        """See `LatentCodec`."""
        tables = [[list(table) for table in tables] for tables in self.tables]
        return super().to_json() | {"bin_frequencies": tables}

    @classmethod
    def from_json(cls, key: int, constants: dict[str, Any]) -> "FittedBins":
        """See `LatentCodec`."""
        tables = tuple(tuple(map(tuple, tables)) for tables in constants["bin_frequencies"])
        return cls(key, *blocks_from_json(constants["blocks"]), tables=tables)

    @cached_property
    def _arrays(self) -> list[list[NDArray[np.int32]]]:
        return [[np.array(table, dtype=np.int32) for table in tables] for tables in self.tables]


def fit_bins(blocks: Sequence[Block], target: DiagonalGaussian) -> Tables:
    """Frequencies of the intervals under the posteriors (n, D) of training images."""

    def table(dimension: int, intervals: int) -> tuple[int, ...]:
        masses = target.log2_interval_masses(dimension, intervals).exp2().mean(dim=0)
        return to_frequencies(masses.cpu().numpy())

    return tuple(tuple(map(table, block.dimensions, block.intervals)) for block in blocks)
