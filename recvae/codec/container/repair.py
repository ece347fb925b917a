"""Recovers header and index of a damaged file, as far as checksums confirm them."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

from recvae.codec.container import index_v1
from recvae.codec.container.footer import END_MAGIC, FOOTER_BYTES
from recvae.codec.container.framing import Index, index_type
from recvae.codec.container.header import (
    HEADER_BYTES,
    MAX_GROUP_SIZE,
    MAX_HEADER_BYTES,
    Header,
)
from recvae.codec.container.names import MAX_NAMES_BYTES, unpack_names
from recvae.codec.container.numbers import unpack_short
from recvae.errors import InputError

_CRC_BYTES = 4
_MOST_REPAIRED = 1 << 20  # bytes of an index; more would take seconds
_TABLE = [zlib.crc32(bytes([byte])) ^ zlib.crc32(b"\0") for byte in range(256)]
_BYTE_OF_TOP = {entry >> 24: byte for byte, entry in enumerate(_TABLE)}


def one_byte_repairs(sealed: bytes) -> Iterator[bytes]:
    """Yield data with a matching CRC-32 that differ from `sealed` in one byte.

    If one byte was damaged, the first result is the original, except with a probability of 2^-24 a
    byte. The time is linear in the bytes.
    """
    data, crc = sealed[:-_CRC_BYTES], int.from_bytes(sealed[-_CRC_BYTES:])
    difference = zlib.crc32(data) ^ crc
    if sum(byte > 0 for byte in difference.to_bytes(4)) == 1:
        yield data + zlib.crc32(data).to_bytes(4)
    # An error passes through the checksum's register with all bytes that follow it; going
    # backwards, the register holds only the error when it reaches the damaged byte.
    for position in reversed(range(len(data))):
        byte = _BYTE_OF_TOP[difference >> 24]
        difference = ((difference ^ _TABLE[byte]) << 8) & 0xFFFFFFFF | byte
        if 0 < difference < 256:
            repaired = bytearray(sealed)
            repaired[position] ^= difference
            yield bytes(repaired)


def read_header(data: bytes, likely: Callable[[], Mapping[bytes, bytes]]) -> tuple[Header, bool]:
    """Return the header of a damaged file, and whether it was damaged.

    Args:
        data: the file's first `MAX_HEADER_BYTES`, or all of it.
        likely: returns the headers that files of the available models can have, by their CRC-32: if
            the CRC-32 survives, it identifies the header, whatever happened to its fields.

    Raises `InputError` as `Header.from_bytes` does if no CRC-32 confirms a header.
    """
    head, more = data[:HEADER_BYTES], data[HEADER_BYTES:MAX_HEADER_BYTES]
    try:
        return Header.from_bytes(head + more), False
    except InputError as error:
        if len(head) < HEADER_BYTES:  # cut off
            raise
        candidates: Iterable[bytes]
        if is_sealed(head):
            sealed = more[: Header.more_bytes(head)]
            if not sealed or is_sealed(sealed):  # of another version, or with an invalid field
                raise
            candidates = (head + repaired for repaired in one_byte_repairs(sealed))
        else:
            candidates = chain(one_byte_repairs(head), _rebuilt(head, likely))
        for candidate in candidates:
            with suppress(InputError):
                rest = more[len(candidate) - HEADER_BYTES :]
                return Header.from_bytes(candidate + rest), True
        hint = "if its model does not ship with recvae, pass the model's folder by --model"
        raise InputError(f"{error}, beyond repair; {hint}") from error


def is_sealed(data: bytes) -> bool:
    """Whether data end with their CRC-32."""
    return zlib.crc32(data[:-_CRC_BYTES]).to_bytes(4) == data[-_CRC_BYTES:]


def _rebuilt(head: bytes, likely: Callable[[], Mapping[bytes, bytes]]) -> Iterator[bytes]:
    if rebuilt := likely().get(head[-_CRC_BYTES:]):
        yield rebuilt


def headers_by_checksum(models: Iterable[tuple[bytes, int, int]]) -> dict[bytes, bytes]:
    """Return all version 1 headers for models (hash, height, width), by their CRC-32."""
    sizes = range(1, MAX_GROUP_SIZE + 1)
    headers = (Header(*fields, size).to_bytes() for fields in models for size in sizes)
    return {header[-_CRC_BYTES:]: header for header in headers}


@dataclass(frozen=True)
class FoundIndex:
    """The index of a damaged file.

    Fields:
        index: its contents; names only if they are intact.
        start: its first byte.
        certain: whether its CRC-32 or its names match; otherwise only the CRC-32 of the groups
            does, and nothing confirms `num_images`.
        damaged: whether it had to be repaired, or does not end where the file ends.
        names_lost: whether the images have or may have had names that are damaged.
    """

    index: Index
    start: int
    certain: bool = True
    damaged: bool = True
    names_lost: bool = False


def find_index(data: bytes, header: Header, group_ends: Iterable[int]) -> FoundIndex | None:
    """Return the index of a damaged file, or None if nothing confirms one.

    `group_ends` are the likely ends of the last group, best first.
    """
    last = len(data) - FOOTER_BYTES
    places = list(_places(data, header.num_bytes, list(group_ends)))
    for start, footer in places:
        sealed = _sealed(data, start, footer)
        if zlib.crc32(sealed[:-_CRC_BYTES]).to_bytes(4) == sealed[-_CRC_BYTES:]:
            with suppress(InputError, IndexError):
                whole = footer == last and data.endswith(sealed[-8:] + END_MAGIC)
                return FoundIndex(_read(sealed, header), start, damaged=not whole)
    for start, footer in places:
        if footer - start > _MOST_REPAIRED:
            continue
        sealed = _sealed(data, start, footer)
        for repaired in one_byte_repairs(sealed):
            with suppress(InputError, IndexError):
                index = _read(repaired, header)
                if repaired[-8:-4] == sealed[-8:-4] and _tells_of(index, data, header, start):
                    return FoundIndex(index, start)
    return None


def _tells_of(index: Index, data: bytes, header: Header, start: int) -> bool:
    """Whether an index at `start` belongs to the bytes before it.

    It does if it spans from the header on, or if its groups, by their CRC-32, end where it begins.
    """
    begin = start - sum(index.run_lengths)
    if begin <= header.num_bytes:
        return begin == header.num_bytes
    return zlib.crc32(memoryview(data)[begin:start]) == index.groups_crc


def _places(data: bytes, begin: int, group_ends: list[int]) -> dict[tuple[int, int], None]:
    """Candidate starts of an index, with those of its footer."""
    magics = [data.find(END_MAGIC, end) for end in group_ends] + [data.rfind(END_MAGIC)]
    footers = dict.fromkeys([*(magic - 8 for magic in magics), len(data) - FOOTER_BYTES])
    return {
        (start, footer): None
        for footer in footers
        if begin < footer <= len(data) - 8
        for start in (footer - int.from_bytes(data[footer : footer + 4]), *group_ends)
        if begin <= start < footer
    }


def _sealed(data: bytes, start: int, footer: int) -> bytes:
    """The index, its length and the CRC-32 of both."""
    length = (footer - start).to_bytes(4)
    return data[start:footer] + length + data[footer + 4 : footer + 8]


def _read(sealed: bytes, header: Header) -> Index:
    """The index in `sealed`, which ends with its length and CRC-32."""
    index: Index = index_type(header).parse(sealed[:-8], header)
    if index.to_bytes() != sealed + END_MAGIC:
        raise InputError("a number is not in its shortest form")
    index.arrays()
    return index


def read_cut_index(
    data: bytes, header: Header, start: int, run_lengths: list[int], num_groups: int
) -> FoundIndex | None:
    """Return the remains of an index at `start`, if they hold the CRC-32 of the groups.

    The groups, `num_groups` in runs of these lengths, end at `start`.
    """
    try:
        num_images, end = unpack_short(data, start)
    except IndexError:
        return None
    crc = zlib.crc32(memoryview(data)[start - sum(run_lengths) : start])
    if header.num_groups(num_images) != num_groups or data[end : end + 4] != crc.to_bytes(4):
        return None
    index = index_v1.Index(num_images, crc, run_lengths)
    unnamed = index.to_bytes()
    footer, rest = unnamed[-FOOTER_BYTES:], data[start + len(unnamed) - FOOTER_BYTES :]
    if rest and footer.startswith(rest[:FOOTER_BYTES]):
        return FoundIndex(index, start, certain=len(rest) >= 8)
    stream = zlib.decompressobj()
    with suppress(InputError, zlib.error):
        stream.decompress(rest, MAX_NAMES_BYTES + 1)
        packed = rest[: len(rest) - len(stream.unused_data)]
        if unpack_names(packed, num_images):
            return FoundIndex(replace(index, packed_names=packed), start)
    return FoundIndex(index, start, certain=False, names_lost=True)
