"""The range coder for kernels: the same bytes and symbols as constriction's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.test_range_coder import random_frequencies
from recvae.codec.kernel_range_coder import (
    KernelRangeDecoder,
    KernelRangeEncoder,
    checking_decoder,
)
from recvae.codec.range_coder import CheckingRangeDecoder, RangeDecoder, RangeEncoder


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """The contents of a group: separate rows, a row for all, equally likely symbols."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    result = []
    for kind in draw(st.lists(st.sampled_from(["rows", "row", "uniform"]), max_size=6)):
        count, classes = draw(st.integers(0, 400)), draw(st.integers(1, 12))
        if kind == "uniform":
            sizes = rng.integers(1, 1 << int(rng.integers(1, 20)), count)
            result.append((kind, rng.integers(0, sizes), sizes))
        else:
            rows = random_frequencies(rng, count if kind == "rows" else 1, classes)
            table = rows if kind == "rows" else rows[0]
            result.append((kind, rng.integers(0, classes, count).astype(np.int32), table))
    return result


def encode(encoder: RangeEncoder, parts: list[tuple[str, np.ndarray, np.ndarray]]) -> bytes:
    for kind, symbols, table in parts:
        (encoder.encode_uniform if kind == "uniform" else encoder.encode)(symbols, table)
    return encoder.finish()


def check_decoded(decoder: RangeDecoder, parts: list[tuple[str, np.ndarray, np.ndarray]]) -> None:
    for kind, symbols, table in parts:
        if kind == "row":
            found = decoder.decode_repeated(table, len(symbols))
        else:
            found = (decoder.decode_uniform if kind == "uniform" else decoder.decode)(table)
        np.testing.assert_array_equal(found, symbols)


@settings(max_examples=60, deadline=None)
@given(steps())
def test_both_coders_write_and_read_the_same(
    parts: list[tuple[str, np.ndarray, np.ndarray]],
) -> None:
    data = encode(RangeEncoder(), parts)
    assert encode(KernelRangeEncoder(), parts) == data
    check_decoded(KernelRangeDecoder(data), parts)
    for checking in (CheckingRangeDecoder(data), checking_decoder(data)):
        check_decoded(checking, parts)
        assert checking.is_whole()


def test_intervals_are_symbols() -> None:
    rows = random_frequencies(np.random.default_rng(0), 5000, 7)
    symbols = np.random.default_rng(1).integers(0, 7, 5000)
    reference, encoder = RangeEncoder(), KernelRangeEncoder()
    reference.encode(symbols, rows)
    ends, at = rows.cumsum(1), np.arange(5000)
    own = rows[at, symbols]
    encoder.encode_intervals(np.stack([ends[at, symbols] - own, own], 1))
    assert encoder.finish() == reference.finish()


def test_what_no_encoder_writes_is_told() -> None:
    frequencies = np.array([[1 << 23, 1 << 23]], np.int32)
    decoder = KernelRangeDecoder(b"\xff" * 12)
    with pytest.raises(ValueError, match="the range coder's data is invalid"):
        decoder.decode(frequencies)
    checking = checking_decoder(bytes(9))
    checking.decode(frequencies)
    assert not checking.is_whole()
