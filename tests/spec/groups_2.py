"""Header and groups of version 2."""

import zlib
from typing import NamedTuple

from spec.container import HEADER_BYTES, MAGIC, check, crc16, short

MAX_STREAMS = 1 << 16


class Spec(NamedTuple):
    """The kind of an image."""

    height: int
    width: int
    channels: int
    levels: int


class Group(NamedTuple):
    """Images of one spec. Streams lost from a truncated file are None."""

    count: int
    spec: Spec
    tile: tuple[int, int]
    layers: int
    model: int
    streams: list[bytes | None]


class Head(NamedTuple):
    """A group without its streams: their lengths, their start, the start value of their CRC-16.

    `checked` if a separate checksum confirms that the head is intact.
    """

    group: Group
    lengths: list[int]
    end: int
    crc: int
    checked: bool


class Header(NamedTuple):
    """What must be known to read a group; `num_bytes` is its size."""

    models: list[bytes]
    spec: Spec
    group_size: int
    size: int = 0


def number(data: bytes, at: int, size: int) -> tuple[int, int]:
    """An integer of this many bytes, and its end."""
    check(at + size <= len(data), "a number beyond the end")
    return int.from_bytes(data[at : at + size]), at + size


def parse_spec(height: int, width: int, channels: int, levels_less_1: int) -> Spec:
    """A spec with allowed fields."""
    check(0 < height < 65536 and 0 < width < 65536, "height and width")
    check(channels in (1, 2, 3, 4), "channels")
    return Spec(height, width, channels, levels_less_1 + 1)


def parse_header(data: bytes) -> Header:
    """The header at the beginning."""
    check(data[:8] == MAGIC, "magic")
    check(len(data) >= HEADER_BYTES, "truncated")
    check(zlib.crc32(data[:34]) == int.from_bytes(data[34:38]), "checksum of the header")
    check(data[8] == 2, "version")
    height, width, group_size = (int.from_bytes(data[at : at + 2]) for at in (12, 14, 16))
    spec = parse_spec(height, width, data[9], data[10])
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


def tile_slices(spec: Spec, tile: tuple[int, int]) -> list[tuple[slice, slice]]:
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


def parse_head(data: bytes, start: int, header: Header) -> Head:
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
        spec = parse_spec(height, width, both >> 8, both & 255)
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
    for raw in [raw_bytes(group, *part) for part in tile_slices(spec, tile)] * layers:
        code, at = short(data, at)
        check(code - 1 != raw, "a length code in another form than its own")
        lengths.append(code - 1 if code else raw)
    crc = crc16(data[start:at])  # of the bytes before the one that the head may state
    if total == 1:  # its CRC-16 continues the head's and covers both
        return Head(group, lengths, at, crc, False)
    expected, at = number(data, at, 2)
    check(expected == crc, "checksum of a head")
    return Head(group, lengths, at, crc, True)


def parse_stream(data: bytes, at: int, length: int, start: int) -> bytes:
    """The stream that begins at a byte, whose CRC-16 starts from a number."""
    end = at + length
    check(end + 2 <= len(data), "a stream beyond the end")
    expected = int.from_bytes(data[end : end + 2])
    check(crc16(data[at:end], start % 65536) == expected, "checksum of a stream")
    return data[at:end]


def parse_group(data: bytes, start: int, header: Header) -> tuple[Group, int]:
    """The group that begins at a byte, and its end."""
    head = parse_head(data, start, header)
    at, streams = head.end, []
    for i, length in enumerate(head.lengths):
        streams.append(parse_stream(data, at, length, head.crc + i))
        at += length + 2
    return head.group._replace(streams=streams), at
