"""The second decoder of version 2 reads what a builder of its own writes, and refuses all else.

The builder below is written from docs/format.md too: plain functions, whose every field can be
wrong.
"""

import binascii
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
import pytest
from spec import version_2
from spec.version_2 import Group, Spec

HASHES = [bytes(range(16 * i, 16 * i + 16)) for i in range(3)]
GREY, RGB = Spec(3, 5, 1, 256), Spec(4, 2, 3, 200)


# The builder


def short(value: int, form: int = 0) -> bytes:
    """In its own form, or in one of so many bytes."""
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
    """A header of two models that are one."""
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
    """Of streams of which those that have `raw` bytes have code 0; one number, or one a stream."""
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
    """A file; by keyword, fields of the index and the footer that are not as they should be."""
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


# What is read


@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("spec", [GREY, RGB])
def test_header_of_an_empty_file(models: int, spec: Spec) -> None:
    read = version_2.read(file(header(spec, models, 1024), [], []))
    assert read == (HASHES[:models], spec, 1024, [], {})
    assert type(read.spec) is Spec


def test_it_stands_alone() -> None:
    code = "import sys, spec.version_2; print(*{name.split('.')[0] for name in sys.modules})"
    tests = Path(__file__).parent
    names = subprocess.run([sys.executable, "-c", code], cwd=tests, capture_output=True, text=True)
    modules = set(names.stdout.split())
    assert "spec" in modules
    assert not modules & {"recvae", "torch", "safetensors", "constriction"}


SIZES = [GREY, Spec(1, 1, 1, 256), Spec(7, 300, 3, 256), Spec(400, 2, 1, 3), GREY]


@pytest.mark.parametrize("tile", [None, (1, 1), (3, 2), (2, 9)])
def test_stored_images_of_mixed_sizes(tile: tuple[int, int] | None) -> None:
    """Also where tiles do not divide the image."""
    images, groups = [], []
    for count, spec in zip((2, 1, 2, 1, 2), SIZES, strict=True):
        own = None if spec == GREY else spec
        less = None if count == 2 else count
        size = tile and (min(tile[0], spec.height), min(tile[1], spec.width))
        size = size if size != spec[:2] else None
        pixels = batch(count, spec)
        images += list(pixels)
        streams = pieces(pixels, size or spec[:2])
        raws = [len(stream) for stream in streams]
        groups.append(group(streams, raws, count=less, spec=own, tile=size))
    raw = sum(image.size for image in images)
    read = version_2.read(file(header(GREY), groups, [2, 1, 2, 1, 2], raw, 3))
    assert [part.spec for part in read.groups] == SIZES
    back = version_2.stored(read.groups)
    assert all(image.dtype == np.uint8 for image in back)
    assert all(map(np.array_equal, back, images))
    assert len(back) == len(images)


def test_more_groups_than_a_run() -> None:
    pixels = batch(130, GREY)
    groups = [group([image.tobytes()], 15) for image in pixels]
    read = version_2.read(file(header(group_size=1), groups, [1] * 130, pixels.size))
    assert np.array_equal(version_2.stored(read.groups), pixels)


def layered() -> tuple[list[bytes], list[Group]]:
    """Groups as bytes and as they are read: of one stream, and of 3 layers of 2 x 3 tiles."""
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


def test_layers_of_tiles() -> None:
    read = version_2.read(layered_file())
    assert read.groups == layered()[1]
    assert read.arrays == {"names": ["a", "b", "c", "ü", "", ""]}


def test_raw_stream_of_an_edge_tile() -> None:
    """Code 0 is for the raw bytes of that tile, so at the edge its length is another."""
    whole, edge = bytes(4), bytes(2)
    for streams in ([whole, edge], [edge, whole]):
        data = group(streams, [4, 2], count=1, spec=Spec(2, 3, 1, 256), tile=(2, 2))
        (read,) = version_2.compact(data, HASHES, GREY, 2)
        assert read.streams == streams


def test_swapped_streams() -> None:
    streams = [b"abcd", b"efgh"]
    data = group(streams, layers=2)
    first, second = (data.index(stream) for stream in streams)
    exchanged = data[:first] + data[second : second + 6] + data[first : first + 6]
    assert version_2.compact(data, HASHES, GREY, 2)[0].streams == streams
    with pytest.raises(ValueError, match="checksum of a stream"):
        version_2.compact(exchanged, HASHES, GREY, 2)


