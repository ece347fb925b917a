"""Splits concatenated .recvae files, and bytes between them.

A file begins at a header that its CRC-32 confirms, repaired or not. It ends with its index: the one
that spans from the file's header to itself, whatever lies between, as pixels may be the bytes of a
file; or, if groups or bytes were lost, the next index whose CRC-32 matches, or the next header
after the complete groups.
"""

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, pairwise
from operator import ne

from recvae.codec.container.footer import END_MAGIC, FOOTER_BYTES
from recvae.codec.container.framing import HEAD_BYTES, Index, index_type, read_extent, unpack_group
from recvae.codec.container.header import (
    CRC_BYTES,
    HEADER_BYTES,
    MAGIC,
    MAX_HEADER_BYTES,
    MODEL_HASH_BYTES,
    Header,
)
from recvae.codec.container.remains import HALF, Remains
from recvae.codec.container.repair import headers_by_checksum, is_sealed, read_header
from recvae.errors import InputError

MAX_PASSES = 64  # over the bytes, to find indexes by checksum, and groups; bounds the time
MAX_PARSES = 8  # passes of parsing number by number, which is slower; bounds the time
_MOST_INDEXES = 64  # tried for each file; bounds the time
_SHARED = 1  # byte: a file's last byte equals the next one's first, so one cut by a byte is whole


@dataclass(frozen=True)
class Piece:
    """Bytes of one file, or of none.

    Fields:
        begin, end: the span, `end` excluded.
        header: the file's header; None if unreadable.
        repaired: whether the header was damaged.
        num_images: images in the file, according to its index; None if that is damaged.
        problem: why the file cannot be read; with neither this nor a header, the bytes belong to
            no file.
    """

    begin: int
    end: int
    header: Header | None = None
    repaired: bool = False
    num_images: int | None = None
    problem: str | None = None


@dataclass(frozen=True)
class _Begin:
    """The start of a file; `reach` is its least end, or its exact end if it `is_whole`."""

    place: int
    header: Header | None
    repaired: bool
    problem: str | None = None
    reach: int = 0
    is_whole: bool = False


def split(data: bytes, models: Iterable[tuple[bytes, int, int]]) -> list[Piece]:
    """Return the pieces of `data`, in order; at least one belongs to a file.

    `models` are hash, height and width of those that can have made a file: see `read_header`. Time
    and memory are linear in the bytes. Raises `InputError` if there is no file.
    """

    @cache
    def likely() -> dict[bytes, bytes]:
        return headers_by_checksum(models)

    indexes = Indexes(data)
    groups = Groups(data)
    begins: list[_Begin] = []
    for place in sorted({0, *magics(data, likely), *indexes.ends}):
        if begins and place < begins[-1].reach - _SHARED:
            continue
        head = data[place : place + MAX_HEADER_BYTES]
        try:
            header, repaired = read_header(head, likely)
        except InputError as error:
            if head.startswith(MAGIC) and is_sealed(head[:HEADER_BYTES]):
                begins.append(_Begin(place, None, False, str(error), place + HEADER_BYTES))
            continue
        end = indexes.end_of_whole(place, header)
        reach = groups.end(place, header) if end is None else end
        begins.append(_Begin(place, header, repaired, None, reach, end is not None))
    if not begins:
        read_header(data[:MAX_HEADER_BYTES], likely)  # raises
    remains = Remains(data, indexes.ends, (begin.header for begin in begins if begin.header))

    def rest(begin: int, end: int) -> Piece:
        lost = "the remains of a file whose header is lost or beyond repair"
        return Piece(begin, end, problem=lost if remains.are_in(begin, end) else None)

    pieces = [rest(0, begins[0].place)] if begins[0].place else []
    borders = [*(begin.place for begin in begins), len(data)]
    for begin, (_, border) in zip(begins, pairwise(borders), strict=True):
        end = begin.reach
        if not begin.is_whole:
            end = max(end, indexes.next_end(end, border))
        images = indexes.num_images(end, begin.header) if begin.header else None
        pieces.append(Piece(begin.place, end, begin.header, begin.repaired, images, begin.problem))
        if end < border:
            pieces.append(rest(end, border))
    return pieces


