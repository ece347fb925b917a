"""The range coder of kernels: the bytes of constriction's, and back."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.test_range_coder import ReferenceDecoder, random_frequencies
from recvae.codec.kernel_range_coder import finished
from recvae.codec.range_coder import RangeEncoder
from recvae.jit import threaded
from recvae.kernels import range_coder

TOTAL = 1 << 24


@threaded
def encode(words: Any, intervals: Any) -> Any:
    coder = range_coder.new_encoder(words)
    for left, frequency in intervals:
        range_coder.encode(coder, left, frequency)
    return coder


@threaded
def decode(words: Any, ends: Any) -> Any:
    """Symbols under frequencies with running sums `ends`, (n, classes); whether it went well."""
    coder = range_coder.new_decoder(words)
    symbols = np.zeros(len(ends), np.int64)
    for i in range(len(ends)):
        place, symbol = range_coder.look_up(coder), 0
        while ends[i, symbol] <= place:
            symbol += 1
        left = ends[i, symbol - 1] if symbol else 0
        range_coder.accept(coder, left, ends[i, symbol] - left)
        symbols[i] = symbol
    return symbols, coder.place[1] == 0


def encoded(symbols: np.ndarray, frequencies: np.ndarray) -> bytes:
    ends = frequencies.cumsum(1, dtype=np.int64)
    widths = np.take_along_axis(frequencies, symbols[:, None], 1)[:, 0].astype(np.int64)
    rights = np.take_along_axis(ends, symbols[:, None], 1)[:, 0]
    coder = encode(np.zeros(len(symbols) + 1, np.uint32), np.stack([rights - widths, widths], 1))
    assert not coder.place[1]
    return finished(coder)


def check(symbols: np.ndarray, frequencies: np.ndarray) -> bytes:
    """Check that both coders write the same, decodable bytes, and return them."""
    data = encoded(symbols, frequencies)
    reference = RangeEncoder()
    reference.encode(symbols, frequencies)
    assert data == reference.finish()
    words = np.frombuffer(data + bytes(-len(data) % 4), ">u4").astype(np.uint32)
    found, good = decode(words, frequencies.cumsum(1, dtype=np.int64))
    assert good
    np.testing.assert_array_equal(found, symbols)
    return data


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 200), classes=st.sampled_from([2, 256]))
@settings(deadline=None, max_examples=40)
def test_same_bytes_as_constriction(seed: int, rows: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    frequencies = random_frequencies(random, rows, classes)
    likely = frequencies.argmax(1)
    check(
        np.where(random.random(rows) < 0.5, likely, random.integers(0, classes, rows)), frequencies
    )


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("length", [3, 4, 9, 40])
def test_carries_through_many_words(length: int, end: int) -> None:
    """Each symbol keeps the interval around one point; the last one decides the side."""
    place, low, size = 1 << 63, 0, (1 << 64) - 1
    rows, symbols, words = [], [], 0
    for _ in range(length):
        scale = size >> 24
        left = (place - low) // scale  # the symbol that holds the place, as narrow as can be
        rows.append([max(left, 1), 1, TOTAL - 1 - max(left, 1)])
        symbols.append(1)
        low, size = low + scale * max(left, 1), scale
        if size < 1 << 32:
            low, size, place = low << 32, size << 32, place << 32
            words += 1
    scale = size >> 24
    border = (place - low) // scale
    rows.append([border, 1, TOTAL - 1 - border])  # surely below the point, around it, above it
    symbols.append([0, 2][end])
    data = check(np.array(symbols), np.array(rows, np.int32))
    sealed = data[1 : 4 * (words - 1)]
    assert set(data[:1]) == {[0x7F, 0x80][end]}
    assert set(sealed) <= {[0xFF, 0x00][end]}


def test_cut_endings() -> None:
    """Trailing zeros are not part of a stream, which may end within a word."""
    lengths = set()
    for seed in range(60):
        random = np.random.default_rng(seed)
        rows = int(random.integers(1, 9))
        frequencies = random_frequencies(random, rows, 5)
        lengths.add(len(check(random.integers(0, 5, rows), frequencies)) % 4)
    assert lengths == {0, 1, 2, 3}
    assert check(np.zeros(20, int), np.full((20, 2), TOTAL // 2, np.int32)) == b""


def test_another_decoder() -> None:
    frequencies = random_frequencies(np.random.default_rng(0), 100, 7)
    symbols = np.random.default_rng(1).integers(0, 7, 100)
    reference = ReferenceDecoder(encoded(symbols, frequencies))
    assert [reference.decode(row.tolist()) for row in frequencies] == symbols.tolist()


def test_words_that_do_not_suffice() -> None:
    intervals = np.full((50, 2), TOTAL - 1) * [1, 0] + [0, 1]
    assert not encode(np.zeros(38, np.uint32), intervals).place[1]
    assert encode(np.zeros(36, np.uint32), intervals).place[1]


def test_data_that_no_encoder_writes() -> None:
    """Numbers above all of 2^24 symbols: the interval's remainder."""
    assert not decode(np.full(2, 0xFFFFFFFF, np.uint32), np.array([[1, TOTAL]]))[1]
