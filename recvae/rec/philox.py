"""Philox4x32-10, the counter-based generator behind all randomness of relative entropy coding.

A bijection of 128-bit counters under a 64-bit key, so any draw can be computed alone. All words are
int64 tensors with values in [0, 2^32), of any shapes that broadcast, on any device.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
"""

from torch import Tensor

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_INCREMENTS = (0x9E3779B9, 0xBB67AE85)
MASK = 0xFFFFFFFF


def _multiply(word: Tensor, multiplier: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of the product of two 32-bit words."""
    # Both multipliers exceed 2^31, so the product may exceed 2^63. With 2^32 subtracted from the
    # multiplier it cannot; the high half is then too small by `word`.
    product = word * (multiplier - (1 << 32))
    return ((product >> 32) + word) & MASK, product & MASK


def philox4x32(
    counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four words of 32 random bits from a counter of four words and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        high0, low0 = _multiply(c0, MULTIPLIERS[0])
        high2, low2 = _multiply(c2, MULTIPLIERS[1])
        c0, c1, c2, c3 = high2 ^ c1 ^ k0, low2, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + KEY_INCREMENTS[0]) & MASK, (k1 + KEY_INCREMENTS[1]) & MASK
    return c0, c1, c2, c3


def split_words(x: Tensor) -> tuple[Tensor, Tensor]:
    """Low and high 32-bit word of 64-bit integers (int64, read as two's complement)."""
    return x & MASK, (x >> 32) & MASK
