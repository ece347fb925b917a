"""Damaged and hostile container files: refused in one line, and without cost."""

import random
import struct
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.container.files import HASH, NAMES, container, digits
from recvae.codec.container import ContainerReader, Header
from recvae.codec.container.group_v1 import pack_group
from recvae.codec.container.index_v1 import Index
from recvae.codec.container.names import pack_names, unpack_names
from recvae.codec.container.numbers import pack_short, unpack_short
from recvae.errors import InputError

ONE_EACH = Header(HASH, 28, 28, 1)
EDGES = st.sampled_from([b"\0", b"\1", b"\2", b"\x04", b"\xff"])
MASKS = (0x01, 0x08, 0x80, 0x55, 0xFF)
SMALL = container([b"first", bytes(range(200)), b"", b"last"], ONE_EACH, names=NAMES[:4])


def verify(data):
    with ContainerReader(data) as reader:
        reader.verify()


def refused(data, message="^recvae data: "):
    with pytest.raises(InputError, match=message) as caught:
        verify(data)
    assert "\n" not in str(caught.value)


def sealed(groups, header=ONE_EACH, **fields):
    """Returns a file that lies but whose checksums are right."""
    known = {"groups_crc": zlib.crc32(groups), "run_lengths": [len(groups)]}
    return header.to_bytes() + groups + Index(**known | fields).to_bytes()


def header_with(offset, value):
    fields = bytearray(ONE_EACH.to_bytes()[:34])
    fields[offset : offset + len(value)] = value
    rest = SMALL[38:]
    return bytes(fields) + zlib.crc32(fields).to_bytes(4) + rest


@pytest.mark.parametrize("mask", MASKS)
def test_every_damaged_byte_is_found(mask):
    verify(SMALL)
    for position in range(len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[position] ^= mask
        refused(bytes(damaged))


def test_damage_never_gives_a_wrong_payload_in_random_access():
    payloads = [b"first", bytes(range(200)), b"", b"last"]
    for position in range(38, len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[position] ^= 0x10
        for group, payload in enumerate(payloads):
            try:
                with ContainerReader(bytes(damaged)) as reader:
                    assert reader.payload(group) == payload
            except InputError:
                pass


def test_undamaged_groups_survive_a_damaged_payload():
    payloads = digits(70)
    data = bytearray(container(payloads, ONE_EACH))
    data[data.index(payloads[17]) + 50] ^= 1
    reader = ContainerReader(bytes(data))
    others = [group for group in range(70) if group != 17]
    assert [reader.payload(group) for group in others] == payloads[:17] + payloads[18:]
    start = 38 + sum(map(len, (pack_group(payload, ONE_EACH) for payload in payloads[:17])))
    with pytest.raises(InputError, match=f"group 17 is damaged at byte {start}: its checksum"):
        reader.payload(17)


@pytest.mark.parametrize("value", [0, 50, 191, 254, 255])
def test_a_damaged_length_is_located(value):
    payloads = digits(150)
    data = bytearray(container(payloads, ONE_EACH))
    start = 38 + sum(map(len, (pack_group(payload, ONE_EACH) for payload in payloads[:99])))
    data[start] = value
    refused(bytes(data), f"group 99 is damaged at byte {start}")


def damaged_at_random(data, rng):
    """Returns the data with changed bytes, a hole, a byte too few or too many, or a part twice."""
    damaged, place = bytearray(data), rng.randrange(len(data))
    kind = rng.choice(["bytes", "bytes", "bytes", "hole", "lost", "added", "twice"])
    if kind == "bytes":
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(len(data))] ^= rng.randint(1, 255)
    elif kind == "hole":
        hole = damaged[place : place + rng.randint(1, 4096)]
        damaged[place : place + len(hole)] = bytes(len(hole))
    elif kind == "lost":
        del damaged[place : place + rng.choice([1, 2, 512])]
    elif kind == "added":
        damaged.insert(place, rng.randrange(256))
    else:
        damaged[place:place] = damaged[place : place + rng.choice([1, 16, 512])]
    return bytes(damaged)


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_random_damages_of_a_large_file_are_found(count):
    rng = random.Random(0)
    header = Header(HASH, 28, 28, 64)
    data = container([rng.randbytes(rng.randint(6000, 9000)) for _ in range(70)], header)
    verify(data)
    for _ in range(count):
        damaged = damaged_at_random(data, rng)
        if damaged != data:
            refused(damaged)


def test_lost_repeated_and_exchanged_bytes_are_found():
    groups = [pack_group(payload, ONE_EACH) for payload in digits(3)]
    data = sealed(b"".join(groups), num_images=3)
    verify(data)
    head, tail = data[:38], data[38 + sum(map(len, groups)) :]
    for order in ([1, 0, 2], [0, 1], [0, 1, 2, 2], []):
        refused(head + b"".join(groups[group] for group in order) + tail)


def test_every_truncation_is_found():
    for length in range(len(SMALL)):
        refused(SMALL[:length], "not a recvae file|truncated")


@pytest.mark.parametrize(
    "more", [b"\0", b"\n", SMALL[-12:], SMALL], ids=["zero", "line end", "footer", "whole file"]
)
def test_trailing_bytes_are_refused(more):
    refused(SMALL + more)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=80), st.integers(0, 1 << 32))
