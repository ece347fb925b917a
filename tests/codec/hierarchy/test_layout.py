"""Blocks of positions: every sending position is in one, the most informative come first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.hierarchy.tiny import random_layout
from recvae.codec.hierarchy.layout import Blocks, Layout, cut_blocks


def layout_of(block_positions: list[int], region: int = 1) -> Layout:
    shape = (len(block_positions) - 1, max(block_positions), 2)
    return Layout(region, np.array(block_positions), np.full(shape, 3))


@settings(deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 3), st.integers(0, 40), st.integers(1, 6))
def test_every_position_that_sends_is_in_one_block(
    seed: int, pictures: int, size: int, classes: int
) -> None:
    random = np.random.default_rng(seed)
    layout = random_layout(random, classes, 1, 2)
    regions = random.integers(0, classes + 1, (pictures, 1, size))
    of_positions = layout.at_positions(regions, 1, size)
    blocks = cut_blocks(layout, of_positions)
    flat = of_positions.flatten()
    assert sorted(blocks.positions.tolist()) == np.flatnonzero(flat).tolist()
    assert blocks.starts[0] == 0
    assert blocks.starts[-1] == len(blocks.positions)
    assert len(blocks.classes) == len(blocks.numbers) == len(blocks.starts) - 1
    assert (blocks.lengths >= 1).all()
    firsts = blocks.positions[blocks.starts[:-1]]
    assert np.array_equal(blocks.classes, flat[firsts])
    # Picture after picture; in each, higher classes first, then the order of positions.
    picture, k = blocks.positions // max(size, 1), flat[blocks.positions]
    order = np.lexsort((blocks.positions, -k, picture))
    assert np.array_equal(order, np.arange(len(order)))
    # A block ends as its class determines, or where its picture ends.
    last_of_picture = np.append(np.diff(picture[blocks.starts[:-1]]) > 0, True)
    whole = layout.block_positions[blocks.classes]
    assert (blocks.lengths <= whole).all()
    assert ((blocks.lengths == whole) | last_of_picture[: len(whole)]).all()
    for own in range(pictures):
        numbers = blocks.numbers[picture[blocks.starts[:-1]] == own]
        assert numbers.tolist() == list(range(len(numbers)))


@settings(deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 4), st.integers(1, 30))
def test_blocks_of_a_picture_are_those_it_has_alone(seed: int, pictures: int, size: int) -> None:
    random = np.random.default_rng(seed)
    layout = random_layout(random, 3, 1, 1)
    classes = layout.at_positions(random.integers(0, 4, (pictures, 1, size)), 1, size)
    together = cut_blocks(layout, classes)
    alone = [cut_blocks(layout, classes[i : i + 1]) for i in range(pictures)]
    positions = [own.positions + i * size for i, own in enumerate(alone)]
    assert np.array_equal(together.positions, np.concatenate(positions))
    for part in ("classes", "numbers", "lengths"):
        parts = [getattr(own, part) for own in alone]
        assert np.array_equal(getattr(together, part), np.concatenate(parts))


def test_blocks_by_hand() -> None:
    classes = np.array([[2, 0, 1, 2, 1, 2, 1], [0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 2]])
    blocks = cut_blocks(layout_of([0, 3, 2]), classes)
    # In the first: 0, 3 by class 2; 5, 2 by the class of 5; 4, 6 are what is left of class 1.
    assert blocks.positions.tolist() == [0, 3, 5, 2, 4, 6, 20, 14]
    assert blocks.starts.tolist() == [0, 2, 4, 6, 8]
    assert blocks.classes.tolist() == [2, 2, 1, 2]
    assert blocks.numbers.tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("region", [1, 2, 4])
def test_positions_have_the_class_of_their_region(region: int) -> None:
    layout = layout_of([0, 2, 0, 1], region)
    regions = np.random.default_rng(0).integers(0, 4, (2, 3, 5))
    height, width = 3 * region, 5 * region
    found = layout.at_positions(regions, height, width)
    assert found.shape == (2, height * width)
    for image, row, column in np.ndindex(2, height, width):
        k = regions[image, row // region, column // region]
        assert found[image, row * width + column] == (0 if k == 2 else k)  # 2 sends nothing here


def test_intervals_follow_the_cut_and_the_place_within_the_block() -> None:
    random = np.random.default_rng(4)
    layout = random_layout(random, 4, 1, 3)
    lengths = random.integers(1, layout.intervals.shape[1] + 1, 6)
    starts = np.append(0, lengths.cumsum())
    blocks = Blocks(np.arange(starts[-1]), starts, np.ones(6, np.int64), np.arange(6))
    cuts = random.integers(1, 5, 6)
    found = layout.intervals_of(blocks, cuts)
    for block, cut in enumerate(cuts):
        rows = found[starts[block] : starts[block + 1]]
        assert np.array_equal(rows, layout.intervals[cut - 1, : lengths[block]])
        sent = rows[rows > 0]
        assert layout.log2_bins[cut - 1, lengths[block]] == pytest.approx(np.log2(sent).sum())
    assert layout.log2_bins[:, 0].tolist() == [0] * 4
