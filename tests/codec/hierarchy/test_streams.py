"""Streams of a tile: round trips; streams that no encoder writes are refused or detected."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.hierarchy.tiny import random_code, random_tables
from recvae.codec.hierarchy.classes import class_bits
from recvae.codec.hierarchy.payload import layer_bits
from recvae.codec.hierarchy.streams import (
    PictureCode,
    decode_streams,
    encode_streams,
    read_quality,
)
from recvae.codec.hierarchy.tables import Tables
from recvae.codec.range_coder import RangeDecoder

REGIONS = (1, 1, 2)
TABLES = [random_tables(seed, regions=REGIONS) for seed in range(8)]


def shapes_of(rows: int, columns: int) -> list[tuple[int, int]]:
    return [(rows * region, columns * region) for region in REGIONS]


def random_pictures(
    random: np.random.Generator,
    tables: Tables,
    count: int,
    shapes: list[tuple[int, int]],
    quality: int = 50,
) -> list[PictureCode]:
    """Codes of pictures, some of which send nothing at all."""
    pictures = []
    for _ in range(count):
        most = random.choice([1, tables.classes.count])
        classes = random.integers(0, most, (1, *shapes[0]))
        layers = [
            random_code(random, own.layout, classes, shape)
            for own, shape in zip(tables.layers, shapes, strict=True)
        ]
        pictures.append(PictureCode(quality, classes, layers))
    return pictures


def assert_same(left: PictureCode, right: PictureCode, layers: int = len(REGIONS)) -> None:
    assert left.quality == right.quality
    assert np.array_equal(left.classes, right.classes)
    assert len(left.layers) == layers
    for one, other in zip(left.layers, right.layers[:layers], strict=True):
        assert one.shape == other.shape
        for part in ("cuts", "bins", "ranks"):
            assert np.array_equal(getattr(one, part), getattr(other, part))
            assert getattr(one, part).dtype == np.int64
        assert all(map(np.array_equal, one.blocks, other.blocks))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 1 << 30),
    st.integers(0, 7),
    st.integers(1, 4),
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    st.integers(1, 100),
    st.booleans(),
)
def test_what_is_sent_is_received(
    seed: int, which: int, count: int, size: tuple[int, int], quality: int, separate: bool
) -> None:
    random, tables, shapes = np.random.default_rng(seed), TABLES[which], shapes_of(*size)
    pictures = random_pictures(random, tables, count, shapes, quality)
    streams = encode_streams(tables, pictures, separate)
    assert len(streams) == (len(REGIONS) if separate else 1)
    assert read_quality(RangeDecoder(streams[0])) == quality
    for checking in (False, True):
        received = decode_streams(tables, streams, count, shapes, separate, checking)
        assert len(received) == count
        for own, sent in zip(received, pictures, strict=True):
            assert_same(own, sent)
    if separate:  # and the first layers without the others
        received = decode_streams(tables, streams[:2], count, shapes, True, True)
        for own, sent in zip(received, pictures, strict=True):
            assert_same(own, sent, 2)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 30), st.integers(0, 7), st.integers(1, 3))
def test_bits_are_what_the_streams_take(seed: int, which: int, count: int) -> None:
    random, tables, shapes = np.random.default_rng(seed), TABLES[which], shapes_of(4, 5)
    pictures = random_pictures(random, tables, count, shapes)
    bits = np.log2(100)
    for picture in pictures:
        bits += class_bits(tables.classes, picture.classes, 50).sum()
        for own, layer in zip(tables.layers, picture.layers, strict=True):
            bits += sum(layer_bits(own, layer).values())
    (stream,) = encode_streams(tables, pictures, False)
    # Trailing zeros are dropped: for few bits these may be many.
    assert bits - 64 <= 8 * len(stream) <= bits * 1.002 + 24


def test_codes_of_several_pictures_are_split_into_their_own() -> None:
    random, tables, shapes = np.random.default_rng(1), TABLES[0], shapes_of(3, 4)
    for layer, shape in zip(tables.layers, shapes, strict=True):
        regions = random.integers(0, tables.classes.count, (5, *shapes[0]))
        regions[[0, 2, 4]] = 0
        code = random_code(random, layer.layout, regions, shape)
        parts = code.split(5)
        alone = [random_code(random, layer.layout, regions[i : i + 1], shape) for i in range(5)]
        for part, own in zip(parts, alone, strict=True):
            assert all(map(np.array_equal, part.blocks, own.blocks))
        for field in ("cuts", "bins", "ranks"):
            joined = np.concatenate([getattr(part, field) for part in parts])
            assert np.array_equal(joined, getattr(code, field))


def received(
    tables: Tables, streams: list[bytes], separate: bool, checking: bool = False
) -> list[PictureCode] | None:
    """The decoded streams of two pictures; None if they are refused."""
    try:
        pictures = decode_streams(tables, streams, 2, shapes_of(3, 3), separate, checking)
    except ValueError:
        return None
    for picture in pictures:
        assert picture.classes.min() >= 0
        assert picture.classes.max() < tables.classes.count
        for own, code in zip(tables.layers, picture.layers, strict=True):
            intervals = own.layout.intervals_of(code.blocks, code.cuts)
            assert (code.bins >= 0).all()
            assert (code.bins < np.maximum(intervals, 1)).all()
            assert (code.ranks >= 0).all()
    return pictures


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 7), st.booleans(), st.data())
def test_damage_is_refused_or_decodes(which: int, separate: bool, data: st.DataObject) -> None:
    check_damage(which, separate, data)


@pytest.mark.slow
@settings(deadline=None, max_examples=2000)
@given(st.integers(0, 7), st.booleans(), st.data())
def test_much_damage_is_refused_or_decodes(which: int, separate: bool, data: st.DataObject) -> None:
    check_damage(which, separate, data)


def check_damage(which: int, separate: bool, data: st.DataObject) -> None:
    random, tables = np.random.default_rng(data.draw(st.integers(0, 99))), TABLES[which]
    pictures = random_pictures(random, tables, 2, shapes_of(3, 3))
    streams = encode_streams(tables, pictures, separate)
    layer = data.draw(st.integers(0, len(streams) - 1))
    damaged = bytearray(streams[layer])
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
    streams[layer] = bytes(damaged)
    found = received(tables, streams, separate)
    # Checking refuses all streams that would be encoded to other bytes.
    checked = received(tables, streams, separate, checking=True)
    if checked is None:
        return
    assert found is not None
    assert encode_streams(tables, checked, separate) == streams


@pytest.mark.parametrize("ending", [b"\0", b"\x01", b"\xff" * 5])
@pytest.mark.parametrize("separate", [False, True])
def test_checking_refuses_what_follows(ending: bytes, separate: bool) -> None:
    tables = TABLES[1]
    pictures = random_pictures(np.random.default_rng(0), tables, 2, shapes_of(3, 3))
    streams = encode_streams(tables, pictures, separate)
    assert received(tables, streams, separate, checking=True) is not None
    streams[-1] += ending
    assert received(tables, streams, separate, checking=True) is None
    assert received(tables, streams, separate) is not None