def test_arbitrary_bytes_between_the_ends_never_crash(groups, rest, num_images):
    index = pack_short(num_images) + rest
    footer = struct.pack(">I", len(index))
    crc = zlib.crc32(index + footer).to_bytes(4)
    refused(ONE_EACH.to_bytes() + groups + b"\0" + index + footer + crc + b"CER\x89")


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=26, max_size=26) | st.builds(b"".join, st.lists(EDGES, min_size=26)))
def test_a_header_is_refused_or_is_the_same_again(fields):
    data = b"\x89REC\r\n\x1a\n" + fields[:26]
    data += zlib.crc32(data).to_bytes(4)
    with suppress(InputError):
        assert Header.from_bytes(data).to_bytes() == data


@given(st.binary(max_size=10) | st.builds(lambda b: b"\xff" + b, st.binary(max_size=9)))
def test_a_short_is_read_within_its_bytes(data):
    try:
        value, end = unpack_short(data)
    except IndexError:
        assert len(data) < 9
    else:
        assert end <= len(data)
        assert 0 <= value < 1 << 64
        assert len(pack_short(value)) <= end


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60) | st.text().map(str.encode),
    st.integers(0, 40),
    st.sampled_from([bytes, zlib.compress, lambda text: zlib.compress(text)[:-1]]),
)
def test_names_are_refused_or_are_the_same_again(text, num_images, pack):
    with suppress(InputError):
        names = unpack_names(pack(text), num_images)
        assert len(names or ()) == (num_images if names else 0)
        assert unpack_names(pack_names(names or ()), num_images) == names


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "^recvae data: not a recvae file: it is empty$"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "not a recvae file$"),
        (SMALL.replace(b"\r\n", b"\n"), "not a recvae file: .* text-mode transfer"),
        (bytes(byte & 127 for byte in SMALL), "not a recvae file: .* text-mode transfer"),
        (SMALL[:20], "truncated file: it ends within the header, at byte 20"),
        (SMALL[:45], "truncated file: the index is missing, it ends at byte 45"),
        (SMALL[:-1], "truncated file: the index is missing"),
        (SMALL[:20] + b"?" + SMALL[21:], r"the header is damaged \(bytes 0 to 37\)"),
        (header_with(8, b"\3"), "format version 3; this program reads 1 and 2: upgrade"),
        (header_with(8, b"\2"), "header, channels: 0, must be 1 to 4"),
        (header_with(8, b"\0"), "format version 0; this program reads 1 and 2$"),
        (header_with(10, b"\0\1"), "byte 10: flags are 0x0001"),
        (header_with(9, b"\7"), "header, pixel_format: 7"),
        (header_with(12, b"\0\0"), "header, height: 0"),
        (header_with(16, b"\x04\x01"), "header, group_size: 1025"),
        (SMALL[:-12] + b"\xff" + SMALL[-11:], "footer damaged at byte .* states an index of"),
        (SMALL[:-14] + b"??" + SMALL[-12:], r"the index or the footer is damaged \(bytes "),
        (sealed(b"\1" * 9, num_images=10**18), "states 1000000000000000000 images in 9 bytes"),
        (sealed(b"\1" * 9, num_images=2**64 - 1), "not possible"),
        (sealed(b"\1" * 9, num_images=3, run_lengths=[8]), "take 9 bytes; the index says 8"),
        (sealed(b"\1" * 9, num_images=3, run_lengths=[]), "the index is too short"),
        (sealed(b"\1" * 999, num_images=65, run_lengths=[0, 999]), "groups 0 to 63 do not fill"),
        (sealed(b"\xff" * 9, num_images=3), "group 0 is damaged at byte 38: its length"),
        (sealed(pack_group(b"", ONE_EACH), num_images=1, groups_crc=1), "checksum of all groups"),
        (sealed(b"", num_images=0, run_lengths=[], groups_crc=1), "checksum of all groups"),
        (sealed(pack_group(b"", ONE_EACH) * 2, num_images=1), "do not fill the bytes 38 to 43"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused_and_how(data, message):
    refused(data, message)


def test_one_form_for_each_number():
    group = pack_group(b"", ONE_EACH)
    index = b"\xff" + (1).to_bytes(8) + zlib.crc32(group).to_bytes(4) + pack_short(len(group))
    tail = index + len(index).to_bytes(4)
    data = ONE_EACH.to_bytes() + group + tail + zlib.crc32(tail).to_bytes(4) + b"CER\x89"
    refused(data, "not in its shortest form")


BOMB = zlib.compress(bytes(200 << 20), 9)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (BOMB, "names take more than 1024 bytes"),
        (b"junk", "names are damaged"),
        (zlib.compress(b"a\0b\0c"), "3 image names for 4 images"),
        (zlib.compress(b"\xff\0\0\0"), "names are damaged"),
        (zlib.compress(b"a\0b\0c\0d")[:-1], "do not end before the index does"),
        (zlib.compress(b"a\0b\0c\0d") + b"x", "bytes follow the image names"),
    ],
)
def test_hostile_names(packed, message):
    groups = pack_group(b"", ONE_EACH) * 4
    refused(sealed(groups, num_images=4, packed_names=packed), message)


def test_hostile_claims_cost_no_memory():
    groups = pack_group(b"", ONE_EACH) * 4
    bomb = sealed(groups, num_images=4, packed_names=BOMB)
    hostile = [bomb, sealed(b"\1" * 9, num_images=10**18), sealed(b"\0" * 9, num_images=3)]
    tracemalloc.start()
    for data in hostile:
        refused(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(bomb)  # what it unpacks to is 1000 times its length


@pytest.mark.parametrize("name", ["missing.recvae", "."])
def test_unreadable_paths(tmp_path, name):
    with pytest.raises(InputError, match=f"{tmp_path}.*: "):
        ContainerReader(tmp_path / name)


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "cut.recvae"
    path.write_bytes(SMALL[:60])
    with pytest.raises(InputError, match=r"cut\.recvae: truncated file"):
        ContainerReader(path)


def test_a_file_cut_while_it_is_read(tmp_path):
    path = tmp_path / "a.recvae"
    path.write_bytes(container(digits(200), ONE_EACH))
    with ContainerReader(path) as reader:
        with open(path, "r+b") as file:
            file.truncate(9000)
        with pytest.raises(InputError, match="cut while being read"):
            list(reader.payloads())
