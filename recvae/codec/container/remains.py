"""Detects remains of a file without its header, in bytes where no file begins."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property

from recvae.codec.container.group_v2 import may_begin
from recvae.codec.container.header import MAGIC, Header
from recvae.codec.container.locate import Checksums, Shorts, find_groups
from recvae.codec.container.walk import Places

HALF = 4  # bytes of the magic


class Remains:
    """Detects remains by half of a magic, an index, or a group followed by another.

    `index_ends` are the ends of the indexes in the data, ascending; groups are searched for in the
    form that files with headers like these have. Time and memory are linear in the bytes.
    """

    def __init__(self, data: bytes, index_ends: Sequence[int], headers: Iterable[Header]) -> None:
        self._data = data
        self._index_ends = index_ends
        self._headers = {header.version: header for header in reversed(list(headers))}

    def are_in(self, begin: int, end: int) -> bool:
        """Whether there are remains in these bytes."""
        if self._data.count(0, begin, end) == end - begin:
            return False
        return (
            self._data.find(MAGIC[:HALF], begin, end) >= 0
            or bisect_right(self._index_ends, begin) < bisect_right(self._index_ends, end)
            or (1 in self._headers and self._are_of_version_1(begin, end))
            or (2 in self._headers and self._are_of_version_2(begin, end))
        )

    def _are_of_version_1(self, begin: int, end: int) -> bool:
        ends, starts = self._groups, self._starts
        inside = range(bisect_left(starts, begin), bisect_left(starts, end))
        nexts = (ends[starts[index]] for index in inside)
        return any(ends.get(start, end + 1) <= end for start in nexts)

    def _are_of_version_2(self, begin: int, end: int) -> bool:
        for start in range(begin, end):
            if self._places.is_tired:
                break
            if may_begin(self._data[start]) and (group := self._places.whole(start)):
                following = self._places.whole(group[0]) if group[0] < end else None
                if following and following[0] <= end:
                    return True
        return False

    @cached_property
    def _groups(self) -> dict[int, int]:
        return find_groups(self._data, self._headers[1])

    @cached_property
    def _starts(self) -> list[int]:
        return list(self._groups)

    @cached_property
    def _places(self) -> Places:
        return Places(self._data, self._headers[2], Checksums(self._data), Shorts(self._data))
