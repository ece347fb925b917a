"""Version 2 of the file: header, groups, index, arrays. Raises ValueError for what must be refused.

Where the page leaves a choice, the one taken here is said at its place.
"""

import zlib
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from spec.container import (
    END_MAGIC,
    FOOTER_BYTES,
    GROUPS_PER_RUN,
    HEADER_BYTES,
    MAGIC,
    check,
    crc16,
    short,
)

TYPES = [None, *map(np.dtype, (">u1", ">i1", ">u2", ">i2", ">u4", ">i4", ">u8", ">i8"))]
TYPES += [np.dtype(">f4"), np.dtype(">f8")]
MAX_STREAMS, MAX_TEXT, MAX_ELEMENTS = 1 << 16, 1 << 26, 1 << 28


class Spec(NamedTuple):
    """What an image is."""

    height: int
    width: int
    channels: int
    levels: int


class Group(NamedTuple):
    """Images of one spec. Of the streams of a file that was cut, those that are lost are None."""

    count: int
    spec: Spec
    tile: tuple[int, int]
    layers: int
    model: int
    streams: list[bytes | None]


class Head(NamedTuple):
    """A group without its streams: their lengths, where they begin, what their CRC-16 starts from.

    `checked` if a checksum of its own says that the head is whole.
    """

    group: Group
    lengths: list[int]
    end: int
    crc: int
    checked: bool


class Header(NamedTuple):
    """What must be known to read a group; it has so many bytes."""

    models: list[bytes]
    spec: Spec
    group_size: int
    size: int = 0


class File(NamedTuple):
    """What a file holds."""

    models: list[bytes]
    spec: Spec
    group_size: int
    groups: list[Group]
    arrays: dict[str, np.ndarray | list[str]]


def number(data: bytes, at: int, size: int) -> tuple[int, int]:
    """An integer of so many bytes, and where it ends."""
    check(at + size <= len(data), "a number beyond the end")
    return int.from_bytes(data[at : at + size]), at + size


def spec_of(height: int, width: int, channels: int, levels_less_1: int) -> Spec:
    """A spec whose fields are allowed."""
    check(0 < height < 65536 and 0 < width < 65536, "height and width")
    check(channels in (1, 3), "channels")
    return Spec(height, width, channels, levels_less_1 + 1)


def header_of(data: bytes) -> Header:
    """The header at the beginning."""
    check(data[:8] == MAGIC, "magic")
    check(len(data) >= HEADER_BYTES, "truncated")
    check(zlib.crc32(data[:34]) == int.from_bytes(data[34:38]), "checksum of the header")
    check(data[8] == 2, "version")
    height, width, group_size = (int.from_bytes(data[at : at + 2]) for at in (12, 14, 16))
    spec = spec_of(height, width, data[9], data[10])
    check(0 < group_size <= 1024, "group size")
    models, size = [data[18:34]], HEADER_BYTES
    if more := data[11]:
        end = HEADER_BYTES + 16 * more
        check(end + 4 <= len(data), "truncated")
        crc, size = number(data, end, 4)
        check(zlib.crc32(data[HEADER_BYTES:end]) == crc, "checksum of the models")
        models += [data[at : at + 16] for at in range(HEADER_BYTES, end, 16)]
        check(len(set(models)) == len(models), "models that are the same")
    return Header(models, spec, group_size, size)


def tiles_of(spec: Spec, tile: tuple[int, int]) -> list[tuple[slice, slice]]:
    """The rows and the columns of each tile, in raster order."""
    return [
        (slice(y, min(y + tile[0], spec.height)), slice(x, min(x + tile[1], spec.width)))
        for y in range(0, spec.height, tile[0])
        for x in range(0, spec.width, tile[1])
    ]


def raw_bytes(group: Group, rows: slice, columns: slice) -> int:
    """The raw bytes of a tile in all images of a group."""
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return group.count * area * group.spec.channels


