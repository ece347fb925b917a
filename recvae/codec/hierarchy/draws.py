"""The latents that codes select: one draw from the shared randomness for each block.

The draws are those of `PartitionedORC.decode`, here for blocks of any intervals at once.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from recvae.codec.hierarchy.layout import Integers, Layout
from recvae.codec.hierarchy.payload import LayerCode
from recvae.exact.gaussian import FRACTION_BITS, gaussian_table
from recvae.jit import compiled
from recvae.rec.randomness import key_tensor, shared_key
from recvae.rec.search.numba.quantile import quantile
from recvae.rec.search.numba.words import HALF, philox, shared_counter

_U64 = np.uint64


def block_keys(key: int, numbers: Integers) -> torch.Tensor:
    """Keys of the shared randomness by block: the model's plus the block's number, int64."""
    numbered = key_tensor(key, len(numbers), torch.device("cpu"))
    return numbered + torch.from_numpy(numbers)  # wraps, as 64-bit keys do


def draw_latents(layout: Layout, layer: int, key: int, code: LayerCode, size: int) -> Integers:
    """Latents of a layer, (positions, channels) int64 in units of 2^-28; 0 where none was sent.

    Args:
        layout: the layer's layout.
        layer: its index, which selects its randomness.
        key: the model's key.
        code: the layer's code.
        size: number of positions of all pictures.
    """
    z = np.zeros((size, layout.channels), np.int64)
    blocks = code.blocks
    if len(code.ranks):
        low, high = shared_key(block_keys(key, blocks.numbers), layer)
        keys = np.stack([low.numpy(), high.numpy()], axis=1).astype(np.uint64)
        intervals, bins, ranks = (
            x.astype(np.uint64) for x in (layout.intervals, code.bins, code.ranks)
        )
        _draw(
            blocks.positions, blocks.starts, code.cuts, intervals, bins, ranks, keys,
            gaussian_table(), z,
        )  # fmt: skip
    return z


@compiled(nogil=True)
def _draw(positions, starts, cuts, intervals, bins, ranks, keys, table, z):
    channels = z.shape[1]
    for block in range(ranks.size):
        begin, end, rows = starts[block], starts[block + 1], intervals[cuts[block] - 1]
        number, dim = _U64(0), 0
        for p in range(end - begin):
            for c in range(channels):
                if rows[p, c]:
                    number = number * rows[p, c] + bins[begin + p, c]
                    dim += 1
        first_count = ranks[block] * _U64((dim + 3) // 4)
        words = (_U64(0), _U64(0), _U64(0), _U64(0))
        d = 0
        for p in range(end - begin):
            for c in range(channels):
                if rows[p, c] == 0:
                    continue
                if d % 4 == 0:
                    counter = shared_counter(number, first_count + _U64(d // 4))
                    words = philox(counter, keys[block, 0], keys[block, 1])
                position = (bins[begin + p, c] << HALF | words[d % 4]) // rows[p, c]
                z[positions[begin + p], c] = quantile(position, table)
                d += 1


def latents_to_float(z: Integers) -> NDArray[np.float32]:
    """Convert latents from units of 2^-28."""
    return (z * 2.0**-FRACTION_BITS).astype(np.float32)
