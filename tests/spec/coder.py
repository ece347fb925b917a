"""The range coder, Philox and the Gaussian prior, in Python integers."""

from collections.abc import Sequence

import numpy as np

MASK32, MASK64 = (1 << 32) - 1, (1 << 64) - 1
TOTAL = 1 << 24


class RangeDecoder:
    """Reads symbols from a payload, one after the other."""

    def __init__(self, payload: bytes) -> None:
        self.payload, self.at = payload, 0
        self.lower, self.size, self.point = 0, MASK64, self._next(8)

    def _next(self, count: int) -> int:
        self.at += count
        return int.from_bytes(self.payload[self.at - count : self.at].ljust(count, b"\0"))

    def _quotient(self) -> int:
        q = (self.point - self.lower & MASK64) // (self.size >> 24)
        if q >= TOTAL:
            raise ValueError("no encoder writes this")
        return q

    def _narrow(self, left: int, frequency: int) -> None:
        scale = self.size >> 24
        self.lower = self.lower + scale * left & MASK64
        self.size = scale * frequency
        if self.size < 1 << 32:
            self.size <<= 32
            self.lower = self.lower << 32 & MASK64
            self.point = (self.point << 32 | self._next(4)) & MASK64

    def symbols(self, frequencies: np.ndarray) -> np.ndarray:
        """(n,) symbols under frequencies (n, classes), each row of which sums to 2^24."""
        result = np.zeros(len(frequencies), np.int64)
        for place, ends in enumerate(frequencies.cumsum(axis=1)):
            symbol = int(ends.searchsorted(self._quotient(), side="right"))
            left = int(ends[symbol - 1]) if symbol else 0
            self._narrow(left, int(ends[symbol]) - left)
            result[place] = symbol
        return result

    def symbol(self, frequencies: Sequence[int]) -> int:
        """One symbol; for a single class, without reading anything."""
        return int(self.symbols(np.array([frequencies]))[0]) if len(frequencies) > 1 else 0

    def uniform(self, count: int) -> int:
        """One of `count` equally likely symbols; for a single one, without reading anything."""
        if count == 1:
            return 0
        each = TOTAL // count
        symbol = min(self._quotient() // each, count - 1)
        self._narrow(each * symbol, each if symbol < count - 1 else TOTAL - each * symbol)
        return symbol


def philox(key: int, low: int, high: int = 0) -> list[int]:
    """Philox4x32-10: four words for a 64-bit key and the two halves of a 128-bit counter."""
    k0, k1 = key & MASK32, key >> 32
    c0, c1, c2, c3 = low & MASK32, low >> 32, high & MASK32, high >> 32
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = b >> 32 ^ c1 ^ k0, b & MASK32, a >> 32 ^ c3 ^ k1, a & MASK32
        k0, k1 = k0 + 0x9E3779B9 & MASK32, k1 + 0xBB67AE85 & MASK32
    return [c0, c1, c2, c3]


def quantile(v: int, table: Sequence[int]) -> int:
    """The normal quantile of position v of 2^32, in units of 2^-28."""
    m = 2 * min(v, MASK32 - v) + 1
    octave = m.bit_length() - 1
    mantissa = (m - (1 << octave)) << (31 - octave)  # 31 bits
    entry, rest = octave * 256 + (mantissa >> 23), mantissa & (1 << 23) - 1
    magnitude = table[entry] - ((table[entry] - table[entry + 1]) * rest >> 23)
    return -magnitude if v < 1 << 31 else magnitude


def latents(
    key: int, block: int, intervals: Sequence[int], bins: Sequence[int], rank: int, table: list[int]
) -> list[int]:
    """z of one image in the dimensions of one block; some models have keys beyond 64 bits."""
    w = philox(key, block)
    block_key = w[0] | w[1] << 32
    number = 0
    for count, b in zip(intervals, bins, strict=True):
        number = number * count + b & MASK64
    quads = -(-len(intervals) // 4)
    u = [word for q in range(quads) for word in philox(block_key, number, rank * quads + q)]
    return [
        quantile(((b << 32) + u_d) // count, table)
        for count, b, u_d in zip(intervals, bins, u, strict=False)
    ]
