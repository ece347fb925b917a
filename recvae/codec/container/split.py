"""The .recvae files that lie one behind the other in some bytes, and what lies between them.

A file begins where a header does that its CRC-32 confirms, repaired or not. It ends with its index:
the one that spans from the file's header to itself, whatever lies between, as pixels may be the
bytes of a file; else, if groups or bytes were lost, the next index whose CRC-32 fits, or the next
header behind the groups that are whole.
"""

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, pairwise

from recvae.codec.container.footer import END_MAGIC, FOOTER_BYTES
from recvae.codec.container.framing import Index, index_type, read_extent, unpack_group
from recvae.codec.container.header import HEADER_BYTES, MAGIC, MAX_HEADER_BYTES, Header
from recvae.codec.container.remains import HALF, Remains
from recvae.codec.container.repair import headers_by_checksum, is_sealed, read_header
from recvae.errors import InputError

MAX_PASSES = 64  # over the bytes, to find indexes: bounds the time
_MOST_INDEXES = 64  # that are tried for each file: bounds it too
_SHARED = 1  # byte: a file ends as the next begins, so one that was cut by a byte is whole


@dataclass(frozen=True)
class Piece:
    """Bytes of one file, or of none.

    Fields:
        begin, end: the first byte, and the one behind the last.
        header: of the file; None if there is none that can be read.
        repaired: the header was damaged.
        num_images: of the file, as its index says; None if it is damaged.
        problem: why the file cannot be read; without it and a header, the bytes are of no file.
    """

    begin: int
    end: int
    header: Header | None = None
    repaired: bool = False
    num_images: int | None = None
    problem: str | None = None


@dataclass(frozen=True)
class _Begin:
    """Where a file begins; `reach` is how far it goes at least, or just, if it `is_whole`."""

    place: int
    header: Header | None
    repaired: bool
    problem: str | None = None
    reach: int = 0
    is_whole: bool = False


def split(data: bytes, models: Iterable[tuple[bytes, int, int]]) -> list[Piece]:
    """Return the pieces of `data`, in order: one at least is of a file.

    `models` are hash, height and width of those that can have made a file: see `read_header`. Time
    and memory are linear in the bytes. Raises `InputError` if there is no file.
    """

    @cache
    def likely() -> dict[bytes, bytes]:
        return headers_by_checksum(models)

    indexes = _Indexes(data)
    begins: list[_Begin] = []
    for place in sorted({0, *_magics(data), *indexes.ends}):
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
        reach = _end_of_groups(data, place, header) if end is None else end
        begins.append(_Begin(place, header, repaired, None, reach, end is not None))
    if not begins:
        read_header(data[:MAX_HEADER_BYTES], likely)  # which raises
    remains = Remains(data, indexes.ends, (begin.header for begin in begins if begin.header))

    def rest(begin: int, end: int) -> Piece:
        lost = "what is left of a file whose header is lost or beyond repair"
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


def _magics(data: bytes) -> Iterator[int]:
    """Where a header may begin: a damaged byte leaves half of its magic."""
    for offset in (0, HALF):
        at = data.find(MAGIC[offset : offset + HALF])
        while at >= 0:
            if at >= offset:
                yield at - offset
            at = data.find(MAGIC[offset : offset + HALF], at + 1)


def _end_of_groups(data: bytes, begin: int, header: Header) -> int:
    """Where the groups end that are whole and follow the header and one another."""
    position = begin + header.num_bytes
    with suppress(InputError):
        while position < len(data):
            extent, images = read_extent(
                lambda start, stop: data[start:stop], position, len(data), header
            )
            group = data[position : position + extent]
            unpack_group(group, header, images or header.group_size)
            position += extent
    return position


class _Indexes:
    """The indexes in some bytes whose CRC-32 fits."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts = dict(_sealed_indexes(data))  # by where they end
        self.ends: Sequence[int] = list(self._starts)
        self._read = lru_cache(maxsize=4 * _MOST_INDEXES)(self._parse)

    def end_of_whole(self, begin: int, header: Header) -> int | None:
        """Where the file ends that begins there, by an index that spans from its header on."""
        groups = begin + header.num_bytes
        first = bisect_right(self.ends, groups)
        for end in (*self.ends[-1:], *islice(self.ends, first, first + _MOST_INDEXES)):
            read = self._read(end, header)
            if read is not None and groups + read[0] == self._starts[end]:
                return end
        return None

    def next_end(self, begin: int, border: int) -> int:
        """Where the first index from `begin` on ends, the border if none does before."""
        after = bisect_left(self.ends, begin)
        ends = (end for end in self.ends[after : after + 1] if end <= border + _SHARED)
        return next(ends, border)

    def num_images(self, end: int, header: Header) -> int | None:
        """What the index says that ends there, None if there is none."""
        read = self._read(end, header) if end in self._starts else None
        return read and read[1]

    def _parse(self, end: int, header: Header) -> tuple[int, int] | None:
        """Bytes of the groups, and images, that an index tells of."""
        data = self._data[self._starts[end] : end - FOOTER_BYTES]
        try:
            index: Index = index_type(header).parse(data, header)
        except IndexError:
            return None
        return sum(index.run_lengths), index.num_images


def _sealed_indexes(data: bytes) -> Iterator[tuple[int, int]]:
    """End and start of each index whose CRC-32 fits, ascending."""
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
