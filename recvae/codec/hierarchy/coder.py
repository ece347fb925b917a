"""Groups of pictures to streams and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recvae.codec.container import Group
from recvae.codec.container.group import num_tiles, tile_areas
from recvae.codec.hierarchy.payload import LayerCode, decode_quality, layer_bits
from recvae.codec.hierarchy.pictures import (
    PIXELS_AT_ONCE,
    alike,
    from_network,
    layers_of,
    tile_of,
    to_network,
)
from recvae.codec.hierarchy.search import SearchEffort
from recvae.codec.hierarchy.sender import send
from recvae.codec.hierarchy.streams import decode_streams, encode_streams, latents_of
from recvae.codec.hierarchy.synthesis import synthesise
from recvae.codec.hierarchy.tables import LayerTables
from recvae.codec.image_coder import Pixels
from recvae.codec.range_coder import RangeDecoder
from recvae.errors import InputError
from recvae.hierarchy.network import Hierarchy
from recvae.images.spec import ImageSpec


@dataclass(frozen=True, eq=False)
class Shared:
    """What sender and receiver share.

    Fields:
        network: of which a receiver needs the decoder alone.
        tables: of each layer.
        key: of the shared randomness.
    """

    network: Hierarchy
    tables: tuple[LayerTables, ...]
    key: int

    def shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width of each layer for a tile of height x width pixels."""
        stride = self.network.arguments.stride
        padded = (-(-side // stride) * stride for side in (height, width))
        return [shape[1:] for shape in self.network.shapes(*padded)]


def encode_groups(
    shared: Shared, pixels: Pixels, group_size: int, quality: int, effort: SearchEffort
) -> tuple[list[Group], dict[str, NDArray[np.float64]]]:
    """Groups of pictures of one spec, and the bits of each picture by part."""
    spec = ImageSpec.from_shape(pixels.shape)
    count, layers = len(pixels), layers_of(spec, len(shared.tables))
    areas = tile_areas(spec, tile_of(spec))
    codes: list[list[list[LayerCode]]] = [[[] for _ in range(count)] for _ in areas]
    bits = {part: np.zeros(count) for part in ("classes", "bins", "ranks", "kl")}
    for some in _chunks(spec, count):
        parts = [pixels[picture][areas[tile]] for tile, picture in some]
        network_pixels = to_network(np.stack(parts), shared.network.arguments.stride)
        sent = send(
            shared.network, shared.tables, shared.key,
            network_pixels.to(shared.network.start.device), quality, effort,
        )  # fmt: skip
        for number, (tile, picture) in enumerate(some):
            bits["kl"][picture] += sent.kl_bits[:, number].sum()
        for code in sent.codes:
            for (tile, picture), own in zip(some, code.split(), strict=True):
                codes[tile][picture].append(own)
    groups = []
    for start in range(0, count, group_size):
        members = range(start, min(start + group_size, count))
        by_tile = [
            encode_streams(
                shared.tables, [codes[tile][i] for i in members], quality, separate=layers > 1
            )
            for tile in range(len(areas))
        ]
        streams = [tile[layer] for layer in range(layers) for tile in by_tile]
        raw = len(members) * spec.raw_bytes
        if len(streams) == 1 and len(streams[0]) >= raw:
            streams = [pixels[start : members.stop].tobytes()]
        groups.append(Group(len(members), spec, tuple(streams), layers, tile_of(spec)))
    for tile in codes:
        for picture, own in enumerate(tile):
            for part, amount in picture_bits(shared.tables, own, quality).items():
                bits[part][picture] += amount
    return groups, bits


def decode_groups(
    shared: Shared, groups: Sequence[Group], layers: int | None = None, checking: bool = False
) -> Pixels:
    """Pictures of groups of one spec, (n, ...); of the first `layers` layers, or of all.

    Raises InputError for what no encoder writes.
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
    """Write a tile of all pictures of groups of one spec into their pixels."""
    spec = groups[0].spec
    area = tile_areas(spec, groups[0].tile)[tile]
    height, width = (side.stop - side.start for side in area)
    shapes = shared.shapes(height, width)
    first = 0
    waiting: list[_Waiting] = []
    for group in groups:
        streams = group.streams[tile :: num_tiles(spec, group.tile)]
        places = range(first, first + group.num_images)
        first += group.num_images
        raw = group.num_images * height * width * spec.channels
        if group.layers == 1 and len(streams[0]) == raw:
            own = np.frombuffer(streams[0], np.uint8).reshape(group.num_images, height, width, -1)
            pixels[(slice(places.start, places.stop), *area)] = own.reshape(
                pixels[(slice(places.start, places.stop), *area)].shape
            )
            continue
        if group.layers not in (1, len(shared.tables)):
            raise InputError(f"a group of {group.layers} layers: its model has {len(shared.tables)}")
        if group.layers > 1:
            streams = streams[:layers]
        try:
            received = decode_streams(
                shared.tables, streams, group.num_images, shapes, group.layers > 1, checking
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        waiting += [
            _Waiting(place, received.quality, code)
            for place, code in zip(places, received.codes, strict=True)
        ]
    at_once = max(1, PIXELS_AT_ONCE // (height * width))
    stride = shared.network.arguments.stride
    size = (-(-height // stride) * stride, -(-width // stride) * stride)
    for start in range(0, len(waiting), at_once):
        some = waiting[start : start + at_once]
        latents = [
            np.concatenate([latents_of(shared.tables, shared.key, layer, one.code[layer]) for one in some])
            if layer < min(len(some[0].code), layers or len(shared.tables))
            else None
            for layer in range(len(shared.tables))
        ]
        output = synthesise(shared.network, latents, [one.quality for one in some], size)
        decoded = from_network(output, height, width, spec.channels)
        for one, picture in zip(some, decoded, strict=True):
            pixels[one.place][area] = picture


def group_quality(group: Group) -> int | None:
    """The quality of a group; None of pictures as they are."""
    if group.layers == 1 and len(group.streams[0]) == group.raw_bytes:
        return None
    return decode_quality(RangeDecoder(group.streams[0]))


class _Waiting(NamedTuple):
    """A picture whose latents are known: its place among all, its quality and codes."""

    place: int
    quality: int
    code: list[LayerCode]


def _chunks(spec: ImageSpec, count: int) -> Iterator[list[tuple[int, int]]]:
    """All tiles of all pictures, as (tile, picture): those of one size, some at a time."""
    areas = tile_areas(spec, tile_of(spec))
    for tiles in alike(spec):
        rows, columns = areas[tiles[0]]
        size = (rows.stop - rows.start) * (columns.stop - columns.start)
        at_once = max(1, PIXELS_AT_ONCE // size)
        every = [(tile, picture) for tile in tiles for picture in range(count)]
        for start in range(0, len(every), at_once):
            yield every[start : start + at_once]


def picture_bits(
    tables: Sequence[LayerTables], code: Sequence[LayerCode], quality: int
) -> dict[str, float]:
    """Ideal code lengths of the parts of a picture, bits."""
    total = {"classes": 0.0, "bins": 0.0, "ranks": 0.0}
    for layer, (own, layer_code) in enumerate(zip(tables, code, strict=True)):
        before = code[layer - 1].classes if layer else None
        for part, amount in layer_bits(own, layer_code, before, quality).items():
            total[part] += amount
    return total
