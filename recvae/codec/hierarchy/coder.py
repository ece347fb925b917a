"""Groups of pictures to streams and back."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recvae.codec.container import Group
from recvae.codec.container.group import num_tiles, tile_areas, tile_within
from recvae.codec.hierarchy.classes import class_bits
from recvae.codec.hierarchy.draws import draw_latents
from recvae.codec.hierarchy.layout import Integers
from recvae.codec.hierarchy.payload import LayerCode, layer_bits
from recvae.codec.hierarchy.pictures import (
    CHANNELS,
    PIXELS_AT_ONCE,
    TILE,
    Area,
    alike,
    from_network,
    layers_of,
    to_network,
    to_spec,
)
from recvae.codec.hierarchy.search import SearchEffort
from recvae.codec.hierarchy.sender import send
from recvae.codec.hierarchy.streams import (
    PictureCode,
    decode_streams,
    encode_streams,
    read_quality,
)
from recvae.codec.hierarchy.synthesis import synthesise
from recvae.codec.hierarchy.tables import Tables
from recvae.codec.image_coder import Pixels
from recvae.codec.range_coder import RangeDecoder
from recvae.errors import InputError
from recvae.hierarchy.network import Hierarchy
from recvae.images.spec import ImageSpec


@dataclass(frozen=True, eq=False)
class Shared:
    """The constants that sender and receiver share.

    Fields:
        network: a receiver needs only its decoder.
        tables: for everything that is sent.
        key: names the shared randomness.
    """

    network: Hierarchy
    tables: Tables
    key: int

    def shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width of each layer for a tile of height x width pixels."""
        stride = self.network.arguments.stride
        padded = (-(-side // stride) * stride for side in (height, width))
        return [shape[1:] for shape in self.network.shapes(*padded)]


def encode_groups(
    shared: Shared, pixels: Pixels, group_size: int, quality: int, effort: SearchEffort
) -> tuple[list[Group], dict[str, NDArray[np.float64]]]:
    """Code pictures of one spec in groups; return the bits of each picture by part too."""
    spec = ImageSpec.from_shape(pixels.shape)
    count, layers = len(pixels), layers_of(spec, len(shared.tables.layers))
    areas = tile_areas(spec, tile_within(spec, TILE))
    codes: dict[tuple[int, int], PictureCode] = {}
    bits = {part: np.zeros(count) for part in ("classes", "cuts", "bins", "ranks", "kl")}
    for some in _chunks(spec, count):
        parts = [pixels[picture][areas[tile]] for tile, picture in some]
        network_pixels = to_network(np.stack(parts), shared.network.arguments.stride)
        sent = send(
            shared.network, shared.tables, shared.key,
            network_pixels.to(shared.network.start.device), quality, effort,
        )  # fmt: skip
        for (tile, picture), code, kl in zip(some, sent.codes, sent.kl_bits, strict=True):
            codes[tile, picture] = code
            bits["kl"][picture] += kl
            for part, amount in picture_bits(shared.tables, code).items():
                bits[part][picture] += amount
    groups = []
    for start in range(0, count, group_size):
        members = range(start, min(start + group_size, count))
        by_tile = [
            encode_streams(shared.tables, [codes[tile, i] for i in members], separate=layers > 1)
            for tile in range(len(areas))
        ]
        streams = [tile[layer] for layer in range(layers) for tile in by_tile]
        if layers == 1:
            raw = [pixels[(slice(start, members.stop), *area)].tobytes() for area in areas]
            streams = [min(pair, key=len) for pair in zip(raw, streams, strict=True)]
        groups.append(Group(len(members), spec, tuple(streams), layers, tile_within(spec, TILE)))
    return groups, bits


def decode_groups(
    shared: Shared, groups: Sequence[Group], layers: int | None = None, checking: bool = False
) -> Pixels:
    """Decode groups of one spec to pictures (n, ...), from the first `layers` layers or all.

    Raises InputError for data that no encoder writes.
    """
    spec = groups[0].spec
    count = sum(group.num_images for group in groups)
    pixels = np.zeros((count, *spec.shape), np.uint8)
    for tile in range(num_tiles(spec, groups[0].tile)):
        decode_tile(shared, groups, tile, pixels, layers, checking)
    return pixels


def decode_tile(
    shared: Shared,
    groups: Sequence[Group],
    tile: int,
    pixels: Pixels,
    layers: int | None = None,
    checking: bool = False,
) -> None:
    """Decode one tile of all pictures of groups of one spec into their pixels."""
    area = tile_areas(groups[0].spec, groups[0].tile)[tile]
    waiting: list[tuple[int, PictureCode]] = []  # pictures by index, and their codes
    first = 0
    for group in groups:
        codes = tile_codes(shared, group, tile, layers, checking)
        if codes is None:
            own = pixels[(slice(first, first + group.num_images), *area)]
            own[:] = np.frombuffer(group.streams[tile], np.uint8).reshape(own.shape)
        else:
            waiting += enumerate(codes, first)
        first += group.num_images
    at_once = max(1, PIXELS_AT_ONCE // math.prod(_size(area)))
    for start in range(0, len(waiting), at_once):
        some = waiting[start : start + at_once]
        decoded = _synthesised(shared, [code for _, code in some], _size(area), layers)
        for (number, _), picture in zip(some, decoded, strict=True):
            pixels[number][area] = to_spec(picture, groups[0].spec)


def tile_codes(
    shared: Shared,
    group: Group,
    tile: int,
    layers: int | None = None,
    checking: bool = False,
) -> list[PictureCode] | None:
    """Read the streams of a tile of a group; None if they are its pixels, uncompressed.

    Raises InputError for data that no encoder writes.
    """
    if group.spec.channels not in CHANNELS:
        raise InputError(f"a group of {group.spec.kind} pictures, which this model does not code")
    if group.tile != tile_within(group.spec, TILE):
        raise InputError(f"a group in tiles of another size than {TILE} x {TILE}")
    area = tile_areas(group.spec, group.tile)[tile]
    if _is_stored(group, tile, area):
        return None
    streams = group.streams[tile :: num_tiles(group.spec, group.tile)]
    num_layers = len(shared.tables.layers)
    if group.layers not in (1, num_layers):
        raise InputError(f"a group of {group.layers} layers: its model has {num_layers}")
    separate = group.layers > 1
    try:
        return decode_streams(
            shared.tables,
            streams[:layers] if separate else streams,
            group.num_images,
            shared.shapes(*_size(area)),
            separate,
            checking,
        )
    except ValueError as error:
        raise InputError(str(error)) from error


def group_quality(group: Group) -> int | None:
    """The quality of a group; None if it is stored uncompressed. InputError if unreadable."""
    for tile, area in enumerate(tile_areas(group.spec, group.tile)):
        if not _is_stored(group, tile, area):
            try:
                return read_quality(RangeDecoder(group.streams[tile]))
            except ValueError as error:
                raise InputError(str(error)) from error
    return None


def _is_stored(group: Group, tile: int, area: Area) -> bool:
    """Whether the stream of a tile is its pixels, uncompressed."""
    raw_bytes = group.num_images * math.prod(_size(area)) * group.spec.channels
    return group.layers == 1 and len(group.streams[tile]) == raw_bytes


def _size(area: Area) -> tuple[int, int]:
    rows, columns = area
    return rows.stop - rows.start, columns.stop - columns.start


def _chunks(spec: ImageSpec, count: int) -> Iterator[list[tuple[int, int]]]:
    """Batches of (tile, picture) pairs of one size, covering all pictures."""
    areas = tile_areas(spec, tile_within(spec, TILE))
    for tiles in alike(spec):
        at_once = max(1, PIXELS_AT_ONCE // math.prod(_size(areas[tiles[0]])))
        every = [(tile, picture) for tile in tiles for picture in range(count)]
        for start in range(0, len(every), at_once):
            yield every[start : start + at_once]


def picture_bits(tables: Tables, code: PictureCode) -> dict[str, float]:
    """Ideal code lengths of the parts of a picture, in bits."""
    layers = [layer_bits(own, layer) for own, layer in zip(tables.layers, code.layers, strict=True)]
    return {
        "classes": float(class_bits(tables.classes, code.classes, code.quality).sum()),
        "cuts": sum(bits["cuts"] for bits in layers),
        "bins": sum(bits["bins"] for bits in layers),
        "ranks": sum(bits["ranks"] for bits in layers),
    }


def _synthesised(
    shared: Shared, codes: Sequence[PictureCode], size: tuple[int, int], layers: int | None
) -> Pixels:
    """Synthesise tiles of one size, (n, height, width, 3), from `layers` layers or all."""
    there = min(len(codes[0].layers), len(shared.tables.layers) if layers is None else layers)
    latents = [
        np.concatenate([_latents(shared, layer, code.layers[layer]) for code in codes])
        if layer < there
        else None
        for layer in range(len(shared.tables.layers))
    ]
    stride = shared.network.arguments.stride
    padded = (-(-size[0] // stride) * stride, -(-size[1] // stride) * stride)
    output = synthesise(shared.network, latents, [code.quality for code in codes], padded)
    return from_network(output, *size)


def _latents(shared: Shared, layer: int, code: LayerCode) -> Integers:
    """Latents of a layer of a picture, (positions, channels) int64 in units of 2^-28."""
    layout, size = shared.tables.layers[layer].layout, code.shape[0] * code.shape[1]
    return draw_latents(layout, layer, shared.key, code, size)
