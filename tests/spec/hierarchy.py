"""Groups of pictures of a hierarchy, up to the latents of each layer: integers throughout."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spec.coder import MASK64, RangeDecoder
from spec.coder import latents as block_latents
from spec.container import check
from spec.groups_2 import Group, raw_bytes, tile_slices
from spec.model import read_hashed

FORMAT, MAX_BUCKET, TILE = "recvae-hierarchy-1", 20, 256
BESIDE = ((-1, 0), (1, 0), (0, -1), (0, 1))
DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
PASSES = ((0, 0, ()), (1, 1, DIAGONAL), (0, 1, BESIDE), (1, 0, BESIDE))


class Layer(NamedTuple):
    """The model's description of a latent layer."""

    resolution: int
    channels: int
    block_positions: np.ndarray
    intervals: np.ndarray
    cuts: np.ndarray
    ranks: np.ndarray


class Hierarchy(NamedTuple):
    """A model: its description, its tensors, its latent layers."""

    text: dict
    tensors: dict[str, np.ndarray]
    layers: list[Layer]
    hash: bytes

    @property
    def resolutions(self) -> int:
        """R."""
        return len(self.text["architecture"]["layers"])

    def size(self, resolution: int, height: int, width: int) -> tuple[int, int]:
        """Positions of a resolution in a tile of this many pixels."""
        stride, step = 1 << self.resolutions, 1 << resolution
        return -(-height // stride) * step, -(-width // stride) * step


class Tile(NamedTuple):
    """A tile of the pictures of a group.

    Fields:
        rows, columns: its position.
        quality: 1 to 100.
        latents: of each layer present and each picture, (h, w, channels) in units of 2^-28.
    """

    rows: slice
    columns: slice
    quality: int
    latents: list[list[np.ndarray]]


def read(folder: Path) -> Hierarchy:
    """A model; ValueError if it does not match its hash."""
    text, tensors, digest = read_hashed(folder, FORMAT)
    architecture = text["architecture"]
    layers = []
    for resolution, count in enumerate(architecture["layers"]):
        for _ in range(count):
            parts = ("block_positions", "intervals", "cuts", "ranks")
            tables = (tensors[f"layers.{len(layers)}.{part}"].astype(np.int64) for part in parts)
            layers.append(Layer(resolution, architecture["channels"][resolution], *tables))
    return Hierarchy(text, tensors, layers, digest)


def decode_group(model: Hierarchy, group: Group, table: list[int]) -> list[Tile | np.ndarray]:
    """Each tile: the contents of its streams, or its pixels, (pictures, h, w, channels).

    Streams of the last layers may be missing, None.
    """
    check(group.layers in (1, len(model.layers)), "layers of a group")
    expected = tuple(min(side, TILE) for side in group.spec[:2])
    check(group.tile == expected, "tiles of a group")
    parts = tile_slices(group.spec, group.tile)
    tiles: list[Tile | np.ndarray] = []
    for number, (rows, columns) in enumerate(parts):
        streams = [s for s in group.streams[number :: len(parts)] if s is not None]
        if group.layers == 1 and len(streams[0]) == raw_bytes(group, rows, columns):
            shape = (group.count, rows.stop - rows.start, columns.stop - columns.start, -1)
            tiles.append(np.frombuffer(streams[0], np.uint8).reshape(shape))
        else:
            height, width = rows.stop - rows.start, columns.stop - columns.start
            coders = [RangeDecoder(stream) for stream in streams]
            coders *= len(model.layers) if group.layers == 1 else 1
            tile = decode_tile(model, coders, group.count, height, width, table)
            tiles.append(Tile(rows, columns, *tile))
    return tiles


def decode_tile(
    model: Hierarchy,
    coders: Sequence[RangeDecoder],
    count: int,
    height: int,
    width: int,
    table: list[int],
) -> tuple[int, list[list[np.ndarray]]]:
    """Quality, and latents of each layer and picture, from a coder for each layer present."""
    quality = coders[0].uniform(100) + 1
    size = model.size(0, height, width)
    classes = [decode_classes(model, coders[0], size, quality) for _ in range(count)]
    latents = [
        [decode_layer(model, number, layer, coder, own, (height, width), table) for own in classes]
        for number, (layer, coder) in enumerate(zip(model.layers, coders, strict=False))
    ]
    return quality, latents


def decode_classes(
    model: Hierarchy, coder: RangeDecoder, size: tuple[int, int], quality: int
) -> np.ndarray:
    """Classes of the regions of a picture."""
    band = (quality - 1) * model.text["bands"] // 100
    table = model.tensors["classes.frequencies"][band].astype(np.int64)
    classes = np.zeros(size, np.int64)
    for row, column, around in PASSES:
        for y in range(row, size[0], 2):
            for x in range(column, size[1], 2):
                places = [(y + i, x + j) for i, j in around]
                known = [
                    int(classes[i, j]) for i, j in places if 0 <= i < size[0] and 0 <= j < size[1]
                ]
                k, m = len(known), sum(known)
                context = (2 * m + k) // (2 * k) + 1 if k else 0
                classes[y, x] = coder.symbol(table[context])
    return classes


def decode_layer(
    model: Hierarchy,
    number: int,
    layer: Layer,
    coder: RangeDecoder,
    classes: np.ndarray,
    pixels: tuple[int, int],
    table: list[int],
) -> np.ndarray:
    """Latents of a layer of one picture, (h, w, channels)."""
    z = np.zeros((*model.size(layer.resolution, *pixels), layer.channels), np.int64)
    blocks = list(cut_blocks(layer, classes, z.shape[:2]))
    cuts = [coder.symbol(layer.cuts[k]) + 1 for k, _ in blocks]
    dimensions = [
        [
            ((*position, c), int(count))
            for position, row in zip(positions, layer.intervals[cut - 1], strict=False)
            for c, count in enumerate(row)
            if count
        ]
        for cut, (_, positions) in zip(cuts, blocks, strict=True)
    ]
    bins = [[coder.uniform(count) for _, count in own] for own in dimensions]
    buckets = [coder.symbol(layer.ranks[cut - 1]) for cut in cuts]
    check(all(e <= MAX_BUCKET for e in buckets), "bucket of a rank")
    ranks = [(1 << e) - 1 + coder.uniform(1 << e) for e in buckets]
    for i, (own, own_bins, rank) in enumerate(zip(dimensions, bins, ranks, strict=True)):
        key = model.text["key"] + i & MASK64
        drawn = block_latents(key, number, [count for _, count in own], own_bins, rank, table)
        for (place, _), value in zip(own, drawn, strict=True):
            z[place] = value
    return z


def cut_blocks(
    layer: Layer, classes: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """The class and the positions of each block."""
    order: list[tuple[int, tuple[int, int]]] = []
    for position in np.ndindex(*size):
        k = int(classes[position[0] >> layer.resolution, position[1] >> layer.resolution])
        if layer.block_positions[k]:
            order.append((k, position))
    order.sort(key=lambda entry: -entry[0])  # stable, so that equal ones stay in raster order
    while order:
        k = order[0][0]
        taken = order[: layer.block_positions[k]]
        yield k, [position for _, position in taken]
        order = order[len(taken) :]
