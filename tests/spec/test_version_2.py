"""The second decoder of version 2 reads what its builder writes, and refuses all else."""

import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from spec import version_2
from spec.builder import (
    GREY,
    HASHES,
    RGB,
    array,
    batch,
    file,
    group,
    header,
    layered,
    layered_file,
    pieces,
    short,
    shorts,
    with_arrays,
    with_group,
)
from spec.hostile import GROUP_OF_TWO, HOSTILE, PLAIN
from spec.version_2 import Group, Spec

# What is read


@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("spec", [GREY, RGB, Spec(3, 5, 2, 256), Spec(3, 5, 4, 9)])
def test_header_of_an_empty_file(models: int, spec: Spec) -> None:
    read = version_2.read(file(header(spec, models, 1024), [], []))
    assert read == (HASHES[:models], spec, 1024, [], {})
    assert type(read.spec) is Spec


def test_it_stands_alone() -> None:
    code = "import sys, spec.version_2, spec.synthesis, spec.pixelwise\n"
    code += "print(*{name.split('.')[0] for name in sys.modules})"
    tests = Path(__file__).parents[1]
    names = subprocess.run([sys.executable, "-c", code], cwd=tests, capture_output=True, text=True)
    modules = set(names.stdout.split())
    assert "spec" in modules
    assert not modules & {"recvae", "torch", "safetensors", "constriction"}


SIZES = [GREY, Spec(1, 1, 2, 256), Spec(7, 300, 3, 256), Spec(400, 2, 4, 3), GREY]


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


def test_layers_of_tiles() -> None:
    read = version_2.read(layered_file())
    assert read.groups == layered()[1]
    assert read.arrays == {"names": ["a", "b", "c", "ü", "", ""]}


def test_raw_stream_of_an_edge_tile() -> None:
    """Code 0 means the raw bytes of the tile, which are fewer at the edge."""
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
    """The meaning of the first bytes of the layered groups."""
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


@pytest.mark.parametrize(
    ("reason", "data"), HOSTILE, ids=[f"{i} {reason}" for i, (reason, _) in enumerate(HOSTILE)]
)
def test_hostile_file(reason: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=reason):
        version_2.read(data)


def test_hostile_files_are_near_good_ones() -> None:
    """The unchanged file that the table starts from is read."""
    for data in (
        with_group(PLAIN),
        with_group(GROUP_OF_TWO),
        with_arrays(array(b"a", 1, (1,), b"a")),
    ):
        assert len(version_2.read(data).groups) == 1
    text = array(b"a", 0, (1 << 22,), bytes((1 << 20) - 1))
    with pytest.raises(ValueError, match="number of strings"):
        version_2.read(with_arrays(text))


def test_random_changes_are_refused_or_read() -> None:
    """With corrected checksums, to get far: no other error than ValueError."""
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
