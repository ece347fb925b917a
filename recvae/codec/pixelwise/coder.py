"""Groups of pictures to streams and back, with tiles in threads."""

from collections.abc import Sequence

import numpy as np

from recvae.codec.container import Group
from recvae.codec.container.group import num_tiles, streams_of_area, tile_areas, tile_within
from recvae.codec.image_coder import Pixels
from recvae.codec.pixelwise.tile import Images, Networks, decode_tile, encode_tile, is_one_part
from recvae.errors import InputError
from recvae.images.spec import ImageSpec
from recvae.threads import in_threads

TILE = 256
Area = tuple[slice, slice]


def encode_groups(networks: Networks, pixels: Pixels, group_size: int) -> list[Group]:
    """Code pictures of one spec in groups."""
    spec = ImageSpec.from_shape(pixels.shape)
    areas = tile_areas(spec, tile_within(spec, TILE))
    starts = range(0, len(pixels), group_size)

    def stream(job: tuple[int, Area]) -> bytes:
        start, area = job
        images = with_channels(pixels[(slice(start, start + group_size), *area)])
        stream = encode_tile(networks, images)
        return images.tobytes() if stream is None else stream

    streams = in_threads(stream, [(start, area) for start in starts for area in areas])
    return [
        Group(
            len(pixels[start : start + group_size]),
            spec,
            tuple(next(streams) for _ in areas),
            tile=tile_within(spec, TILE),
        )
        for start in starts
    ]


def decode_groups(networks: Networks, groups: Sequence[Group]) -> Pixels:
    """Decode groups of one spec to pictures (n, ...); InputError if no encoder writes them."""
    spec = groups[0].spec
    pixels = np.zeros((sum(group.num_images for group in groups), *spec.shape), np.uint8)
    jobs, first = [], 0
    for group in groups:
        own = pixels[first : first + group.num_images]
        jobs += [(group, tile, own) for tile in range(num_tiles(spec, group.tile))]
        first += group.num_images

    def fill(job: tuple[Group, int, Pixels]) -> None:
        decode_into(networks, *job)

    for _ in in_threads(fill, jobs):
        pass
    return pixels


def decode_area(networks: Networks, group: Group, rows: slice, columns: slice) -> Pixels:
    """Decode part of a group's pictures, (n, rows, columns, ...), from the tiles it overlaps."""
    pixels = np.zeros((group.num_images, *group.spec.shape), np.uint8)
    tiles = streams_of_area(group, rows, columns)  # in one layer

    def fill(tile: int) -> None:
        decode_into(networks, group, tile, pixels, until=rows.stop)

    for _ in in_threads(fill, tiles):
        pass
    return pixels[:, rows, columns].copy()


def decode_into(
    networks: Networks, group: Group, tile: int, pixels: Pixels, until: int | None = None
) -> list[int] | None:
    """Fill in one tile of a group's pixels; return the modes, None for uncompressed pixels.

    Rows of the pictures from `until` on are not needed. Raises InputError for data that no encoder
    writes.
    """
    if group.tile != tile_within(group.spec, TILE):
        raise InputError(f"a group in tiles of another size than {TILE} x {TILE}")
    if group.layers != 1:
        raise InputError(f"a group of {group.layers} layers: its model has one")
    area = tile_areas(group.spec, group.tile)[tile]
    place, stream = (slice(None), *area), group.streams[tile]
    images = np.zeros_like(with_channels(pixels[place]))
    if len(stream) == images.nbytes:
        pixels[place] = np.frombuffer(stream, np.uint8).reshape(pixels[place].shape)
        return None
    needed = images.shape[1]
    if until is not None and is_one_part(images):  # where rows do not depend on those below
        needed = min(needed, until - area[0].start)
    try:
        modes = decode_tile(networks, stream, images[:, :needed])
    except ValueError as error:
        raise InputError(str(error)) from error
    pixels[place] = images.reshape(pixels[place].shape)
    return modes


def is_written(networks: Networks, group: Group) -> bool:
    """Whether an encoder can have written a group: whether re-encoding gives the same bytes."""
    pixels = np.zeros((group.num_images, *group.spec.shape), np.uint8)
    for tile, area in enumerate(tile_areas(group.spec, group.tile)):
        try:
            modes = decode_into(networks, group, tile, pixels)
        except InputError:
            return False
        images = with_channels(pixels[(slice(None), *area)])
        if modes is not None and encode_tile(networks, images, modes) != group.streams[tile]:
            return False
    return True


def with_channels(pixels: Pixels) -> Images:
    """Add an axis of channels to (n, height, width) if it is missing."""
    return pixels[..., None] if pixels.ndim == 3 else pixels