def magics(data: bytes, likely: Callable[[], Mapping[bytes, bytes]]) -> Iterator[int]:
    """Positions where a header may begin: half of its magic is intact.

    The other half is intact except for a byte, or the CRC-32 confirms a likely header.
    """
    for offset in (0, HALF):
        at = data.find(MAGIC[offset : offset + HALF])
        while at >= 0:
            begin = at - offset
            if begin >= 0:
                wrong = sum(map(ne, data[begin : begin + len(MAGIC)], MAGIC))
                if wrong <= 1 or data[begin : begin + HEADER_BYTES][-CRC_BYTES:] in likely():
                    yield begin
            at = data.find(MAGIC[offset : offset + HALF], at + 1)


class Groups:
    """The complete groups after headers; the work is bounded, whatever the bytes are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.checked_bytes = 0
        self.parsed_bytes = 0

    @property
    def _is_tired(self) -> bool:
        size = len(self._data)
        return self.checked_bytes > MAX_PASSES * size or self.parsed_bytes > MAX_PARSES * size

    def end(self, begin: int, header: Header) -> int:
        """The end of the consecutive groups after the header at `begin`."""
        position = begin + header.num_bytes
        with suppress(InputError):
            while position < len(self._data) and not self._is_tired:
                extent, images = read_extent(self._head, position, len(self._data), header)
                group = self._data[position : position + extent]
                self.checked_bytes += len(group)
                unpack_group(group, header, images or header.group_size)
                position += extent
        return position

    def _head(self, begin: int, end: int) -> bytes:
        if end - begin > HEAD_BYTES[2]:  # most heads are shorter
            self.parsed_bytes += end - begin
        return self._data[begin:end]


class Indexes:
    """The indexes in some bytes whose CRC-32 matches."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts = dict(_sealed_indexes(data))  # by their ends
        self.ends: Sequence[int] = list(self._starts)
        self.parsed_bytes = 0
        self._read = lru_cache(maxsize=4 * _MOST_INDEXES)(self._parse)

    def end_of_whole(self, begin: int, header: Header) -> int | None:
        """The end of the file at `begin`, by an index that spans from its header on."""
        groups = begin + header.num_bytes
        first = bisect_right(self.ends, groups)
        for end in (*self.ends[-1:], *islice(self.ends, first, first + _MOST_INDEXES)):
            read = self._told(end, header)
            if read is not None and groups + read[0] == self._starts[end]:
                return end
        return None

    def next_end(self, begin: int, border: int) -> int:
        """The end of the first index from `begin` on, or `border` if none ends before that."""
        after = bisect_left(self.ends, begin)
        ends = (end for end in self.ends[after : after + 1] if end <= border + _SHARED)
        return next(ends, border)

    def num_images(self, end: int, header: Header) -> int | None:
        """The number of images in the index that ends at `end`, or None."""
        read = self._told(end, header) if end in self._starts else None
        return read and read[1]

    def _told(self, end: int, header: Header) -> tuple[int, int] | None:
        group_size = header.group_size if header.version == 1 else 1  # version 2 states its groups
        return self._read(
            end, Header(bytes(MODEL_HASH_BYTES), 1, 1, group_size, version=header.version)
        )

    def _parse(self, end: int, header: Header) -> tuple[int, int] | None:
        """Bytes of the groups and number of images that an index states."""
        data = self._data[self._starts[end] : end - FOOTER_BYTES]
        if self.parsed_bytes > MAX_PARSES * len(self._data):
            return None
        self.parsed_bytes += len(data)
        try:
            index: Index = index_type(header).parse(data, header)
        except IndexError:
            return None
        return sum(index.run_lengths), index.num_images


def _sealed_indexes(data: bytes) -> Iterator[tuple[int, int]]:
    """End and start of each index whose CRC-32 matches, ascending."""
    view, looked_at = memoryview(data), 0
    magic = data.find(END_MAGIC)
    while magic >= 0 and looked_at <= MAX_PASSES * len(data):
        footer = magic - 8
        start = footer - int.from_bytes(data[footer : footer + 4])
        if footer > start >= HEADER_BYTES:
            looked_at += magic - start
            if zlib.crc32(view[start : footer + 4]) == int.from_bytes(data[footer + 4 : magic]):
                yield magic + len(END_MAGIC), start
        magic = data.find(END_MAGIC, magic + 1)
