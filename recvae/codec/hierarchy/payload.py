"""The streams: classes, bins and ranks of some layers, in integers from end to end."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recvae.codec.hierarchy.classes import class_bits, decode_classes, encode_classes
from recvae.codec.hierarchy.layout import Blocks, Integers, cut_blocks
from recvae.codec.hierarchy.tables import LayerTables
from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.hierarchy.quality import MAX_QUALITY, MIN_QUALITY

QUALITIES = np.array([MAX_QUALITY - MIN_QUALITY + 1])


@dataclass(frozen=True, eq=False)
class LayerCode:
    """What is sent of a layer of pictures of one size.

    Fields:
        shape: height and width of the layer, positions.
        classes: of its regions, (n, rows, columns).
        blocks: what `cut_blocks` makes of them.
        bins: (positions of all blocks, channels).
        ranks: (blocks,).
    """

    shape: tuple[int, int]
    classes: Integers
    blocks: Blocks
    bins: Integers
    ranks: Integers

    def split(self) -> list["LayerCode"]:
        """Of each picture by itself."""
        height, width = self.shape
        blocks, codes = self.blocks, []
        of_block = blocks.positions[blocks.starts[:-1]] // (height * width)
        ends = np.searchsorted(of_block, np.arange(len(self.classes) + 1))
        for picture, (first, last) in enumerate(pairwise(ends.tolist())):
            begin, end = int(blocks.starts[first]), int(blocks.starts[last])
            own = Blocks(
                blocks.positions[begin:end] - picture * height * width,
                blocks.starts[first : last + 1] - begin,
                blocks.classes[first:last],
                blocks.numbers[first:last],
            )
            classes = self.classes[picture : picture + 1]
            codes.append(
                LayerCode(self.shape, classes, own, self.bins[begin:end], self.ranks[first:last])
            )
        return codes


def encode_quality(encoder: RangeEncoder, quality: int) -> None:
    """Send the quality."""
    encoder.encode_uniform(np.array([quality - MIN_QUALITY]), QUALITIES)


def decode_quality(decoder: RangeDecoder) -> int:
    """Receive it."""
    return int(decoder.decode_uniform(QUALITIES)[0]) + MIN_QUALITY


def encode_layer(
    encoder: RangeEncoder,
    tables: LayerTables,
    code: LayerCode,
    before: Integers | None,
    quality: int,
) -> None:
    """Send a layer; `before` are the classes of the one before."""
    encode_classes(encoder, code.classes, before, tables.classes_at(quality))
    blocks, ranks = code.blocks, code.ranks
    encoder.encode_uniform(code.bins.flatten(), _intervals(tables, blocks).flatten())
    buckets, places, sizes = _split(tables, ranks)
    encoder.encode(buckets, tables.bucket_frequencies[blocks.classes])
    encoder.encode_uniform(places, sizes)


def decode_layer(
    decoder: RangeDecoder,
    tables: LayerTables,
    count: int,
    shape: tuple[int, int],
    before: Integers | None,
    quality: int,
) -> LayerCode:
    """Receive a layer of `count` pictures, of height x width positions.

    Raises ValueError for data that no encoder writes, where it can tell.
    """
    layout = tables.layout
    regions = (count, *layout.regions(*shape))
    classes = decode_classes(decoder, regions, before, tables.classes_at(quality))
    blocks = cut_blocks(layout, layout.at_positions(classes, *shape))
    intervals = _intervals(tables, blocks)
    bins = decoder.decode_uniform(intervals.flatten()).astype(np.int64).reshape(intervals.shape)
    rows = tables.bucket_frequencies[blocks.classes]
    buckets = decoder.decode(rows).astype(np.int64)
    starts, sizes = _buckets(tables)
    places = decoder.decode_uniform(sizes[buckets]).astype(np.int64)
    return LayerCode(shape, classes, blocks, bins, starts[buckets] + places)


def layer_bits(
    tables: LayerTables, code: LayerCode, before: Integers | None, quality: int
) -> dict[str, float]:
    """Ideal code lengths of the parts of a layer, bits."""
    buckets, _, sizes = _split(tables, code.ranks)
    chosen = tables.bucket_frequencies[code.blocks.classes, buckets]
    return {
        "classes": float(class_bits(code.classes, before, tables.classes_at(quality)).sum()),
        "bins": float(np.log2(_intervals(tables, code.blocks)).sum()),
        "ranks": float((24 - np.log2(chosen) + np.log2(sizes)).sum()),
    }


def _intervals(tables: LayerTables, blocks: Blocks) -> Integers:
    """Of each dimension of each position of the blocks, (positions, channels)."""
    layout = tables.layout
    offsets = layout.block_positions.cumsum() - layout.block_positions
    within = np.arange(len(blocks.positions)) - blocks.starts[:-1].repeat(blocks.lengths)
    return np.concatenate(layout.intervals)[offsets[blocks.classes].repeat(blocks.lengths) + within]


def _buckets(tables: LayerTables) -> tuple[Integers, Integers]:
    """The first rank of each bucket and how many it holds: the same for all classes."""
    sizes = np.array([1 << bits for bits in tables.rank_codes[0].raw_bits], dtype=np.int64)
    return sizes.cumsum() - sizes, sizes


def _split(tables: LayerTables, ranks: Integers) -> tuple[Integers, Integers, Integers]:
    starts, sizes = _buckets(tables)
    buckets = np.searchsorted(starts, ranks, side="right") - 1
    return buckets, ranks - starts[buckets], sizes[buckets]
