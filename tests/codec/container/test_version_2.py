"""Version 2 of the file: our writer and reader against a decoder and a builder from its page."""

import io
import random
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.make_version_2 import plain
from recvae.codec.container import ContainerReader, ContainerWriter, Group, Header
from recvae.codec.container.compact import pack_compact, unpack_compact
from recvae.codec.container.group import num_tiles, tile_areas
from recvae.errors import InputError
from recvae.images.spec import ImageSpec
from spec import version_2
from spec.builder import with_arrays
from spec.hostile import HOSTILE

HASHES = tuple(bytes(range(i, i + 16)) for i in (0, 16, 32))
SPECS = st.builds(
    ImageSpec, st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(2, 256)
)


def raw_lengths(count: int, spec: ImageSpec, tile: tuple[int, int] | None) -> list[int]:
    areas = tile_areas(spec, tile)
    return [
        count * spec.channels * (rows.stop - rows.start) * (columns.stop - columns.start)
        for rows, columns in areas
    ]


@st.composite
def groups(draw: st.DrawFn, header: Header) -> Group:
    spec = draw(st.just(header.spec) | SPECS)
    tile = draw(st.none() | st.tuples(st.integers(1, spec.height), st.integers(1, spec.width)))
    tile = None if tile == (spec.height, spec.width) else tile
    layers = draw(st.sampled_from([1, 1, 2, 3]))
    count = draw(st.integers(1, header.group_size))
    raw = raw_lengths(count, spec, tile) * layers
    streams = [draw(st.binary(max_size=5) | st.just(bytes(size))) for size in raw]
    model = draw(st.integers(0, len(header.models) - 1))
    return Group(count, spec, tuple(streams), layers, tile, model)


@st.composite
def files(draw: st.DrawFn) -> tuple[Header, list[Group], dict]:
    spec = draw(SPECS)
    more = HASHES[1 : draw(st.integers(1, 3))]
    size = draw(st.integers(1, 4))
    header = Header(HASHES[0], spec.height, spec.width, size, spec.channels, spec.levels, 2, more)
    some = draw(st.lists(groups(header), max_size=5)) * draw(st.sampled_from([1, 1, 1, 20]))
    count = sum(group.num_images for group in some)
    arrays: dict = {}
    if draw(st.booleans()):
        arrays["labels"] = np.arange(count, dtype=draw(st.sampled_from(["u1", ">i4", "<i8"])))
    if draw(st.booleans()):
        arrays["scores"] = np.linspace(0, 1, 6).reshape(2, 3).astype("f4")
    if draw(st.booleans()):
        arrays["names"] = tuple(f"{i}.png" for i in range(count))
    return header, some, arrays


def written(header: Header, some: list[Group], arrays: dict) -> bytes:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, header)
    for group in some:
        writer.add(group)
    sizes = writer.finish(arrays=arrays)
    assert sizes.total == writer.num_bytes == len(stream.getvalue())
    return stream.getvalue()


@settings(max_examples=60, deadline=None)
@given(files())
def test_what_is_written_is_read_by_both(file: tuple[Header, list[Group], dict]) -> None:
    header, some, arrays = file
    data = written(header, some, arrays)
    second = version_2.read(data)
    assert second.groups == [plain(group) for group in some]
    assert second.models == list(header.models)
    assert second.arrays.keys() == arrays.keys()
    with ContainerReader(data) as reader:
        reader.verify()
        assert reader.header == header
        assert list(reader.groups()) == some
        assert reader.raw_bytes == sum(group.raw_bytes for group in some)
        same = all(group.spec == header.spec for group in some)
        assert reader.spec == (header.spec if same else None)
        assert reader.sizes().total == len(data)
        read = reader.arrays
    for name, array in arrays.items():
        assert np.array_equal(read[name], array)
        assert np.array_equal(second.arrays[name], array)
        if isinstance(array, np.ndarray):
            assert read[name].dtype == array.dtype.newbyteorder("=")


@settings(max_examples=15, deadline=None)
@given(files())
def test_random_access(file: tuple[Header, list[Group], dict]) -> None:
    header, some, _ = file
    image = 0
    with ContainerReader(written(header, some, {})) as reader:
        for number, group in enumerate(some):
            assert reader.group(number) == group
            assert reader.group_images(number) == group.num_images
            for _ in range(group.num_images):
                assert reader.find(image) == (number, image - image_in(group, image, some, number))
                image += 1
        with pytest.raises(IndexError):
            reader.find(image)


def image_in(group: Group, image: int, some: list[Group], number: int) -> int:
    return image - sum(before.num_images for before in some[:number])