ELEMENTS = {
    kind: np.arange(-6, 6).reshape(2, 1, 6).astype(dtype)
    for kind, dtype in enumerate(
        (">u1", ">i1", ">u2", ">i2", ">u4", ">i4", ">u8", ">i8", ">f4", ">f8"), 1
    )
}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_arrays(kind: int) -> None:
    elements = ELEMENTS[kind]
    several = {
        "labels": elements,
        "ü" * 127: elements[0, 0, 0, ...],
        "none": elements[:, :0],
        "axes": elements.reshape(1, 1, 2, 1, 1, 1, 1, 6),
    }
    arrays = [array(n.encode(), kind, v.shape, v.tobytes()) for n, v in several.items()]
    read = version_2.read(file(header(), [], [], arrays=tuple(arrays))).arrays
    assert list(read) == list(several)
    for name, expected in several.items():
        assert read[name].shape == expected.shape
        assert np.array_equal(read[name], expected)


TEXTS = [[], [""], ["", ""], ["a", "", "ü" * 120]]


@pytest.mark.parametrize("strings", TEXTS)
def test_text(strings: list[str]) -> None:
    packed = zlib.compress if strings else bytes
    text = array(b"text", 0, (len(strings),), "\0".join(strings).encode(), packed)
    assert version_2.read(file(header(), [], [], arrays=(text,))).arrays == {"text": strings}


def test_compact_payload() -> None:
    encoded, decoded = layered()
    data = b"".join(encoded)
    assert version_2.compact(data, HASHES, GREY, 2) == decoded
    borders = {sum(map(len, encoded[:i])): i for i in range(1, 5)}
    for length in range(len(data)):
        if length in borders:
            read = version_2.compact(data[:length], HASHES, GREY, 2)
            assert read == decoded[: borders[length]]
        else:
            with pytest.raises(ValueError, match=r"beyond the end|more streams than bytes"):
                version_2.compact(data[:length], HASHES, GREY, 2)


def said(length: int, start: int) -> list[Group]:
    """What the first bytes of the layered groups say."""
    groups = []
    for encoded, decoded in zip(*layered(), strict=True):
        tails = sum(len(stream) + 2 for stream in decoded.streams)
        at = start + len(encoded) - tails
        if len(decoded.streams) == 1 and length < start + len(encoded):
            return groups
        if length < at:
            return groups
        streams = []
        for stream in decoded.streams:
            at += len(stream) + 2
            streams.append(stream if at <= length else None)
        groups.append(decoded._replace(streams=streams))
        start += len(encoded)
        if length < start:
            return groups
    return groups


def test_cut_at_every_byte() -> None:
    data = layered_file()
    start = len(header(GREY, 3))
    for length in range(len(data) + 1):
        if length < start:
            with pytest.raises(ValueError, match=r"magic|truncated"):
                version_2.cut(data[:length])
        else:
            assert version_2.cut(data[:length]) == said(length, start)
        if length < len(data):
            with pytest.raises(ValueError, match=r"magic|truncated"):
                version_2.read(data[:length])
    assert version_2.cut(data) == layered()[1]
    assert None in version_2.cut(data[: start + 100])[1].streams


@pytest.mark.parametrize("flip", [1, 0x80, 0xFF])
def test_every_damaged_byte(flip: int) -> None:
    data = layered_file()
    for place, byte in enumerate(data):
        damaged = data[:place] + bytes([byte ^ flip]) + data[place + 1 :]
        with pytest.raises(ValueError, match=r"."):
            version_2.read(damaged)


# What is refused


def of_group(data: bytes, count: int = 2, raw: int = 30, own: int = 0, **fields) -> bytes:
    return file(header(GREY, 2), [data], [count], raw, own, **fields)


def of_arrays(*arrays: bytes, **wrong) -> bytes:
    return file(header(), [group([b""])], [2], 30, arrays=arrays, **wrong)


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


PLAIN = group([b""])
SPEC = Spec(9, 9, 1, 256)
GROUP_OF_TWO = group([b"ab", b"cd"], layers=2)


def of_spec(**fields) -> bytes:
    return of_group(group([b""], spec=SPEC._replace(**fields)), own=1)


