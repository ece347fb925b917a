"""Codes of groups: round trips; streams that no encoder writes are refused or detected."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recvae.codec.inr.layout import MAX_LOG2_CANDIDATES, Layout
from recvae.codec.inr.payload import (
    MAX_CANDIDATES,
    PictureCodes,
    code_bits,
    decode_latents,
    read_codes,
    write_codes,
)
from recvae.codec.range_coder import CheckingRangeDecoder, RangeDecoder, RangeEncoder
from recvae.rec import IndexCode
from recvae.rec.index_codes import to_frequencies

RAW_BITS = tuple(range(MAX_LOG2_CANDIDATES + 1))


def random_layout(random: np.random.Generator) -> Layout:
    """Up to five blocks of up to six latents, some of them not cut."""
    lengths = random.integers(1, 7, random.integers(1, 6))
    sent = int(lengths.sum())
    dimensions = random.permutation(sent + 3)[:sent]
    intervals = random.integers(1, 1 << random.integers(1, 11, sent))
    return Layout(lengths, dimensions, intervals)


def random_rank_code(random: np.random.Generator) -> IndexCode:
    return IndexCode(to_frequencies(random.random(len(RAW_BITS)) ** 6), RAW_BITS)


def random_codes(random: np.random.Generator, layout: Layout, count: int) -> PictureCodes:
    """Codes that an encoder might have found, including first and last bins and ranks."""
    last = np.tile(layout.intervals - 1, (count, 1))
    bins = np.where(random.random(last.shape) < 0.3, last, random.integers(0, last + 1))
    shape = (count, len(layout.lengths))
    ranks = random.integers(0, 1 << random.integers(1, MAX_LOG2_CANDIDATES + 1, shape))
    ranks[random.random(shape) < 0.2] = MAX_CANDIDATES - 1
    return PictureCodes(bins, ranks)


def write(layout: Layout, rank_code: IndexCode, codes: PictureCodes) -> bytes:
    encoder = RangeEncoder()
    write_codes(encoder, layout, rank_code, codes)
    return encoder.finish()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30), st.integers(1, 5))
def test_what_is_sent_is_received(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    layout, rank_code = random_layout(random), random_rank_code(random)
    codes = random_codes(random, layout, count)
    stream = write(layout, rank_code, codes)
    decoder = CheckingRangeDecoder(stream)
    received = read_codes(decoder, layout, rank_code, count)
    assert decoder.is_whole()
    for part in ("bins", "ranks"):
        assert np.array_equal(getattr(received, part), getattr(codes, part))
        assert getattr(received, part).dtype == np.int64
    bits = sum(own.sum() for own in code_bits(layout, rank_code, codes).values())
    assert bits - 64 <= 8 * len(stream) <= bits * 1.002 + 24  # trailing zeros are dropped


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 99), st.data())
def test_damage_is_refused_or_decodes(seed: int, data: st.DataObject) -> None:
    random = np.random.default_rng(seed)
    layout, rank_code = random_layout(random), random_rank_code(random)
    damaged = bytearray(write(layout, rank_code, random_codes(random, layout, 2)))
    kind = data.draw(st.sampled_from(["flip", "cut", "longer", "any"]))
    if kind == "flip" and damaged:
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    elif kind == "longer":
        damaged += data.draw(st.binary(min_size=1, max_size=9))
    else:
        damaged[:] = data.draw(st.binary(max_size=40))
    stream = bytes(damaged)
    try:
        found = read_codes(RangeDecoder(stream), layout, rank_code, 2)
    except ValueError:
        return
    assert ((found.bins >= 0) & (found.bins < layout.intervals)).all()
    assert ((found.ranks >= 0) & (found.ranks < MAX_CANDIDATES)).all()
    assert np.array_equal(decode_latents(layout, 1, found, 99)[:, 50:], np.zeros((2, 49)))
    checking = CheckingRangeDecoder(stream)
    read_codes(checking, layout, rank_code, 2)
    assert checking.is_whole() == (write(layout, rank_code, found) == stream)


@pytest.mark.parametrize("ending", [b"\0", b"\x01", b"\0" * 5])
def test_checking_detects_what_follows(ending: bytes) -> None:
    random = np.random.default_rng(0)
    layout, rank_code = random_layout(random), random_rank_code(random)
    codes = random_codes(random, layout, 2)
    decoder = CheckingRangeDecoder(write(layout, rank_code, codes) + ending)
    received = read_codes(decoder, layout, rank_code, 2)
    assert np.array_equal(received.ranks, codes.ranks)
    assert not decoder.is_whole()


def test_latents_depend_on_key_block_and_code_alone() -> None:
    random = np.random.default_rng(3)
    layout, dim = Layout(np.array([2, 2]), np.array([4, 1, 0, 3]), np.array([3, 1, 3, 1])), 6
    codes = random_codes(random, layout, 4)
    z = decode_latents(layout, 9, codes, dim)
    assert (z[:, [2, 5]] == 0).all()
    assert (z[:, layout.dimensions] != 0).all()
    for place in range(4):
        alone = decode_latents(layout, 9, codes[place : place + 1], dim)
        assert np.array_equal(alone[0], z[place])
    assert not np.array_equal(decode_latents(layout, 8, codes, dim), z)
    same = PictureCodes(np.zeros((1, 4), np.int64), np.zeros((1, 2), np.int64))
    first = decode_latents(layout, 9, same, dim)[0]
    assert first[4] != first[0]  # blocks draw independently


def test_a_latent_lies_in_its_bin() -> None:
    layout = Layout(np.array([1]), np.array([0]), np.array([4]))
    codes = PictureCodes(np.arange(4)[:, None], np.arange(4)[:, None])
    z = decode_latents(layout, 1, codes, 1)[:, 0] * 2.0**-28
    quartile = 0.67448975
    assert (np.digitize(z, [-quartile, 0, quartile]) == np.arange(4)).all()
