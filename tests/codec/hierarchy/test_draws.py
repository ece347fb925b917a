"""The latents that codes select are the samples of partitioned ORC, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.hierarchy.tiny import random_code, random_layout
from recvae.codec.hierarchy.draws import block_keys, draw_latents, latents_to_float
from recvae.codec.hierarchy.layout import Layout, cut_blocks
from recvae.codec.hierarchy.payload import LayerCode
from recvae.rec import Code, Partition, PartitionedORC


def by_the_coder(layout: Layout, layer: int, key: int, code: LayerCode, size: int) -> np.ndarray:
    """Decode block by block with `PartitionedORC`."""
    z, blocks = np.zeros((size, layout.channels), np.int64), code.blocks
    for block, cut in enumerate(code.cuts):
        rows = slice(blocks.starts[block], blocks.starts[block + 1])
        intervals = layout.intervals[cut - 1, : blocks.lengths[block]]
        sent = intervals > 0
        partition = Partition(tuple(intervals[sent].tolist()))
        coder = PartitionedORC(partition, 1 << 21, block=layer)
        bins = torch.from_numpy(code.bins[rows][sent])[None]
        named = Code(bins, torch.tensor([code.ranks[block]]))
        values = np.zeros(intervals.shape, np.int64)
        number = (key + int(blocks.numbers[block])) % (1 << 64)
        values[sent] = coder.decode(named, number)[0].numpy()
        z[blocks.positions[rows]] = values
    return z


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 1 << 30),
    st.integers(1, 3),
    st.integers(1, 12),
    st.sampled_from([0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 2, (1 << 64) - 1]),
    st.sampled_from([0, 1, 254]),
)
def test_draws_are_those_of_the_coder(
    seed: int, pictures: int, size: int, key: int, layer: int
) -> None:
    random = np.random.default_rng(seed)
    layout = random_layout(random, 4, 1, int(random.integers(1, 4)))
    layout = Layout(1, layout.block_positions, np.minimum(layout.intervals, 8))  # below 2^62 bins
    regions = random.integers(0, 5, (pictures, 1, size))
    code = random_code(random, layout, regions, (1, size))
    total = pictures * size
    z = draw_latents(layout, layer, key, code, total)
    assert z.dtype == np.int64
    assert np.array_equal(z, by_the_coder(layout, layer, key, code, total))


@pytest.mark.parametrize("intervals", [[1 << 20, 1 << 20, 1 << 20], [1 << 20, 0, 1, (1 << 20) - 1]])
def test_finest_partitions(intervals: list[int]) -> None:
    layout = Layout(1, np.array([0, 1]), np.array([[intervals]]))
    regions = np.ones((2, 1, 50), np.int64)
    code = random_code(np.random.default_rng(2), layout, regions, (1, 50))
    z = draw_latents(layout, 3, 7, code, 100)
    assert np.array_equal(z, by_the_coder(layout, 3, 7, code, 100))


def test_keys_of_blocks_wrap() -> None:
    keys = block_keys((1 << 64) - 2, np.arange(4))
    assert keys.tolist() == [-2, -1, 0, 1]


def test_nothing_is_drawn_where_nothing_is_sent() -> None:
    layout = Layout(1, np.array([0, 2]), np.array([[[4, 0], [2, 0]]]))
    blocks = cut_blocks(layout, np.array([[0, 1, 1, 0, 1]]))
    ones = np.ones(2, np.int64)
    code = LayerCode((1, 5), blocks, ones, np.zeros((3, 2), np.int64), ones)
    z = draw_latents(layout, 0, 1, code, 5)
    assert (z[:, 1] == 0).all()
    assert (z[[0, 3], 0] == 0).all()
    assert (z[[1, 2, 4], 0] < 0).all()
    none = cut_blocks(layout, np.zeros((1, 5), np.int64))
    empty = np.zeros(0, np.int64)
    code = LayerCode((1, 5), none, empty, np.zeros((0, 2), np.int64), empty)
    assert not draw_latents(layout, 0, 1, code, 5).any()


def test_units() -> None:
    z = np.array([[0, 1 << 28, -3 << 27]])
    assert latents_to_float(z).tolist() == [[0, 1, -1.5]]
    assert latents_to_float(z).dtype == np.float32
