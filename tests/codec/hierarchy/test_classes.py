"""Classes of regions: coded given what the receiver knows, at the cost of the tables."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.hierarchy.tiny import random_class_tables
from recvae.codec.hierarchy.classes import (
    ClassTables,
    band_of,
    class_bits,
    contexts,
    decode_classes,
    encode_classes,
)
from recvae.codec.range_coder import CheckingRangeDecoder, RangeEncoder
from recvae.hierarchy.quality import MAX_QUALITY, MIN_QUALITY

SIZES = list(itertools.product(range(1, 8), range(1, 10)))


def maps(seed: int, shape: tuple[int, ...], classes: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, shape)


@settings(deadline=None)
@given(st.sampled_from(SIZES), st.integers(1, 3), st.integers(1, 64), st.integers(1, 100))
def test_what_is_sent_is_received(
    size: tuple[int, int], count: int, classes: int, quality: int
) -> None:
    random = np.random.default_rng(quality)
    tables = random_class_tables(random, classes)
    sent = maps(quality, (count, *size), classes + 1)
    encoder = RangeEncoder()
    encode_classes(encoder, tables, sent, quality)
    data = encoder.finish()
    decoder = CheckingRangeDecoder(data)
    received = decode_classes(decoder, tables, sent.shape, quality)
    assert np.array_equal(received, sent)
    assert decoder.is_whole()
    bits = class_bits(tables, sent, quality)
    assert bits.shape == (count,)
    # Trailing zeros are dropped: for few bits these may be many.
    assert bits.sum() - 64 <= 8 * len(data) <= bits.sum() + 16


@pytest.mark.parametrize("size", SIZES)
def test_each_region_is_sent_once_given_what_went_before(size: tuple[int, int]) -> None:
    """A context is the rounded mean of all neighbours known in its pass, all sent before."""
    classes = maps(0, (2, *size), 7)
    sent = np.full_like(classes, -1)
    for place, context in contexts(classes):
        rows, columns = (np.arange(side)[part] for side, part in zip(size, place[1:], strict=True))
        even = rows[0] % 2 == columns[0] % 2
        steps = itertools.product((-1, 1), (-1, 1)) if even else ((-1, 0), (1, 0), (0, -1), (0, 1))
        neighbours = list(steps) if sent.max() >= 0 else []
        for image, (i, row), (j, column) in itertools.product(
            range(2), enumerate(rows), enumerate(columns)
        ):
            known = [
                int(sent[image, row + down, column + right])
                for down, right in neighbours
                if 0 <= row + down < size[0] and 0 <= column + right < size[1]
            ]
            assert min(known, default=0) >= 0
            expected = int(np.floor(np.mean(known) + 0.5)) + 1 if known else 0
            assert context[image, i, j] == expected
        assert (sent[place] == -1).all()
        sent[place] = classes[place]
    assert np.array_equal(sent, classes)


def test_classes_of_later_passes_change_no_context() -> None:
    """A receiver that does not know the classes yet finds the same contexts."""
    classes = maps(3, (1, 7, 9), 9)
    known = np.full_like(classes, -1)
    passes = zip(contexts(classes), contexts(known), strict=True)
    for (place, context), (same_place, same_context) in passes:
        assert place == same_place
        assert np.array_equal(context, same_context)
        known[place] = classes[place]


def test_bands_share_the_qualities_evenly() -> None:
    qualities = range(MIN_QUALITY, MAX_QUALITY + 1)
    for bands in (1, 3, 10, 100):
        found = [band_of(quality, bands) for quality in qualities]
        assert found == sorted(found)
        sizes = np.bincount(found)
        assert len(sizes) == bands
        assert sizes.max() - sizes.min() <= 1


def test_each_band_has_frequencies_of_its_own() -> None:
    tables, sent = random_class_tables(np.random.default_rng(0), 5), maps(1, (1, 5, 5), 6)
    bits = {float(class_bits(tables, sent, quality)[0]) for quality in range(1, 101)}
    assert len(bits) == len(tables.frequencies)


def test_a_class_begins_at_its_edge() -> None:
    tables = ClassTables(np.zeros((1, 4, 3), np.int32), np.array([1.0, 4.0], np.float32))
    chosen = tables.choose(np.array([[[0, 0.99, 1, 3.99, 4, 1e9]]]))
    assert chosen.tolist() == [[[0, 0, 1, 1, 2, 2]]]
    assert chosen.dtype == np.int64