def of_head(*codes: bytes, **fields) -> bytes:
    """One stream of no bytes, whatever the codes and fields say."""
    data = head(b"".join(codes), **fields)
    return of_group(data + crc16(data))


HOSTILE = [
    # header
    ("magic", file(header(magic=b"\x89REC\r\n\x1a\x0b"), [], [])),
    ("magic", b""),
    ("truncated", header()[:37]),
    ("truncated", header()),
    ("truncated", header(models=3)),
    ("truncated", header(models=3)[:-1]),
    ("truncated", header(models=3) + b"CER\x89"),
    ("truncated", file(header(), [], [])[:-1]),
    ("truncated", file(header(), [], []) + b"\0"),
    ("truncated", file(header(), [], [], end=b"CER\x88")),
    ("checksum of the header", file(header(flips=(1, 0)), [], [])),
    ("checksum of the models", file(header(models=3, flips=(0, 1)), [], [])),
    ("version", file(header(version=1), [], [])),
    ("version", file(header(version=3), [], [])),
    *(("channels", file(header(GREY._replace(channels=c)), [], [])) for c in (0, 2, 4, 255)),
    ("height and width", file(header(GREY._replace(height=0)), [], [])),
    ("height and width", file(header(GREY._replace(width=0)), [], [])),
    ("group size", file(header(group_size=0), [], [])),
    ("group size", file(header(group_size=1025), [], [])),
    # footer and index
    ("length of the index", file(header(), [], [], index_bytes=11)),
    ("length of the index", file(header(models=2), [], [], index_bytes=1 << 31)),
    ("checksum of the index", file(header(), [], [], flip_index=1)),
    ("the index's first byte", file(header(), [], [], index=b"")),
    ("a short beyond the end", file(header(), [], [], index=b"\x80" + b"\0\0\xff\0")),
    ("a number beyond the end", file(header(), [], [], index=b"\x80" + bytes(7))),
    ("a short beyond the end", file(header(), [], [], index=b"\x80" + bytes(8))),
    ("a short in another form", file(header(), [], [], index=b"\x80" + short(0, 9) + bytes(8))),
    ("more groups than images", of_group(PLAIN, images=0)),
    ("more groups than images", file(header(), [], [], num_groups=1)),
    ("more images than the groups hold", of_group(PLAIN, images=3)),
    ("more images than the groups hold", file(header(), [], [], images=1)),
    ("more groups than bytes", of_group(PLAIN, 2, images=2, num_groups=2)),
    ("more groups than bytes", of_group(PLAIN, images=1 << 62, num_groups=1 << 61)),
    ("more specs than groups", of_group(PLAIN, own=2)),
    ("checksum of all groups", of_group(PLAIN, flip_groups=1)),
    ("the runs' lengths", of_group(PLAIN, runs=[(5, 2)])),
    ("the runs' lengths", of_group(PLAIN, runs=[(3, 2)])),
    ("the runs' images", of_group(PLAIN, runs=[(4, 1)])),
    ("the runs' images", of_group(PLAIN, images=1)),
    ("the end of a run", file(header(group_size=1), [PLAIN] * 65, [1] * 65, 975,
                              runs=[(252, 64), (8, 1)])),
    ("the images of a run", file(header(), [PLAIN] * 65, [2] * 65, 1950,
                                 runs=[(256, 127), (4, 3)])),
    ("the images of a run", of_group(group([b""], count=1), 2, 30)),
    ("raw bytes", of_group(PLAIN, raw=29)),
    ("raw bytes", of_group(PLAIN, raw=1 << 63)),
    ("raw bytes", file(header(), [], [], raw=1)),
    ("number of specs", of_group(PLAIN, own=1)),
    ("raw bytes", of_group(group([b""], spec=SPEC), raw=162, own=0)),
    # groups
    *(("reserved flags", of_head(b"\1", flags=flag)) for flag in (32, 64, 128)),
    ("number of images of a group", of_group(group([b""], count=0))),
    ("number of images of a group", of_group(group([b""], count=2))),
    ("number of images of a group", of_group(group([b""], count=1 << 62))),
    ("height and width", of_spec(height=0)),
    ("height and width", of_spec(height=65536)),
    ("height and width", of_spec(width=0)),
    ("height and width", of_spec(width=1 << 40)),
    *(("channels", of_spec(channels=channels)) for channels in (0, 2, 4)),
    ("the common spec said again", of_group(group([b""], spec=GREY), own=1)),
    ("height of a tile", of_head(b"\1", tile=(0, 5))),
    ("height of a tile", of_head(b"\1", tile=(4, 4))),
    ("width of a tile", of_head(b"\1", tile=(3, 0))),
    ("width of a tile", of_head(b"\1", tile=(2, 6))),
    ("a tile that is the image", of_head(b"\1", tile=(3, 5))),
    *(("number of layers", of_head(b"\1", layers=layers)) for layers in (0, 1, 256, 1 << 50)),
    *(("number of a model", of_head(b"\1", model=model)) for model in (0, 2, 255)),
    ("more streams than 2\\^16", of_group(
        group([b""], spec=Spec(65535, 65535, 3, 256), tile=(1, 1), layers=255))),
    ("more streams than bytes", of_group(
        group([b""], spec=Spec(256, 256, 1, 256), tile=(1, 1)))),
    ("a length code in another form", of_head(short(31), bytes(30))),
    ("a length code in another form", of_head(b"\2", spec=Spec(1, 1, 1, 2), count=1)),
    ("a length code in another form", of_group(
        group([b"abcd", b"ab"], [4, -1], spec=Spec(1, 3, 1, 256), tile=(1, 2)))),
    ("a short in another form", of_head(short(200, 9))),
    ("a short in another form", of_group(b"\4" + short(2, 9) + short(2) + bytes(20))),
    ("a stream beyond the end", of_head(short(2))),
    ("a stream beyond the end", of_head(short((1 << 64) - 1))),
    ("a stream beyond the end", of_group(head(b"\0") + bytes(30))),
    ("a short beyond the end", of_group(b"\1\1\xff\0")),
    ("a number beyond the end", of_group(b"\2\1\1\1")),
    ("a number beyond the end", of_group(head(shorts(3, 3), layers=2) + b"\0")),
    ("checksum of a head", of_group(flipped(GROUP_OF_TWO, 5))),
    ("checksum of a stream", of_group(flipped(GROUP_OF_TWO, 6))),
    ("checksum of a stream", of_group(flipped(GROUP_OF_TWO, len(GROUP_OF_TWO) - 1))),
    ("checksum of a stream", of_group(flipped(group([b"ab"]), 2))),
    ("the end of a run", of_group(PLAIN + b"\0")),
    # arrays
    ("bytes behind the arrays", of_arrays(tail=b"\0")),
    ("a short beyond the end", of_arrays(num_arrays=1)),
    ("a short beyond the end", of_arrays(num_arrays=1 << 63)),
    ("length of an array's name", of_arrays(array(b"", 1, (), b"a"))),
    ("length of an array's name", of_arrays(array(b"a" * 256, 1, (), b"a"))),
    ("an array beyond the end", of_arrays(b"\5abc")),
    ("utf-8", of_arrays(array(b"\xff", 1, (), b"a"))),
    ("an array's name twice", of_arrays(*[array(b"a", 1, (), b"a")] * 2)),
    ("type of an array", of_arrays(array(b"a", 11, (), b"a"))),
    ("number of axes", of_arrays(array(b"a", 1, (1,) * 9, b"a"))),
    ("number of axes", of_arrays(array(b"a", 0, (), b""))),
    ("number of axes", of_arrays(array(b"a", 0, (1, 1), b""))),
    ("number of axes", of_arrays(b"\1a\1" + short((1 << 64) - 1))),
    ("an array beyond the end", of_arrays(array(b"a", 1, (1,), b"a")[:-1])),
    ("an array of more than", of_arrays(array(b"a", 7, (1 << 25, 2), b"a"))),
    ("an array of more than", of_arrays(array(b"a", 1, ((1 << 64) - 1,) * 8, b"a"))),
    ("an array of more than", of_arrays(array(b"a", 1, (0, (1 << 64) - 1), b""))),
    ("more elements", of_arrays(array(b"a", 1, (3,), b"abcd"))),
    ("more elements", of_arrays(array(b"a", 1, (3,), bytes(1 << 24)))),
    ("fewer elements", of_arrays(array(b"a", 1, (3,), b"ab"))),
    ("an array's stream", of_arrays(array(b"a", 1, (1,), b"a", lambda data: data))),
    ("an array's stream", of_arrays(array(b"a", 1, (1,), b"a", lambda _: b""))),
    ("an array's stream", of_arrays(array(b"a", 1, (1,), b"a", lambda d: zlib.compress(d)[:-1]))),
    ("an array's stream", of_arrays(array(b"a", 1, (1,), b"a", lambda d: zlib.compress(d) + b"a"))),
    ("an array's stream", of_arrays(
        array(b"a", 1, (1,), b"a", lambda d: flipped(zlib.compress(d), -1)))),
    ("number of strings", of_arrays(array(b"a", 0, (2,), b"ab"))),
    ("number of strings", of_arrays(array(b"a", 0, (1,), b"a\0b"))),
    ("number of strings", of_arrays(array(b"a", 0, (0,), b"a"))),
    ("the index's first byte", of_group(PLAIN, index=b"\2\1")),
    ("models that are the same", file(same_models(), [], [])),
    ("more elements", of_arrays(array(b"a", 0, (1,), b"a" * 257))),
    ("an array of more than", of_arrays(array(b"a", 0, ((1 << 64) - 1,), bytes(9)))),
    ("more elements", of_arrays(array(b"a", 0, (1 << 22,), bytes((1 << 26) + 1)))),
    ("utf-8", of_arrays(array(b"a", 0, (1,), b"\xff"))),
    ("names of the images", of_arrays(array(b"names", 0, (3,), b"a\0b\0c"))),
    ("names of the images", of_arrays(array(b"names", 1, (2,), b"ab"))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "data"), HOSTILE, ids=[f"{i} {reason}" for i, (reason, _) in enumerate(HOSTILE)]
)
def test_hostile_file(reason: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=reason):
        version_2.read(data)


