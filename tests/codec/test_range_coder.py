"""The range coder: exact integer frequencies, the shortest ending, and a second implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recvae.codec.range_coder import RangeDecoder, RangeEncoder

TOTAL = 1 << 24
MASK = (1 << 64) - 1


class ReferenceDecoder:
    """constriction's default range decoder, reimplemented in Python integers."""

    def __init__(self, data: bytes) -> None:
        self.data = iter(data + bytes(64))
        self.point = self.read(8)
        self.lower, self.size = 0, MASK

    def read(self, count: int) -> int:
        return int.from_bytes(bytes(next(self.data) for _ in range(count)))

    def decode(self, frequencies: list[int]) -> int:
        scale = self.size >> 24
        quantile = ((self.point - self.lower) & MASK) // scale
        left, symbol = 0, 0
        while left + frequencies[symbol] <= quantile:
            left += frequencies[symbol]
            symbol += 1
        self.lower = (self.lower + scale * left) & MASK
        self.size = scale * frequencies[symbol]
        if self.size < 1 << 32:
            self.size <<= 32
            self.lower = (self.lower << 32) & MASK
            self.point = ((self.point << 32) | self.read(4)) & MASK
        return symbol


def random_frequencies(rng: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    """Rows from nearly flat to nearly one-hot."""
    weights = rng.exponential(size=(rows, classes)) ** rng.choice([1, 4, 16], size=(rows, 1))
    free = TOTAL - classes
    counts = 1 + np.floor(weights / weights.sum(1, keepdims=True) * free).astype(np.int32)
    counts[:, 0] += (TOTAL - counts.sum(1)).astype(np.int32)
    return counts


@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(0, 60), classes=st.sampled_from([2, 5, 251])
)
@settings(deadline=None)
def test_round_trip_length_and_reference(seed: int, rows: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    counts = random_frequencies(rng, rows, classes)
    likely = counts.argmax(1) if rows else np.zeros(0, int)
    symbols = np.where(rng.random(rows) < 0.5, likely, rng.integers(0, classes, rows))
    sizes = rng.integers(1, 1 << 12, rows)
    offsets = rng.integers(0, sizes) if rows else sizes
    encoder = RangeEncoder()
    encoder.encode(symbols, counts)
    encoder.encode_uniform(offsets, sizes)
    encoder.encode(symbols, counts[0] if rows else counts)
    data = encoder.finish()

    decoder = RangeDecoder(data)
    assert (decoder.decode(counts) == symbols).all()
    assert (decoder.decode_uniform(sizes) == offsets).all()
    if rows:
        assert (decoder.decode_repeated(counts[0], rows) == symbols).all()

    reference = ReferenceDecoder(data)
    assert [reference.decode(row.tolist()) for row in counts] == symbols.tolist()
    for size, offset in zip(sizes.tolist(), offsets.tolist(), strict=True):
        if size > 1:  # uniform: 2^24 / size rounded down each, the last one takes the rest
            uniform = [TOTAL // size] * size
            uniform[-1] += TOTAL % size
            assert reference.decode(uniform) == offset

    used = np.concatenate([counts[range(rows), symbols], counts[:1, symbols].flatten()])
    bits = (24 - np.log2(used)).sum()
    bits += np.log2(sizes).sum()
    assert len(data) * 8 <= bits + 9.1


def test_every_symbol_costs_its_frequency() -> None:
    """A difference of one in a frequency is detected: 2^-24 and 1 - 2^-24."""
    counts = np.array([[TOTAL - 1, 1]], dtype=np.int32)
    for symbol, bits in [(0, 0), (1, 24)]:
        encoder = RangeEncoder()
        encoder.encode(np.full(100, symbol), counts.repeat(100, 0))
        assert bits * 100 <= len(encoder.finish()) * 8 <= bits * 100 + 9


def test_the_ending_is_the_shortest() -> None:
    """No shorter string of bytes decodes to the same symbols."""
    counts = np.array([[TOTAL // 4 * 3, TOTAL // 4]], dtype=np.int32).repeat(12, 0)
    for word in range(64):
        symbols = np.array([word >> (i % 6) & 1 for i in range(12)])
        encoder = RangeEncoder()
        encoder.encode(symbols, counts)
        data = encoder.finish()
        if len(data) > 1:
            shorter = [data[:-2] + bytes([b]) for b in range(256)]
            assert all((RangeDecoder(d).decode(counts) != symbols).any() for d in shorter)


@pytest.mark.parametrize("size", [2, 3, 1000, 1 << 20])
def test_uniform_costs_its_logarithm(size: int) -> None:
    symbols = np.arange(1000) * 7919 % size
    encoder = RangeEncoder()
    encoder.encode_uniform(symbols, np.full(1000, size))
    data = encoder.finish()
    assert len(data) * 8 <= 1000 * np.log2(size) + 12
    assert (RangeDecoder(data).decode_uniform(np.full(1000, size)) == symbols).all()


def test_what_is_certain_costs_nothing() -> None:
    certain = np.array([TOTAL], dtype=np.int32)
    encoder = RangeEncoder()
    encoder.encode(np.zeros(3, int), certain)
    encoder.encode(np.zeros(3, int), certain[None].repeat(3, 0))
    assert encoder.finish() == b""
    assert RangeDecoder(b"").decode_repeated(certain, 3).tolist() == [0, 0, 0]
    assert RangeDecoder(b"").decode(certain[None].repeat(3, 0)).tolist() == [0, 0, 0]
    assert RangeDecoder(b"").decode_repeated(np.array([TOTAL - 1, 1], np.int32), 0).tolist() == []
