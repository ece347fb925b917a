"""Positions of the prior's grid, [0, 2^32): streams of them, and the intervals that they cut.

The search space of `branch_and_bound`; see there.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from recvae.exact.gaussian import POSITION_BITS
from recvae.rec.arrivals import series_log2
from recvae.rec.randomness import KeyWords, shared_uniforms

POSITIONS = 1 << POSITION_BITS


@dataclass(frozen=True, eq=False)
class Streams:
    """Streams of 32-bit uniforms, one for each pair of an item's key and a dimension.

    Args:
        key: the items' keys, words (streams,).
        dimension: (streams,) int64.
    """

    key: KeyWords
    dimension: Tensor

    def __getitem__(self, streams: Tensor) -> "Streams":
        return Streams((self.key[0][streams], self.key[1][streams]), self.dimension[streams])

    def words(self, k: int) -> Tensor:
        """The uniforms of candidate k, (streams,) int64 in [0, 2^32)."""
        bins = self.dimension[:, None]
        return shared_uniforms(self.key, bins, torch.full_like(bins, k), dim=1)[:, 0, 0]

    def exponentials(self, k: int) -> Tensor:
        """Exp(1) variables, nats; the uniform is (word + 1/2) / 2^32."""
        bits = POSITION_BITS + 1.0 - series_log2((2 * self.words(k) + 1).double())
        return bits * math.log(2)

    def positions(self, k: int, low: Tensor, high: Tensor) -> Tensor:
        """Uniform positions low + floor(word (high - low) / 2^32)."""
        word, size = self.words(k), high - low
        # The product may exceed 2^63: first with the size's upper 16 bits, then with the others.
        return low + ((word * (size >> 16) + (word * (size & 0xFFFF) >> 16)) >> 16)


def item_streams(key: KeyWords, dim: int) -> Streams:
    """A stream for each of `dim` dimensions of each item, items first; key: words (batch,)."""
    dimension = torch.arange(dim, device=key[0].device).repeat(len(key[0]))
    return Streams((key[0].repeat_interleave(dim), key[1].repeat_interleave(dim)), dimension)


def subinterval(
    low: Tensor, high: Tensor, position: Tensor, above: Tensor
) -> tuple[Tensor, Tensor]:
    """The part of [low, high) above or below the position."""
    return torch.where(above, position + 1, low), torch.where(above, high, position)


def shortest_position(low: Tensor, high: Tensor) -> Tensor:
    """The position in [low, high) that ends in the most zero bits: it identifies the interval.

    Args:
        low: int64, at least 0.
        high: int64, in (low, 2^32].
    """
    last = high - 1
    # All ones from the leading bit in which last differs from low - 1.
    differ = (low - 1) ^ last
    for shift in (1, 2, 4, 8, 16):
        differ = differ | (differ >> shift)
    return last & ~(differ >> 1)