def test_hostile_files_are_near_good_ones() -> None:
    """What the table starts from is read."""
    for data in (of_group(PLAIN), of_group(GROUP_OF_TWO), of_arrays(array(b"a", 1, (1,), b"a"))):
        assert len(version_2.read(data).groups) == 1
    text = array(b"a", 0, (1 << 22,), bytes((1 << 20) - 1))
    with pytest.raises(ValueError, match="number of strings"):
        version_2.read(of_arrays(text))


def test_random_changes_are_refused_or_read() -> None:
    """With checksums made anew, so that they get far: no other error than ValueError."""
    rng, texts = random.Random(2), (array(b"a", 0, (2,), b"a\0b"), array(b"b", 9, (2, 0), b""))
    index = b"\x80" + shorts(2, 1, 30, 0) + struct.pack(">I", zlib.crc32(PLAIN)) + shorts(4, 2)
    index += short(2) + b"".join(texts)
    outcomes = []
    for _ in range(2000):
        changed = bytearray(index)
        for _ in range(rng.choice((0, 1, 1, 3))):
            changed[rng.randrange(len(index))] = rng.choice((0, 1, 2, 192, 255, rng.randrange(256)))
        del changed[rng.choice((rng.randrange(len(index)), *[len(index)] * 3)) :]
        try:
            version_2.read(file(header(), [PLAIN], [2], index=bytes(changed)))
            outcomes.append("")
        except ValueError as error:
            outcomes.append(str(error))
    assert len(set(outcomes)) > 20


def test_compact_payload_of_no_groups() -> None:
    with pytest.raises(ValueError, match="beyond the end"):
        version_2.compact(b"", HASHES, GREY, 2)


def test_pixels_that_no_coder_stored() -> None:
    whole = Group(1, RGB, (4, 2), 1, 0, [bytes([199] * 24)])
    assert np.array_equal(version_2.stored([whole]), np.full((1, 4, 2, 3), 199))
    with pytest.raises(ValueError, match="a value that is no level"):
        version_2.stored([whole._replace(streams=[bytes([200] * 24)])])
    with pytest.raises(ValueError, match="layers"):
        version_2.stored([whole._replace(layers=2)])
    for lost in (None, bytes(23)):
        with pytest.raises(ValueError, match="raw bytes of a tile"):
            version_2.stored([whole._replace(streams=[lost])])
