"""A builder of version 2, written from docs/format.md too; any field can be wrong."""

import binascii
import random
import struct
import zlib
from collections.abc import Callable
from math import prod

import numpy as np

from spec.version_2 import Group, Spec

HASHES = [bytes(range(16 * i, 16 * i + 16)) for i in range(3)]


GREY, RGB = Spec(3, 5, 1, 256), Spec(4, 2, 3, 200)


def short(value: int, form: int = 0) -> bytes:
    """A number in its canonical form, or in a form of this many bytes."""
    form = form or (1 if value < 192 else 2 if value < 16320 else 9)
    if form == 1:
        return bytes([value])
    if form == 2:
        return struct.pack(">H", (value - 192) + (192 << 8))
    return b"\xff" + struct.pack(">Q", value)


def shorts(*values: int) -> bytes:
    return b"".join(map(short, values))


def header(
    spec: Spec = GREY,
    models: int = 1,
    group_size: int = 2,
    magic: bytes = b"\x89REC\r\n\x1a\n",
    version: int = 2,
    flips: tuple[int, int] = (0, 0),
) -> bytes:
    fields = struct.pack(
        ">8s4B3H16s",
        *(magic, version, spec.channels, spec.levels - 1, models - 1),
        *(spec.height, spec.width, group_size, HASHES[0]),
    )
    more = b"".join(HASHES[1:models])
    first, second = zlib.crc32(fields) ^ flips[0], zlib.crc32(more) ^ flips[1]
    return fields + struct.pack(">I", first) + (more + struct.pack(">I", second) if more else b"")


def same_models() -> bytes:
    """A header that names one model twice."""
    twice, begin = HASHES[0], bytearray(header(models=2)[:34])
    crcs = [struct.pack(">I", zlib.crc32(part)) for part in (begin, twice)]
    return bytes(begin) + crcs[0] + twice + crcs[1]


def head(
    codes: bytes,
    count: int | None = None,
    spec: Spec | None = None,
    tile: tuple[int, int] | None = None,
    layers: int | None = None,
    model: int | None = None,
    flags: int = 0,
) -> bytes:
    """With a field for each argument that is given; `flags` are more of them."""
    fields = b""
    for bit, argument in enumerate((count, spec, tile, layers, model)):
        if argument is not None:
            flags |= 1 << bit
    if count is not None:
        fields += short(count)
    if spec is not None:
        fields += shorts(spec.height, spec.width) + bytes([spec.channels, spec.levels - 1])
    if tile is not None:
        fields += shorts(*tile)
    if layers is not None:
        fields += short(layers)
    if model is not None:
        fields += bytes([model])
    return bytes([flags]) + fields + codes


def crc16(data: bytes, start: int = 0xFFFF) -> bytes:
    return struct.pack(">H", binascii.crc_hqx(data, start % 65536))


def group(streams: list[bytes], raw: int | list[int] = -1, **fields) -> bytes:
    """Length codes of streams; code 0 for `raw` bytes, one number or one for each stream."""
    raws = [raw] * len(streams) if isinstance(raw, int) else raw
    codes = [0 if len(s) == r else len(s) + 1 for s, r in zip(streams, raws, strict=True)]
    begin = head(shorts(*codes), **fields)
    if len(streams) == 1:
        return begin + streams[0] + crc16(begin + streams[0])
    crc = binascii.crc_hqx(begin, 0xFFFF)
    tails = [stream + crc16(stream, crc + i) for i, stream in enumerate(streams)]
    return begin + struct.pack(">H", crc) + b"".join(tails)


def array(
    name: bytes,
    kind: int,
    shape: tuple[int, ...],
    data: bytes,
    packed: Callable[[bytes], bytes] = zlib.compress,
) -> bytes:
    zipped = packed(data)
    start = short(len(name)) + name + bytes([kind]) + short(len(shape)) + shorts(*shape)
    return start + short(len(zipped)) + zipped


def file(
    start: bytes,
    groups: list[bytes],
    counts: list[int],
    raw: int = 0,
    own: int = 0,
    arrays: tuple[bytes, ...] = (),
    **wrong,
) -> bytes:
    """A file; keywords give wrong fields of index and footer."""
    body = b"".join(groups)
    runs = [
        (sum(map(len, groups[i : i + 64])), sum(counts[i : i + 64]))
        for i in range(0, len(groups), 64)
    ]
    images, num_groups = wrong.get("images", sum(counts)), wrong.get("num_groups", len(groups))
    index = b"\x80" + shorts(images, num_groups, raw, own)
    index += struct.pack(">I", zlib.crc32(body) ^ wrong.get("flip_groups", 0))
    for run in wrong.get("runs", runs):
        index += shorts(*run)
    index += short(wrong.get("num_arrays", len(arrays))) + b"".join(arrays) + wrong.get("tail", b"")
    index = wrong.get("index", index)
    footer = struct.pack(">I", wrong.get("index_bytes", len(index)))
    crc = struct.pack(">I", zlib.crc32(index + footer) ^ wrong.get("flip_index", 0))
    return start + body + index + footer + crc + wrong.get("end", b"CER\x89")


def pieces(pixels: np.ndarray, tile: tuple[int, int]) -> list[bytes]:
    """The raw bytes of each tile of a batch of images."""
    _, height, width = pixels.shape[:3]
    return [
        pixels[:, y : y + tile[0], x : x + tile[1]].tobytes()
        for y in range(0, height, tile[0])
        for x in range(0, width, tile[1])
    ]


def batch(count: int, spec: Spec) -> np.ndarray:
    rng = np.random.default_rng(prod(spec) + count)
    shape = (count, spec.height, spec.width, spec.channels)
    pixels = rng.integers(0, spec.levels, shape).astype(np.uint8)
    return pixels[..., 0] if spec.channels == 1 else pixels


def layered() -> tuple[list[bytes], list[Group]]:
    """Groups as bytes and as read: with one stream, and with 3 layers of 2 x 3 tiles."""
    rng = random.Random(1)
    streams = [rng.randbytes(length) for length in (0, 1, 40, 3, 5, 0, 200, 2, 2, 2, 7, 12, 9) * 2]
    small, large = streams[:1], streams[1:19]
    parts = [len(part) for part in pieces(np.zeros((2, 4, 5), np.uint8), (2, 2))] * 3
    spec = Spec(4, 5, 1, 17)
    encoded = [
        group(small),
        group(large, parts, spec=spec, tile=(2, 2), layers=3, model=2),
        group([b"\1\2\3"], count=1),
        group(large[:3], 15, count=1, layers=3),
    ]
    decoded = [
        Group(2, GREY, (3, 5), 1, 0, small),
        Group(2, spec, (2, 2), 3, 2, large),
        Group(1, GREY, (3, 5), 1, 0, [b"\1\2\3"]),
        Group(1, GREY, (3, 5), 3, 0, large[:3]),
    ]
    return encoded, decoded


def layered_file() -> bytes:
    names = array(b"names", 0, (6,), "a b c ü  ".replace(" ", "\0").encode())
    return file(header(GREY, 3), layered()[0], [2, 2, 1, 1], 100, 1, (names,))


def with_group(data: bytes, count: int = 2, raw: int = 30, own: int = 0, **fields) -> bytes:
    return file(header(GREY, 2), [data], [count], raw, own, **fields)


def with_arrays(*arrays: bytes, **wrong) -> bytes:
    return file(header(), [group([b""])], [2], 30, arrays=arrays, **wrong)


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)