@settings(max_examples=15, deadline=None)
@given(files())
def test_compact_payload(file: tuple[Header, list[Group], dict]) -> None:
    header, some, _ = file
    if not some:
        return
    data = pack_compact(some, header)
    assert unpack_compact(data, header) == some
    spec = version_2.Spec(header.height, header.width, header.channels, header.levels)
    second = version_2.compact(data, header.models, spec, header.group_size)
    assert second == [plain(group) for group in some]
    for end in range(0, len(data), 1 + len(data) // 40):
        try:
            some_groups = unpack_compact(data[:end], header)
        except InputError:
            continue
        assert pack_compact(some_groups, header) == data[:end]


LAYERED = Group(2, ImageSpec(5, 4), (b"a", b"bc", b"", b"def", bytes(10), b"g"), 3, (3, 4))
HEADER = Header(HASHES[0], 3, 5, 2, version=2)
MIXED = [
    Group(2, HEADER.spec, (b"first",)),
    Group(1, ImageSpec(2, 2, 3), (bytes(range(12)),)),
    LAYERED,
    Group(1, HEADER.spec, (b"last",)),
]
SMALL = written(HEADER, MIXED, {"labels": np.arange(6, dtype="u1"), "names": tuple("abcdef")})


def verify(data: bytes) -> None:
    with ContainerReader(data) as reader:
        reader.verify()


@pytest.mark.parametrize("mask", [0x01, 0x08, 0x80, 0x55, 0xFF])
def test_every_damaged_byte_is_found(mask: int) -> None:
    verify(SMALL)
    for position in range(len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[position] ^= mask
        with pytest.raises(InputError, match="recvae data: ") as caught:
            verify(bytes(damaged))
        assert "\n" not in str(caught.value)


def test_every_cut_is_found() -> None:
    for end in range(len(SMALL)):
        with pytest.raises(InputError):
            verify(SMALL[:end])


@pytest.mark.parametrize(
    ("reason", "data"), HOSTILE, ids=[f"{i} {reason}" for i, (reason, _) in enumerate(HOSTILE)]
)
def test_hostile_file(reason: str, data: bytes) -> None:
    """It refuses all that the second decoder refuses, in one line and with little memory."""
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        verify(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 2100 * len(data) + (1 << 22)  # zlib expands a thousandfold


def test_random_changes_are_judged_alike() -> None:
    """Both decoders accept, or both refuse, a changed file with corrected CRC-32s."""
    rng = random.Random(0)
    taken = 0
    for _ in range(1000):
        data = bytearray(SMALL)
        for _ in range(rng.choice((1, 1, 2))):
            data[rng.randrange(8, len(data) - 12)] = rng.choice(
                (0, 1, 2, 3, 255, rng.randrange(256))
            )
        data[34:38] = zlib.crc32(data[:34]).to_bytes(4)
        index = len(data) - 12 - int.from_bytes(data[-12:-8])
        data[-8:-4] = zlib.crc32(data[index:-8]).to_bytes(4)
        verdicts = []
        for read in (version_2.read, verify):
            try:
                read(bytes(data))
                verdicts.append(True)
            except ValueError:
                verdicts.append(False)
        assert verdicts[0] == verdicts[1], data.hex()
        taken += verdicts[0]
    assert taken


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": ("a",)}, "array 'names': needs a string for each of the 6 images"),
        ({"names": np.arange(6)}, "array 'names': needs a string"),
        ({"": np.arange(2)}, "array name '': must take 1 to 255 bytes"),
        ({"\ud800": np.arange(2)}, "not valid Unicode"),
        ({"x": np.zeros(2, complex)}, "array 'x': holds complex128"),
        ({"x": np.zeros((1,) * 9)}, "array 'x': has 9 axes"),
        ({"x": ["a\0b"]}, "array 'x': a string contains a NUL"),
        ({"x": np.broadcast_to(np.uint8(0), (1 << 28, 2))}, "array 'x': takes 536870912 bytes"),
    ],
)
def test_arrays_that_no_file_holds(arrays: dict, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        written(HEADER, MIXED, arrays)


def test_version_1_refuses_what_it_cannot_say() -> None:
    first = Header(HASHES[0], 3, 5, 2)
    for group in MIXED[1:3]:
        with pytest.raises(ValueError, match="version 1"):
            ContainerWriter(io.BytesIO(), first).add(group)
    with pytest.raises(ValueError, match="version 1"):
        ContainerWriter(io.BytesIO(), first).finish(arrays={"labels": np.arange(1)})
    for fields in ({"channels": 3}, {"levels": 2}, {"more_models": (HASHES[1],)}):
        with pytest.raises(InputError, match="version 1"):
            Header(HASHES[0], 3, 5, 2, **fields)


def test_arrays_are_read_when_asked_for() -> None:
    """A reader of images need not inflate other arrays."""
    bomb = with_arrays(b"\1a\1\1" + b"\xff" + (1 << 27).to_bytes(8) + b"\0")
    with ContainerReader(bomb) as reader:
        list(reader.groups())
        with pytest.raises(InputError, match="array 'a': its data are"):
            _ = reader.arrays


def test_numbers_of_streams() -> None:
    with pytest.raises(ValueError, match="2 streams for 1 layers"):
        Group(1, HEADER.spec, (b"", b""))
    with pytest.raises(ValueError, match="tile"):
        Group(1, HEADER.spec, (b"",), tile=(3, 5))
    with pytest.raises(ValueError, match="90000 layers and tiles, the limit is 65536"):
        Group(1, ImageSpec(300, 300), (b"",) * 90000, tile=(1, 1))
    assert num_tiles(ImageSpec(5, 4), (3, 3)) == 4
