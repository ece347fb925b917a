"""The parts of salvage: the search for groups, and the repair of a byte."""

import random
import zlib
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.container.files import HASH, container
from recvae.codec.container import Header
from recvae.codec.container.group_v1 import group_extent, pack_group, unpack_group
from recvae.codec.container.locate import Shorts, find_groups
from recvae.codec.container.numbers import pack_short
from recvae.codec.container.repair import one_byte_repairs, read_cut_index
from recvae.errors import InputError

HEADER = Header(HASH, height=4, width=5, group_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300) | st.just(bytes(60)), max_size=9), st.binary(max_size=400))
def test_the_scan_finds_what_a_search_of_every_place_finds(payloads, garbage) -> None:
    data = HEADER.to_bytes() + garbage
    data += b"".join(pack_group(payload, HEADER) for payload in payloads) + b"\xff" * 3 + garbage
    expected = {}
    for start in range(38, len(data)):
        try:
            end = start + group_extent(data[start : start + 9], HEADER)
            unpack_group(data[start:end].ljust(1), HEADER)
        except (InputError, IndexError):
            continue
        if end <= len(data):
            expected[start] = end
    assert find_groups(data, HEADER) == expected


def test_the_scan_goes_on_where_its_parts_meet() -> None:
    """It processes 32,767 bytes at a time."""
    rng = random.Random(3)
    payloads = [rng.randbytes(rng.choice([0, 50, 700, 17_000])) for _ in range(60)]
    groups = [pack_group(payload, HEADER) for payload in payloads]
    starts = list(accumulate(map(len, groups), initial=38))
    found = find_groups(HEADER.to_bytes() + b"".join(groups), HEADER)
    assert starts[-1] > 3 * 32_767
    assert dict(pairwise(starts)).items() <= found.items()
    assert len(found) < 60 + 20


@given(st.binary(min_size=1, max_size=300), st.data())
def test_one_wrong_byte_is_put_right(data: bytes, draw) -> None:
    sealed = data + zlib.crc32(data).to_bytes(4)
    damaged = bytearray(sealed)
    damaged[draw.draw(st.integers(0, len(sealed) - 1))] ^= draw.draw(st.integers(1, 255))
    assert sealed in one_byte_repairs(bytes(damaged))


@given(st.binary(max_size=400), st.integers(0, 9), st.integers(0, 300))
def test_shorts_end_where_reading_them_one_by_one_ends(data: bytes, start: int, count: int) -> None:
    end = start
    for _ in range(count):
        if end >= len(data):
            end = len(data) + 1
            break
        end += len(pack_short({255: 1 << 20}.get(data[end], data[end] // 192 * 192)))
    found = Shorts(data).end(start, count)
    assert found == end if end <= len(data) else found > len(data)


@pytest.mark.parametrize("cut", range(12))
def test_a_cut_index_is_certain_while_its_checksum_is_there(cut: int) -> None:
    groups = [pack_group(payload, HEADER) for payload in (b"some", b"other")]
    sizes = list(map(len, groups))
    data = container([b"some", b"other"], HEADER)
    start = 38 + sum(sizes)
    found = read_cut_index(data[: len(data) - cut], HEADER, start, [sum(sizes)], 2)
    assert found.index.num_images == 6
    assert found.certain == (cut <= 4)


@pytest.mark.parametrize("wrong", [1, 1 << 8, 1 << 31, 0xFFFFFFFF])
def test_every_repair_differs_in_one_byte_and_has_its_checksum(wrong: int) -> None:
    data = bytes(range(200))
    sealed = data + (zlib.crc32(data) ^ wrong).to_bytes(4)
    for repaired in one_byte_repairs(sealed):
        assert zlib.crc32(repaired[:-4]).to_bytes(4) == repaired[-4:]
        in_data = sum(a != b for a, b in zip(repaired[:-4], data, strict=True))
        assert in_data == 1 or repaired == data + zlib.crc32(data).to_bytes(4)


def test_a_group_with_any_other_checksum_is_refused() -> None:
    group = pack_group(b"some bytes", HEADER)
    assert unpack_group(group, HEADER) == b"some bytes"
    crc = int.from_bytes(group[-2:])
    for other in (0, crc - 1, crc + 1, 0xFFFF):
        with pytest.raises(InputError, match="checksum"):
            unpack_group(group[:-2] + other.to_bytes(2), HEADER)