def head_of(data: bytes, start: int, header: Header) -> Head:
    """The head of the group that begins at a byte."""
    flags, at = number(data, start, 1)
    check(flags < 32, "reserved flags")
    count, spec, layers, model = header.group_size, header.spec, 1, 0
    if flags & 1:
        count, at = short(data, at)
        check(1 <= count < header.group_size, "number of images of a group")
    if flags & 2:
        height, at = short(data, at)
        width, at = short(data, at)
        both, at = number(data, at, 2)
        spec = spec_of(height, width, both >> 8, both & 255)
        check(spec != header.spec, "the common spec said again")
    tile = whole = (spec.height, spec.width)
    if flags & 4:
        tile_height, at = short(data, at)
        tile_width, at = short(data, at)
        tile = (tile_height, tile_width)
        check(1 <= tile_height <= spec.height, "height of a tile")
        check(1 <= tile_width <= spec.width, "width of a tile")
        check(tile != whole, "a tile that is the image")
    if flags & 8:
        layers, at = short(data, at)
        check(2 <= layers <= 255, "number of layers")
    if flags & 16:
        model, at = number(data, at, 1)
        check(1 <= model < len(header.models), "number of a model")

    total = layers * -(-spec.height // tile[0]) * -(-spec.width // tile[1])
    check(total <= MAX_STREAMS, "more streams than 2^16")
    check(total <= len(data) - at, "more streams than bytes")  # a length code takes a byte
    group = Group(count, spec, tile, layers, model, [None] * total)
    lengths = []
    for raw in [raw_bytes(group, *part) for part in tiles_of(spec, tile)] * layers:
        code, at = short(data, at)
        check(code - 1 != raw, "a length code in another form than its own")
        lengths.append(code - 1 if code else raw)
    crc = crc16(data[start:at])  # of the bytes before the one that the head may state
    if total == 1:  # its CRC-16 goes on from the head's: it covers both
        return Head(group, lengths, at, crc, False)
    stated, at = number(data, at, 2)
    check(stated == crc, "checksum of a head")
    return Head(group, lengths, at, crc, True)


def stream_of(data: bytes, at: int, length: int, start: int) -> bytes:
    """The stream that begins at a byte, whose CRC-16 starts from a number."""
    end = at + length
    check(end + 2 <= len(data), "a stream beyond the end")
    stated = int.from_bytes(data[end : end + 2])
    check(crc16(data[at:end], start % 65536) == stated, "checksum of a stream")
    return data[at:end]


def group_of(data: bytes, start: int, header: Header) -> tuple[Group, int]:
    """The group that begins at a byte, and where it ends."""
    head = head_of(data, start, header)
    at, streams = head.end, []
    for i, length in enumerate(head.lengths):
        streams.append(stream_of(data, at, length, head.crc + i))
        at += length + 2
    return head.group._replace(streams=streams), at


def inflate(packed: bytes, limit: int) -> bytes:
    """What one zlib stream, and nothing else, holds: at most so many bytes."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ValueError("an array's stream") from error
    check(len(data) <= limit, "more elements than there may be")
    check(stream.eof and not stream.unused_data, "an array's stream")
    return data


def text_of(packed: bytes, count: int) -> list[str]:
    """So many strings; at most 256 bytes for each, of all of them together, as in version 1."""
    if count == 0:
        check(not packed, "number of strings")
        return []
    text = inflate(packed, min(256 * count, MAX_TEXT))
    check(text.count(0) == count - 1, "number of strings")
    return text.decode().split("\0")


def array_of(data: bytes, at: int) -> tuple[str, np.ndarray | list[str], int]:
    """The name and the elements of the array that begins at a byte, and where it ends."""
    size, at = short(data, at)
    check(1 <= size <= 255, "length of an array's name")
    check(at + size <= len(data), "an array beyond the end")
    name, at = data[at : at + size].decode(), at + size
    kind, at = number(data, at, 1)
    check(kind < len(TYPES), "type of an array")
    axes, at = short(data, at)
    check(axes <= 8 and (kind > 0 or axes == 1), "number of axes")
    shape = []
    for _ in range(axes):
        length, at = short(data, at)
        shape.append(length)
    size, at = short(data, at)
    check(at + size <= len(data), "an array beyond the end")
    packed, at = data[at : at + size], at + size
    dtype = TYPES[kind]
    if dtype is None:
        check(64 * shape[0] <= MAX_ELEMENTS, "an array of more than 2^28 bytes")
        return name, text_of(packed, shape[0]), at
    expected = dtype.itemsize * prod(shape)
    limited = dtype.itemsize * prod(max(axis, 1) for axis in shape)
    check(limited <= MAX_ELEMENTS, "an array of more than 2^28 bytes")
    elements = inflate(packed, expected)
    check(len(elements) == expected, "fewer elements than there must be")
    return name, np.frombuffer(elements, dtype).reshape(shape), at


def arrays_of(index: bytes, at: int, num_images: int) -> dict[str, np.ndarray | list[str]]:
    """The arrays, from a byte of the index to its end."""
    arrays: dict[str, np.ndarray | list[str]] = {}
    num_arrays, at = short(index, at)
    taken = 0
    for _ in range(num_arrays):
        name, elements, at = array_of(index, at)
        taken += 64 * len(elements) if isinstance(elements, list) else elements.nbytes
        check(taken <= MAX_ELEMENTS, "arrays of more than 2^28 bytes")
        check(name not in arrays, "an array's name twice")
        named = name != "names" or (isinstance(elements, list) and len(elements) == num_images)
        check(named, "names of the images")
        arrays[name] = elements
    check(at == len(index), "bytes behind the arrays")
    return arrays


def read(data: bytes) -> File:
    """A whole file, with all of its checksums."""
    header = header_of(data)
    check(len(data) >= header.size + FOOTER_BYTES and data[-4:] == END_MAGIC, "truncated")
    footer = data[-FOOTER_BYTES:]
    index_start = len(data) - FOOTER_BYTES - int.from_bytes(footer[:4])
    check(index_start >= header.size, "length of the index")
    index = data[index_start:-FOOTER_BYTES]
    check(zlib.crc32(index + footer[:4]) == int.from_bytes(footer[4:8]), "checksum of the index")

    check(index[:1] == b"\x80", "the index's first byte")
    num_images, at = short(index, 1)
    num_groups, at = short(index, at)
    raw, at = short(index, at)
    own_specs, at = short(index, at)
    check(num_groups <= num_images, "more groups than images")
    check(num_images <= header.group_size * num_groups, "more images than the groups hold")
    check(4 * num_groups <= index_start - header.size, "more groups than bytes")
    check(own_specs <= num_groups, "more specs than groups")
    groups_crc, at = number(index, at, 4)
    ends, counts = [header.size], [0]
    for _ in range(0, num_groups, GROUPS_PER_RUN):
        length, at = short(index, at)
        count, at = short(index, at)
        ends.append(ends[-1] + length)
        counts.append(counts[-1] + count)
    check(ends[-1] == index_start, "the runs' lengths")
    check(counts[-1] == num_images, "the runs' images")
    check(own_specs > 0 or raw == num_images * prod(header.spec[:3]), "raw bytes")
    check(zlib.crc32(data[header.size : index_start]) == groups_crc, "checksum of all groups")

    groups: list[Group] = []
    place, images = header.size, 0
    for i in range(num_groups):
        group, place = group_of(data[:index_start], place, header)
        groups.append(group)
        images += group.count
        if (i + 1) % GROUPS_PER_RUN == 0 or i + 1 == num_groups:
            run = i // GROUPS_PER_RUN + 1
            check(place == ends[run], "the end of a run")
            check(images == counts[run], "the images of a run")
    check(raw == sum(group.count * prod(group.spec[:3]) for group in groups), "raw bytes")
    check(own_specs == sum(group.spec != header.spec for group in groups), "number of specs")
    arrays = arrays_of(index, at, num_images)
    return File(header.models, header.spec, header.group_size, groups, arrays)


def compact(data: bytes, models: Sequence[bytes], spec: Spec, group_size: int) -> list[Group]:
    """The groups of a compact payload, of which there is at least one."""
    header, groups, place = Header(list(models), Spec(*spec), group_size), [], 0
    while place < len(data) or not groups:
        group, place = group_of(data, place, header)
        groups.append(group)
    return groups


def cut(data: bytes) -> list[Group]:
    """What the beginning of a file says: its whole groups, and of the one after what is whole.

    The groups end with the first that is not whole, or where no head is. A head of one stream has
    no checksum of its own, so such a group is whole or not there.
    """
    header = header_of(data)
    groups, at, whole = [], header.size, True
    while whole:
        try:
            head = head_of(data, at, header)
        except ValueError:
            break
        streams: list[bytes | None] = []
        at = head.end
        for i, length in enumerate(head.lengths):
            try:
                streams.append(stream_of(data, at, length, head.crc + i))
            except ValueError:
                streams.append(None)
            at += length + 2
        whole = None not in streams
        if whole or head.checked:
            groups.append(head.group._replace(streams=streams))
    return groups


def stored(groups: Sequence[Group]) -> list[np.ndarray]:
    """The images of a coder that stores: the streams of the one layer are the tiles' raw pixels."""
    images: list[np.ndarray] = []
    for group in groups:
        tiles = tiles_of(group.spec, group.tile)
        check(group.layers == 1, "layers of a coder that stores")
        whole = [stream for stream in group.streams if stream is not None]
        fits = [len(stream) for stream in whole] == [raw_bytes(group, *part) for part in tiles]
        check(fits, "raw bytes of a tile")
        height, width, channels, levels = group.spec
        pixels = np.zeros((group.count, height, width, channels), np.uint8)
        for (rows, columns), stream in zip(tiles, whole, strict=True):
            part = pixels[:, rows, columns]
            part[:] = np.frombuffer(stream, np.uint8).reshape(part.shape)
        check(int(pixels.max()) < levels, "a value that is no level")
        images += [image[..., 0] if channels == 1 else image for image in pixels]
    return images
