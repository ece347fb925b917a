"""The code of a layer, and its range coding: integers throughout."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recvae.codec.hierarchy.layout import Blocks, Integers, cut_blocks
from recvae.codec.hierarchy.tables import LayerTables
from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.exact.frequencies import PRECISION_BITS


@dataclass(frozen=True, eq=False)
class LayerCode:
    """The code of a layer of pictures of one size.

    Fields:
        shape: height and width of the layer, in positions.
        blocks: the blocks, which follow from the classes.
        cuts: cuts of the blocks, (blocks,).
        bins: (positions of all blocks, channels).
        ranks: (blocks,).
    """

    shape: tuple[int, int]
    blocks: Blocks
    cuts: Integers
    bins: Integers
    ranks: Integers

    def split(self, count: int) -> list["LayerCode"]:
        """Split by picture, of which there are `count`."""
        size = self.shape[0] * self.shape[1]
        blocks, codes = self.blocks, []
        pictures = blocks.positions[blocks.starts[:-1]] // size
        ends = np.searchsorted(pictures, np.arange(count + 1))
        for picture, (first, last) in enumerate(pairwise(ends.tolist())):
            begin, end = int(blocks.starts[first]), int(blocks.starts[last])
            own = Blocks(
                blocks.positions[begin:end] - picture * size,
                blocks.starts[first : last + 1] - begin,
                blocks.classes[first:last],
                blocks.numbers[first:last],
            )
            cuts, ranks = self.cuts[first:last], self.ranks[first:last]
            codes.append(LayerCode(self.shape, own, cuts, self.bins[begin:end], ranks))
        return codes


def encode_layer(encoder: RangeEncoder, tables: LayerTables, code: LayerCode) -> None:
    """Encode cuts, bins and ranks of all blocks."""
    encoder.encode(code.cuts - 1, tables.cut_frequencies[code.blocks.classes])
    intervals = tables.layout.intervals_of(code.blocks, code.cuts)
    encoder.encode_uniform(code.bins.flatten(), intervals.flatten())
    buckets, places, sizes = _split(tables, code.ranks)
    encoder.encode(buckets, tables.bucket_frequencies[code.cuts - 1])
    encoder.encode_uniform(places, sizes)


def decode_layer(
    decoder: RangeDecoder, tables: LayerTables, classes: Integers, shape: tuple[int, int]
) -> LayerCode:
    """Decode a layer of one picture, given its shape in positions and its regions' classes.

    Raises ValueError for data that no encoder writes, where this is detectable.
    """
    blocks = cut_blocks(tables.layout, tables.layout.at_positions(classes, *shape))
    cuts = decoder.decode(tables.cut_frequencies[blocks.classes]).astype(np.int64) + 1
    intervals = tables.layout.intervals_of(blocks, cuts)
    bins = decoder.decode_uniform(intervals.flatten()).astype(np.int64).reshape(intervals.shape)
    buckets = decoder.decode(tables.bucket_frequencies[cuts - 1]).astype(np.int64)
    starts, sizes = tables.buckets
    places = decoder.decode_uniform(sizes[buckets]).astype(np.int64)
    return LayerCode(shape, blocks, cuts, bins, starts[buckets] + places)


def layer_bits(tables: LayerTables, code: LayerCode) -> dict[str, float]:
    """Ideal code lengths of the parts of a layer, in bits."""
    buckets, _, sizes = _split(tables, code.ranks)
    cuts = tables.cut_frequencies[code.blocks.classes, code.cuts - 1]
    chosen = tables.bucket_frequencies[code.cuts - 1, buckets]
    return {
        "cuts": float((PRECISION_BITS - np.log2(cuts)).sum()),
        "bins": float(tables.layout.log2_bins[code.cuts - 1, code.blocks.lengths].sum()),
        "ranks": float((PRECISION_BITS - np.log2(chosen) + np.log2(sizes)).sum()),
    }


def _split(tables: LayerTables, ranks: Integers) -> tuple[Integers, Integers, Integers]:
    """Bucket of each rank, its offset in it, and the bucket's size."""
    starts, sizes = tables.buckets
    buckets = np.searchsorted(starts, ranks, side="right") - 1
    return buckets, ranks - starts[buckets], sizes[buckets]
