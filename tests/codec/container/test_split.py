"""Which bytes are of which file, where several lie one behind the other."""

import io
import random
import zlib

import pytest

from codec.container.files import HASH, container, digits
from recvae.codec.container import ContainerWriter, Group, Header
from recvae.codec.container.footer import with_footer
from recvae.codec.container.numbers import pack_short
from recvae.codec.container.repair import headers_by_checksum
from recvae.codec.container.split import MAX_PARSES, MAX_PASSES, Groups, Indexes, magics, split
from recvae.errors import InputError
from recvae.images.spec import ImageSpec

HEADER = Header(HASH, 28, 28, 1)
OTHER = Header(bytes(range(1, 17)), 28, 28, 4)
SECOND = Header(HASH, 28, 28, 2, version=2, more_models=(bytes(16),))
MODELS = [(HASH, 28, 28)]


def file(header: Header, groups: int = 6, seed: int = 0) -> bytes:
    return container(digits(groups, seed), header)


A, B, C = file(HEADER), file(OTHER, seed=1), file(SECOND, seed=2)


def flipped(data: bytes, *positions: int) -> bytes:
    damaged = bytearray(data)
    for position in positions:
        damaged[position] ^= 0x10
    return bytes(damaged)


def pieces(*parts: bytes) -> list[tuple[bytes, Header | None]]:
    """The bytes and the header of each piece, which follow one another."""
    data = b"".join(parts)
    found = split(data, MODELS)
    assert [piece.begin for piece in found] == [0, *(piece.end for piece in found[:-1])]
    assert found[-1].end == len(data)
    return [(data[piece.begin : piece.end], piece.header) for piece in found]


