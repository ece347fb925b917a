"""A group in a file of version 2: a head, then the streams, each with its CRC-16.

The head states the number of images, their spec, and the length of each stream.
"""

from binascii import crc_hqx
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from recvae.codec.container.group import MAX_LAYERS, MAX_STREAMS, Group, is_tile, num_tiles
from recvae.codec.container.header import Header
from recvae.codec.container.numbers import MAX_SHORT_BYTES, pack_short, unpack_short
from recvae.errors import InputError
from recvae.images.spec import MAX_SIDE, ImageSpec

MIN_GROUP_BYTES = 4
MAX_FIELDS_BYTES = 2 + 6 * MAX_SHORT_BYTES + 2  # of a head, before its length codes
_COUNT, _SPEC, _TILES, _LAYERS, _MODEL = 1, 2, 4, 8, 16
_CRC_START = 0xFFFF
_CRC_BYTES = 2


@dataclass(frozen=True)
class Head:
    """The head of a group: the group's fields and the length of each stream in bytes."""

    num_images: int
    spec: ImageSpec
    tile: tuple[int, int] | None
    layers: int
    model: int
    lengths: tuple[int, ...]

    def stream_spans(self, begin: int) -> list[tuple[int, int]]:
        """The span of each stream with its CRC-16, the first at byte `begin`."""
        return list(pairwise(accumulate((n + _CRC_BYTES for n in self.lengths), initial=begin)))

    def group(self, streams: Sequence[bytes]) -> Group:
        """The group with these streams."""
        fields = (self.num_images, self.spec, tuple(streams), self.layers, self.tile, self.model)
        return Group(*fields)

    def to_bytes(self, header: Header) -> tuple[bytes, int]:
        """Return the head as written, and its CRC-16, which ends the head of several streams."""
        spec, tile = self.spec, self.tile or (0, 0)
        shape = pack_short(spec.height) + pack_short(spec.width)
        optional = [
            (_COUNT, self.num_images != header.group_size, pack_short(self.num_images)),
            (_SPEC, spec != header.spec, shape + bytes((spec.channels, spec.levels - 1))),
            (_TILES, self.tile is not None, pack_short(tile[0]) + pack_short(tile[1])),
            (_LAYERS, self.layers != 1, pack_short(self.layers)),
            (_MODEL, self.model != 0, bytes((self.model,))),
        ]
        flags = sum(flag for flag, is_there, _ in optional if is_there)
        fields = [field for _, is_there, field in optional if is_there]
        raw = _raw_lengths(self)
        codes = [
            pack_short(0 if length == raw[place % len(raw)] else length + 1)
            for place, length in enumerate(self.lengths)
        ]
        head = bytes((flags,)) + b"".join(fields + codes)
        crc = crc_hqx(head, _CRC_START)
        return head + (crc.to_bytes(_CRC_BYTES) if len(self.lengths) > 1 else b""), crc


def pack_group(group: Group, header: Header) -> bytes:
    """Return a group as written."""
    lengths = tuple(map(len, group.streams))
    head, crc = Head(
        group.num_images, group.spec, group.tile, group.layers, group.model, lengths
    ).to_bytes(header)
    sealed = (_sealed(stream, crc, place) for place, stream in enumerate(group.streams))
    return head + b"".join(sealed)


def unpack_group(data: bytes, header: Header) -> Group:
    """Return a group of `group_extent` bytes; `InputError` if it is damaged."""
    try:
        head, start = read_head(data, header)
    except IndexError as error:
        raise InputError("its head is cut off") from error
    group = head.group([data[begin : end - _CRC_BYTES] for begin, end in head.stream_spans(start)])
    if pack_group(group, header) != data:
        raise InputError("its checksum does not match")
    return group


def group_extent(data: bytes, header: Header) -> tuple[int, int]:
    """Return the length in bytes and the number of images of the group at the start of `data`.

    Raises `IndexError` if `data` ends within its head, `InputError` if it is not a head.
    """
    head, start = read_head(data, header)
    extent = start + sum(head.lengths) + _CRC_BYTES * len(head.lengths)
    return extent, head.num_images


