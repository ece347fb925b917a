"""The sender's search: each block separately, the cheapest of its results."""

from dataclasses import replace

import numpy as np
import pytest

from codec.hierarchy.tiny import QUICK, random_tables
from recvae.codec.hierarchy.draws import draw_latents
from recvae.codec.hierarchy.layout import Blocks, Layout, cut_blocks
from recvae.codec.hierarchy.payload import LayerCode
from recvae.codec.hierarchy.search import (
    LEAST_FREQUENCY,
    MIN_LOG2_CANDIDATES,
    Search,
    SearchEffort,
)
from recvae.codec.hierarchy.tables import LayerTables
from recvae.rec.partition import MAX_LOG2_BINS

KEY, LAYER = (1 << 64) - 1, 2  # keys of blocks wrap


def tables_of(intervals: list[list[list[int]]], positions: int, cuts: list[int]) -> LayerTables:
    """Tables of classes with equally many positions a block, and these frequencies of cuts."""
    one = random_tables(0, classes=len(intervals)).layers[0]
    block_positions = np.array([0] + [positions] * len(intervals))
    layout = Layout(1, block_positions, np.array(intervals))
    frequencies = np.array([cuts] * (len(intervals) + 1), np.int32)
    return replace(one, layout=layout, cut_frequencies=frequencies)


@pytest.fixture
def tables() -> LayerTables:
    """Three cuts of up to three positions of three latents, of which one is sometimes sent."""
    rows = [
        [[1, 0, 1], [2, 0, 1], [1, 0, 2]],
        [[2, 0, 2], [2, 0, 3], [3, 0, 2]],
        [[4, 2, 3], [5, 2, 2], [4, 1, 3]],
    ]
    return tables_of(rows, 3, [1 << 22, 1 << 23, 1 << 22])


def posteriors(seed: int, positions: int, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    mean = random.normal(0, 1, (positions, channels))
    return mean, random.uniform(0.2, 1, (positions, channels))


def searched(
    tables: LayerTables, classes: np.ndarray, mean: np.ndarray, scale: np.ndarray, effort=QUICK
) -> LayerCode:
    blocks = cut_blocks(tables.layout, classes)
    search = Search(tables, LAYER, KEY, effort)
    return search((1, classes.shape[1]), blocks, mean, scale)


def test_codes_keep_within_their_tables(tables: LayerTables) -> None:
    classes = np.random.default_rng(0).integers(0, 4, (3, 20))
    mean, scale = posteriors(1, 60)
    code = searched(tables, classes, mean, scale)
    blocks = cut_blocks(tables.layout, classes)
    assert all(map(np.array_equal, code.blocks, blocks))
    assert set(code.cuts) <= {1, 2, 3}
    assert (code.bins >= 0).all()
    intervals = tables.layout.intervals_of(blocks, code.cuts)
    assert (code.bins < np.maximum(intervals, 1)).all()
    assert (code.bins[intervals == 0] == 0).all()
    assert (code.ranks >= 0).all()
    assert (code.ranks < 1 << QUICK.max_log2_candidates).all()


def test_samples_follow_their_posteriors(tables: LayerTables) -> None:
    """Over many blocks, latents are as near to the means as exact draws, unlike prior draws."""
    classes = np.full((1, 900), 3)
    mean, scale = posteriors(2, 900)
    code = searched(tables, classes, mean, scale)
    z = draw_latents(tables.layout, LAYER, KEY, code, 900) * 2.0**-28
    intervals = np.zeros((900, 3), np.int64)
    intervals[code.blocks.positions] = tables.layout.intervals_of(code.blocks, code.cuts)
    squares = (((z - mean) / scale) ** 2)[intervals > 0]
    assert 0.5 < squares.mean() < 1.1
    shifted = (((np.roll(z, 1, 0) - mean) / scale) ** 2)[intervals > 0]
    assert shifted.mean() > 5


def test_a_picture_is_coded_the_same_beside_others(tables: LayerTables) -> None:
    size = 16
    classes = np.random.default_rng(3).integers(0, 4, (4, size))
    classes[2] = 0
    mean, scale = posteriors(4, 4 * size)
    together = searched(tables, classes, mean, scale).split(4)
    for picture, own in enumerate(together):
        rows = slice(picture * size, (picture + 1) * size)
        alone = searched(tables, classes[picture : picture + 1], mean[rows], scale[rows])
        assert all(map(np.array_equal, alone.blocks, own.blocks))
        for part in ("cuts", "bins", "ranks"):
            assert np.array_equal(getattr(alone, part), getattr(own, part))


def test_nothing_is_searched_where_nothing_is_sent(tables: LayerTables) -> None:
    code = searched(tables, np.zeros((2, 5), np.int64), *posteriors(0, 10))
    assert code.bins.shape == (0, 3)
    assert len(code.ranks) == len(code.cuts) == len(code.blocks.classes) == 0


def test_no_cut_of_more_than_2_to_the_62_bins() -> None:
    huge = 1 << 16
    assert MAX_LOG2_BINS < 4 * 16
    rows = [[[2, 2]] * 2, [[huge, huge]] * 2]
    tables = tables_of(rows, 2, [1 << 12, (1 << 24) - (1 << 12)])
    # So narrow that many bins would pay: two positions have too many, one has not.
    mean, scale = np.full((3, 2), 0.3), np.full((3, 2), 2.0**-12)
    code = searched(tables, np.full((1, 3), 2), mean, scale)
    assert code.cuts.tolist() == [1, 2]


def test_seldom_cuts_are_not_tried_but_for_the_first() -> None:
    rows = [[[1, 1]], [[1 << 10, 1 << 10]]]
    narrow = np.full((2, 2), 0.3), np.full((2, 2), 2.0**-12)
    for frequency, expected in ((LEAST_FREQUENCY, 2), (LEAST_FREQUENCY - 1, 1)):
        tables = tables_of(rows, 1, [(1 << 24) - frequency, frequency])
        assert searched(tables, np.full((1, 2), 1), *narrow).cuts.tolist() == [expected] * 2


def test_candidates_follow_what_a_block_needs() -> None:
    """The fewest possible where there is little information, the most allowed where much."""
    rows, effort = [[[1]]], SearchEffort(margin_bits=2.0, max_log2_candidates=9, keep=1)
    tables = tables_of(rows, 1, [1 << 24])
    count = 400
    blocks = Blocks(
        np.arange(count), np.arange(count + 1), np.ones(count, np.int64), np.arange(count)
    )
    for scale, log2_candidates in ((0.4, MIN_LOG2_CANDIDATES), (2.0**-12, 9)):
        search = Search(tables, LAYER, KEY, effort)
        code = search((1, count), blocks, np.zeros((count, 1)), np.full((count, 1), scale))
        assert (1 << log2_candidates) // 4 < code.ranks.max() < 1 << log2_candidates
