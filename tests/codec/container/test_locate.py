"""What salvage is built of: the search for groups, and the repair of a byte."""

import random
import zlib
from itertools import accumulate, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from codec.container.files import HASH
from recvae.codec.container import Header
from recvae.codec.container.group_v1 import group_extent, pack_group, unpack_group
from recvae.codec.container.locate import find_groups
from recvae.codec.container.repair import one_byte_repairs
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
    """It looks at 32,767 bytes at a time."""
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
