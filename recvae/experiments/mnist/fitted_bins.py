"""Bins coded under a prior that is fitted to the aggregate posterior.

The latents of all images together are not quite distributed as the prior, so some intervals of a
dimension are sent more often than others. The receiver needs their frequencies: constants, which a
.recvae file's model does not hold. So this is a stream of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recvae.codec.latents import BlockLatents
from recvae.codec.range_coder import Decoder, Encoder
from recvae.exact import PRECISION_BITS
from recvae.rec import DiagonalGaussian
from recvae.rec.index_codes import to_frequencies
from recvae.rec.layout import Block

Tables = tuple[tuple[NDArray[np.int32], ...], ...]
"""Frequencies of the intervals, (J_d,), of each dimension of each block."""


@dataclass(frozen=True)
class FittedBins(BlockLatents):
    """As in a .recvae file, but for the frequencies of the bins.

    Args:
        tables: from `fit_bins`.
    """

    tables: Tables = ()

    def encode_bins(self, encoder: Encoder, block: int, bins: NDArray[np.int64]) -> None:
        """See `BlockLatents`."""
        for column, table in zip(bins.T, self.tables[block], strict=True):
            encoder.encode(column, table)

    def decode_bins(self, decoder: Decoder, block: int, count: int) -> NDArray[np.int32]:
        """See `BlockLatents`."""
        columns = [decoder.decode_repeated(table, count) for table in self.tables[block]]
        return np.stack(columns, axis=1)

    def bin_bits(self, block: int, bins: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `BlockLatents`."""
        bits = np.zeros(len(bins))
        for column, table in zip(bins.T, self.tables[block], strict=True):
            bits += PRECISION_BITS - np.log2(table[column])
        return bits


def fit_bins(blocks: tuple[Block, ...], target: DiagonalGaussian) -> Tables:
    """How often an interval holds a latent of the posteriors (n, D) of training images."""

    def table(dimension: int, intervals: int) -> NDArray[np.int32]:
        masses = target.log2_interval_masses(dimension, intervals).exp2().mean(dim=0)
        return np.array(to_frequencies(masses.cpu().numpy()), dtype=np.int32)

    return tuple(tuple(map(table, block.dimensions, block.intervals)) for block in blocks)
