"""The container: header, groups, index and footer. Raises ValueError for what must be refused."""

import zlib
from typing import NamedTuple

MAGIC, END_MAGIC = b"\x89REC\r\n\x1a\n", b"CER\x89"
HEADER_BYTES, FOOTER_BYTES, GROUPS_PER_RUN = 38, 12, 64


class Container(NamedTuple):
    """The contents of a file: the payload and the number of images of each group."""

    model_hash: bytes
    height: int
    width: int
    payloads: list[bytes]
    counts: list[int]
    names: list[str]


def check(holds: bool, message: str) -> None:
    """Refuse the file unless the condition holds."""
    if not holds:
        raise ValueError(message)


def short(data: bytes, at: int) -> tuple[int, int]:
    """An integer of one, two or nine bytes, in canonical form, and its end."""
    check(at < len(data), "a short beyond the end")
    first = data[at]
    size = 1 if first < 192 else 2 if first < 255 else 9
    check(at + size <= len(data), "a short beyond the end")
    if size < 9:
        return first if size == 1 else 192 + (first - 192) * 256 + data[at + 1], at + size
    value = int.from_bytes(data[at + 1 : at + 9])
    check(value >= 16320, "a short in another form than its own")
    return value, at + size


def crc16(data: bytes, state: int = 0xFFFF) -> int:
    """CRC-16/IBM-3740, bit by bit."""
    for byte in data:
        state ^= byte << 8
        for _ in range(8):
            state = (state << 1 ^ (0x1021 if state & 0x8000 else 0)) & 0xFFFF
    return state


def group(data: bytes, at: int, full_bytes: int) -> tuple[bytes, int]:
    """The payload of the group that begins at a byte, and its end."""
    code, start = short(data, at)
    end = start + (code - 1 if code else full_bytes)
    check(code - 1 != full_bytes, "a length code in another form than its own")
    check(end + 2 <= len(data), "a group beyond the end")
    check(crc16(data[at:end]) == int.from_bytes(data[end : end + 2]), "checksum of a group")
    return data[start:end], end + 2


def parse_names(packed: bytes, num_images: int) -> list[str]:
    """The file names of the images, none if there is no data."""
    if not packed:
        return []
    limit = min(256 * num_images, 1 << 26)
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ValueError("the names' stream") from error
    check(len(text) <= limit and stream.eof and not stream.unused_data, "names and their limit")
    names = text.decode().split("\0")
    check(len(names) == num_images, "number of names")
    return names


def read(data: bytes) -> Container:
    """A whole file, with all of its checksums."""
    check(data[:8] == MAGIC, "magic")
    check(len(data) >= HEADER_BYTES + FOOTER_BYTES and data[-4:] == END_MAGIC, "truncated")
    header, footer = data[:HEADER_BYTES], data[-FOOTER_BYTES:]
    check(zlib.crc32(header[:34]) == int.from_bytes(header[34:]), "checksum of the header")
    check(header[8] == 1, "version")
    check(header[9:12] == bytes(3), "pixel format and flags")
    height, width, group_size = (int.from_bytes(header[at : at + 2]) for at in (12, 14, 16))
    check(height > 0 and width > 0 and 0 < group_size <= 1024, "height, width, group size")

    index_start = len(data) - FOOTER_BYTES - int.from_bytes(footer[:4])
    check(index_start >= HEADER_BYTES, "length of the index")
    index = data[index_start:-FOOTER_BYTES]
    check(zlib.crc32(index + footer[:4]) == int.from_bytes(footer[4:8]), "checksum of the index")
    num_images, at = short(index, 0)
    check(at + 4 <= len(index), "an index too short")
    num_groups = -(-num_images // group_size)
    check(3 * num_groups <= index_start - HEADER_BYTES, "more images than bytes")
    groups_crc, at = int.from_bytes(index[at : at + 4]), at + 4
    run_ends = [HEADER_BYTES]
    for _ in range(0, num_groups, GROUPS_PER_RUN):
        length, at = short(index, at)
        run_ends.append(run_ends[-1] + length)
    check(run_ends[-1] == index_start, "the runs' lengths")
    check(zlib.crc32(data[HEADER_BYTES:index_start]) == groups_crc, "checksum of all groups")

    payloads, place = [], HEADER_BYTES
    for number in range(num_groups):
        payload, place = group(data[:index_start], place, group_size * height * width)
        payloads.append(payload)
        if (number + 1) % GROUPS_PER_RUN == 0 or number + 1 == num_groups:
            check(place == run_ends[number // GROUPS_PER_RUN + 1], "the end of a run")
    counts = [min(group_size, num_images - i * group_size) for i in range(num_groups)]
    return Container(
        header[18:34], height, width, payloads, counts, parse_names(index[at:], num_images)
    )