BROKEN_A = flipped(A, *range(34))  # all but its CRC-32
SHORT_C = C[: len(C) // 2]
SPLIT = {
    "one": [(A, HEADER)],
    "three": [(A, HEADER), (B, OTHER), (C, SECOND)],
    "twice": [(A, HEADER), (A, HEADER)],
    "cut, whole": [(A[: len(A) // 2], HEADER), (B, OTHER)],
    "cut within the index": [(A[:-5], HEADER), (B, OTHER)],
    "with bytes too many": [(A[:200] + b"more" + A[200:], HEADER), (B, OTHER)],
    "all damaged": [(A[:-5], HEADER), (flipped(B, 36), OTHER), (flipped(C, 3, 90), SECOND)],
    "any byte of the magic": [(A[:150], HEADER), (flipped(B, 6), OTHER), (flipped(C, 2), SECOND)],
    "a header rebuilt": [(B, OTHER), (BROKEN_A, HEADER), (SHORT_C, SECOND)],
    "bytes between": [
        (b"before", None),
        (A, HEADER),
        (b"\0" * 512, None),
        (B, OTHER),
        (b"\n", None),
    ],
    "without groups": [(file(HEADER, 0), HEADER), (file(SECOND, 0), SECOND), (A, HEADER)],
    "without its header": [(A, HEADER), (B[38:], None), (C, SECOND), (A[38:], None)],
    "cut header": [(A, HEADER), (B[:20], None)],
}


@pytest.mark.parametrize("case", SPLIT)
def test_split(case: str) -> None:
    assert pieces(*(data for data, _ in SPLIT[case])) == SPLIT[case]


def test_what_is_known_of_each() -> None:
    data = A + B[38:] + flipped(B, 20) + C[:20] + b"\r\n\x1a\n"
    found = split(data, MODELS)
    lost = "the remains of a file whose header is lost or beyond repair"
    assert [(piece.num_images, piece.repaired, piece.problem) for piece in found] == [
        (6, False, None),
        (None, False, lost),
        (24, True, None),
        (None, False, lost),
    ]
    (_, behind) = split(A + b"\x89PNG\r\n\x1a\n and more of a picture", MODELS)
    assert behind.problem is None


@pytest.mark.parametrize("header", [HEADER, SECOND])
def test_groups_that_follow_one_another_are_of_a_file(header: Header) -> None:
    """One without its header and the end of its index; padding and other bytes are none."""
    first, second = file(header), file(header, seed=5)
    assert split(first + second[header.num_bytes + 9 : -30], MODELS)[1].problem
    assert split(second[50:-30] + b"\r\n" + first, MODELS)[0].problem
    assert split(first + bytes(600) + second[50:-30], MODELS)[1].problem
    for byte in (0, 10, 32, 255):
        assert not split(first + bytes([byte]) * 600, MODELS)[1].problem
    for other in (b"some text. " * 500, random.Random(0).randbytes(4000)):
        assert not split(first + other, MODELS)[1].problem


def test_a_file_of_a_later_version_is_told() -> None:
    later = bytearray(A)
    later[8] = 9
    later[34:38] = zlib.crc32(later[:34]).to_bytes(4)
    found = split(A + bytes(later) + B, MODELS)
    assert [piece.header for piece in found] == [HEADER, None, OTHER]
    assert "format version 9" in (found[1].problem or "")


@pytest.mark.parametrize("version", [1, 2])
def test_pixels_may_be_the_bytes_of_a_file(version: int) -> None:
    """By its index the outer file is one; without it, its groups are whole as far as they go."""
    inner = A + B
    header = Header(HASH, 1, len(inner), 1, version=version)
    outer = container([b"first", inner, b"third"], header)
    assert pieces(outer) == [(outer, header)]
    assert pieces(flipped(outer, 40)) == [(flipped(outer, 40), header)]
    assert pieces(outer, b"\n", C) == [(outer, header), (b"\n", None), (C, SECOND)]
    assert pieces(outer[:-9]) == [(outer[:-9], header)]
    assert pieces(outer[:-22], C) == [(outer[:-22], header), (C, SECOND)]


def test_no_file() -> None:
    for data in (b"", b"something else, and longer than a header is", B[38:]):
        with pytest.raises(InputError):
            split(data, MODELS)


def test_a_file_that_lost_its_last_byte_ends_with_the_next() -> None:
    """The end magic ends with the byte that the magic begins with."""
    for first, second in [(A, C), (C, B), (A[:90] + b"more" + A[90:], A)]:
        spans = [(piece.begin, piece.end) for piece in split(first[:-1] + second, MODELS)]
        assert spans == [(0, len(first)), (len(first) - 1, len(first) + len(second) - 1)]


def test_many_files_among_bytes_that_look_like_some() -> None:
    assert len(pieces(*[A, flipped(B, 50), A[:100]] * 50)) == 150
    rng = random.Random(0)
    footers = b"".join(rng.randbytes(1) + b"\0" + b"CER\x89" * 3 for _ in range(2000))
    assert pieces(A, footers) == [(A, HEADER), (footers, None)]
    assert pieces(A, b"\x89REC" * 300, B) == [(A, HEADER), (b"\x89REC" * 300, None), (B, OTHER)]


def test_an_index_is_parsed_a_bounded_number_of_times() -> None:
    """Headers of other group sizes, before an index as long as they all that claims more yet."""
    headers = [Header(HASH, 28, 28, size) for size in range(1, 301)]
    data = b"".join(header.to_bytes() + b"\0" for header in headers)
    data += with_footer(pack_short(1 << 50) + b"\1" * len(data))
    indexes = Indexes(data)
    for number, header in enumerate(headers):
        assert indexes.end_of_whole(number * 39, header) is None
    assert indexes.ends == [len(data)]
    assert indexes.parsed_bytes <= (MAX_PARSES + 1) * len(data)


def test_groups_are_checked_a_bounded_number_of_times() -> None:
    """A group behind each header takes all bytes to the end; heads tell of streams as long."""
    count, size = 500, len(HEADER.to_bytes()) + 9
    data = b"".join(
        HEADER.to_bytes() + b"\xff" + (1 + (count - number) * size - 38).to_bytes(8)
        for number in range(count)
    )
    groups = Groups(data + bytes(40))
    for number in range(count):
        groups.end(number * size, HEADER)
    assert len(data) < groups.checked_bytes <= (MAX_PASSES + 2) * len(data)
    head = bytes([4 | 8, 1, 1, 83])  # 28 * 28 tiles of as many layers as can be
    data = (SECOND.to_bytes() + head) * 300 + b"\1" * 10_000
    groups = Groups(data)
    for number in range(300):
        groups.end(number * (SECOND.num_bytes + len(head)), SECOND)
    assert len(data) < groups.parsed_bytes <= (MAX_PARSES + 10) * len(data)


def test_half_of_a_magic_alone_begins_no_header() -> None:
    known = headers_by_checksum(MODELS)
    assert set(magics(b"\x89REC" * 100 + b"\r\n\x1a\n" * 100, lambda: known)) == {396}
    rebuilt = A[:4] + bytes(30) + A[34:]
    assert set(magics(rebuilt + flipped(A, 6), lambda: known)) == {0, len(A)}


def test_groups_of_any_spec() -> None:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, SECOND)
    for height in (3, 28):
        writer.add(Group(1, ImageSpec(height, 28, 3), (bytes(50),) * 2, layers=2))
    writer.finish(arrays={"blob": list(A.hex())})
    assert pieces(stream.getvalue()[:-7], A) == [(stream.getvalue()[:-7], SECOND), (A, HEADER)]
