"""The latents that codes name: one draw from the shared randomness for each block.

The draws are those of `PartitionedORC.decode`; here for blocks of any intervals side by side.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from recvae.codec.hierarchy.layout import Blocks, Integers, Layout
from recvae.exact.gaussian import FIRST_ENTRY, MANTISSA_BITS, REST_BITS, gaussian_table
from recvae.jit import compiled
from recvae.rec.randomness import key_tensor, shared_key
from recvae.rec.search.numba.words import HALF, MASK, philox, shared_counter

_U64 = np.uint64
_ENTRY_SHIFT, _REST_SHIFT = _U64(52 - MANTISSA_BITS), _U64(52 - MANTISSA_BITS - REST_BITS)
_FIRST_ENTRY, _REST_MASK = _U64(FIRST_ENTRY), (1 << REST_BITS) - 1


def block_keys(key: int, numbers: Integers) -> torch.Tensor:
    """Key of the shared randomness of each block: the model's plus the block's number, int64."""
    numbered = key_tensor(key, len(numbers), torch.device("cpu"))
    return numbered + torch.from_numpy(numbers)  # which wraps, as 64-bit keys do


def draw_latents(
    layout: Layout, layer: int, key: int, blocks: Blocks, bins: Integers, ranks: Integers, size: int
) -> Integers:
    """Latents of a layer, (positions, channels) int64 in units of 2^-28; 0 where none was sent.

    Args:
        layout: of the layer.
        layer: its number, which names its randomness.
        key: of the model.
        blocks: of all images.
        bins: of all blocks in order, (total, channels) by position.
        ranks: (blocks,).
        size: number of positions of all images.
    """
    z = np.zeros((size, layout.channels), np.int64)
    if len(ranks):
        low, high = shared_key(block_keys(key, blocks.numbers), layer)
        keys = np.stack([low.numpy(), high.numpy()], axis=1).astype(np.uint64)
        starts = layout.block_positions.cumsum() - layout.block_positions
        _draw(
            blocks.positions, blocks.starts, starts[blocks.classes],
            np.concatenate(layout.intervals).astype(np.uint64), bins.astype(np.uint64),
            ranks.astype(np.uint64), keys, gaussian_table(), z,
        )  # fmt: skip
    return z


@compiled(nogil=True)
def _draw(positions, starts, rows, intervals, bins, ranks, keys, table, z):
    channels = z.shape[1]
    for block in range(ranks.size):
        begin, end, row = starts[block], starts[block + 1], rows[block]
        dim = (end - begin) * channels
        number = _U64(0)
        for p in range(end - begin):
            for c in range(channels):
                number = number * intervals[row + p, c] + bins[begin + p, c]
        quads = _U64((dim + 3) // 4)
        words = (_U64(0), _U64(0), _U64(0), _U64(0))
        for d in range(dim):
            if d % 4 == 0:
                count = ranks[block] * quads + _U64(d // 4)
                words = philox(shared_counter(number, count), keys[block, 0], keys[block, 1])
            p, c = d // channels, d % channels
            digit = bins[begin + p, c]
            position = ((digit << HALF) | words[d % 4]) // intervals[row + p, c]
            # As in exact.gaussian.quantile.
            pattern = np.float64(np.float64(min(position, MASK - position)) + 0.5).view(np.uint64)
            entry = (pattern >> _ENTRY_SHIFT) - _FIRST_ENTRY
            rest = np.int64(pattern >> _REST_SHIFT) & _REST_MASK
            drop = np.int64(table[entry]) - np.int64(table[entry + _U64(1)])
            magnitude = np.int64(table[entry]) - (drop * rest >> REST_BITS)
            z[positions[begin + p], c] = magnitude if position > MASK >> _U64(1) else -magnitude


def latents_to_float(z: Integers) -> NDArray[np.float32]:
    """In units of 1."""
    return (z * 2.0**-28).astype(np.float32)
