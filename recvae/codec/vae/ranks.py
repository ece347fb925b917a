"""Ranks under an index code to the range coder's symbols and back.

All buckets come first, then the offsets within them. An offset of more than 20 bits takes two
symbols, as the range coder's probabilities have 24 bits: first, for all ranks, the part above
bit 20, then the lower 20 bits.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.rec import IndexCode

SYMBOL_BITS = 20


def encode_ranks(encoder: RangeEncoder, code: IndexCode, ranks: Tensor) -> None:
    """Code ranks (n,) int64, on CPU, in `code.bits(ranks)` bits.

    Raises:
        ValueError: if a rank is beyond the code.
    """
    buckets, places = (part.numpy() for part in code.split(ranks))
    high, low = _symbol_sizes(code, buckets)
    encoder.encode(buckets, _table(code))
    encoder.encode_uniform(places >> SYMBOL_BITS, high)
    encoder.encode_uniform(places & ((1 << SYMBOL_BITS) - 1), low)


def decode_ranks(decoder: RangeDecoder, code: IndexCode, count: int) -> Tensor:
    """The ranks (count,) int64 that `encode_ranks` coded; ValueError for invalid data."""
    buckets = decoder.decode_repeated(_table(code), count)
    high, low = _symbol_sizes(code, buckets)
    places = decoder.decode_uniform(high).astype(np.int64) << SYMBOL_BITS
    places += decoder.decode_uniform(low)
    return code.join(torch.from_numpy(buckets.astype(np.int64)), torch.from_numpy(places))


def _symbol_sizes(
    code: IndexCode, buckets: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of values of the upper and of the lower symbol of each offset."""
    widths = np.array(code.raw_bits, dtype=np.int64)[buckets]
    low = np.minimum(widths, SYMBOL_BITS)
    return 1 << (widths - low), 1 << low


def _table(code: IndexCode) -> NDArray[np.int32]:
    return np.array(code.frequencies, dtype=np.int32)