def read_streams(
    read: Callable[[int, int], bytes],
    begin: int,
    head: Head,
    header: Header,
    places: Iterable[int],
) -> Group:
    """Return a group with only the streams at these indices read; the others are empty.

    `read(a, b)` returns the bytes a to b - 1; the streams begin at `begin`. Raises `InputError` if
    a stream that is read is damaged.
    """
    _, crc = head.to_bytes(header)
    spans = head.stream_spans(begin)
    streams = [b""] * len(spans)
    for place in places:
        data = read(*spans[place])
        streams[place] = data[:-_CRC_BYTES]
        if _sealed(streams[place], crc, place) != data:
            raise InputError(f"the checksum of stream {place} does not match")
    return head.group(streams)


def may_begin(flags: int) -> bool:
    """Whether a group may begin with this byte."""
    return flags < 2 * _MODEL


def length_codes(data: bytes, header: Header) -> tuple[int, int]:
    """Return the number and the offset of the length codes in the head at the start of `data`."""
    _, num_streams, at = _read_fields(data, header)
    return num_streams, at


def read_head(data: bytes, header: Header) -> tuple[Head, int]:
    """Return the head at the start of `data`, and its length in bytes.

    Raises `IndexError` if `data` ends within it, `InputError` if it is not a head.
    """
    head, num_streams, at = _read_fields(data, header)
    raw = _raw_lengths(head)
    lengths = []
    for place in range(num_streams):
        code, at = unpack_short(data, at)
        lengths.append(code - 1 if code else raw[place % len(raw)])
    head = replace(head, lengths=tuple(lengths))
    if num_streams > 1:
        at += _CRC_BYTES
        if at > len(data):
            raise IndexError("the data end within the head")
    if head.to_bytes(header)[0] != data[:at]:
        raise InputError("its head is damaged or not in canonical form")
    return head, at


def _sealed(stream: bytes, crc: int, place: int) -> bytes:
    """A stream and its CRC-16, for a group whose head has the CRC-16 `crc`.

    Each stream's checksum starts from another number, so exchanged streams do not pass.
    """
    return stream + crc_hqx(stream, crc + place & 0xFFFF).to_bytes(_CRC_BYTES)


def _read_fields(data: bytes, header: Header) -> tuple[Head, int, int]:
    """A head without its length codes, their number, and their offset."""
    at = 1

    def byte() -> int:
        nonlocal at
        at += 1
        return data[at - 1]

    def short() -> int:
        nonlocal at
        value, at = unpack_short(data, at)
        return value

    flags = data[0]
    num_images = short() if flags & _COUNT else header.group_size
    if not 1 <= num_images <= header.group_size:
        raise InputError(f"it states {num_images} images")
    spec = header.spec
    if flags & _SPEC:
        height, width, channels, levels = short(), short(), byte(), byte() + 1
        if max(height, width) > MAX_SIDE:
            raise InputError(f"it states images of {height} x {width} pixels")
        try:
            spec = ImageSpec(height, width, channels, levels)
        except ValueError as error:
            raise InputError(str(error)) from error
    tile = (short(), short()) if flags & _TILES else None
    if tile and not is_tile(tile, spec):
        raise InputError(f"it states tiles of {tile[0]} x {tile[1]} in images of {spec}")
    layers = short() if flags & _LAYERS else 1
    model = byte() if flags & _MODEL else 0
    if model >= len(header.models):
        raise InputError(f"it states model {model} of {len(header.models)}")
    num_streams = layers * num_tiles(spec, tile)
    if not (1 <= layers <= MAX_LAYERS and num_streams <= MAX_STREAMS):
        raise InputError(f"it states {layers} layers, {num_streams} streams")
    return Head(num_images, spec, tile, layers, model, ()), num_streams, at


def _raw_lengths(head: Head) -> list[int]:
    """Bytes of the pixels of each tile, over all images."""
    per_pixel = head.num_images * head.spec.channels
    height, width = head.tile or (head.spec.height, head.spec.width)
    rows = _cut(head.spec.height, height)
    columns = _cut(head.spec.width, width)
    return [row * column * per_pixel for row in rows for column in columns]


def _cut(side: int, tile_side: int) -> list[int]:
    """The sides of the tiles along one side of an image."""
    return [min(tile_side, side - start) for start in range(0, side, tile_side)]
