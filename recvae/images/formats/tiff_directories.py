"""Finds the end of a TIFF through its directories: nothing else tells where it ends.

Sources: TIFF 6.0, section 2; Adobe's TIFF Technical Note 1, on trees; libtiff's design of BigTIFF.
"""

import struct
from collections.abc import Iterator
from itertools import zip_longest

import numpy as np

_TYPE_BYTES = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}
_UNSIGNED = {3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_COMPRESSION, _PLAIN = 259, 1
_PIXELS = {273: 279, 324: 325, 513: 514}  # offsets of strips, tiles, a JPEG: their byte counts
_DIRECTORIES = (330, 34665, 34853, 40965)  # of other pictures, EXIF, GPS, interoperability
_READ = {_COMPRESSION, *_PIXELS, *_PIXELS.values(), *_DIRECTORIES}
_Values = dict[int, list[int]]  # of the tags in `_READ`


def referred_end(data: bytes) -> int:
    """Return the end of the last byte that a TIFF refers to.

    If a compressed picture does not state its length, or pixels are missing, this is the end of the
    file. Other missing parts are ignored. Raises `ValueError` for files that no writer makes.
    """
    last = 0
    for end, values in _File(data).directories():
        last = max(last, end)
        sizes = {kind: values.get(kind, []) for kind in _PIXELS.values()}
        if values.get(_COMPRESSION, [_PLAIN]) != [_PLAIN] and not any(map(any, sizes.values())):
            return len(data)
        for begins, kind in _PIXELS.items():
            parts = zip_longest(values.get(begins, []), sizes[kind], fillvalue=0)
            last = max([last, *map(sum, parts)])
    return min(last, len(data))


class _File:
    """A TIFF or BigTIFF, in either order of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:2] == b"II" else ">"
        is_big = data[2:4] in (b"+\0", b"\0+")
        word, count = ("Q", "Q") if is_big else ("I", "H")
        self._word = struct.Struct(self._order + word)  # an offset, and the room for values
        self._count = struct.Struct(self._order + count)
        self._entry = struct.Struct(f"{self._order}HH{word}{self._word.size}s")
        self._untaken_bytes = len(data)

    def directories(self) -> Iterator[tuple[int, _Values]]:
        """Yield, for each directory, the end of it and its entries' values, and the values."""
        waiting, seen = [self._number(self._word, self._word.size)], {0}
        while waiting:
            begin = waiting.pop()
            if begin not in seen:
                seen.add(begin)
                count = self._number(self._count, begin)
                entries_begin = begin + self._count.size
                entries_end = entries_begin + count * self._entry.size
                end, values = self._entries(self._taken(entries_begin, entries_end))
                ends = [end, entries_end, entries_end + self._word.size]
                yield max(map(self._there, ends)), values
                waiting.append(self._number(self._word, entries_end))
                waiting += [at for tag in _DIRECTORIES for at in values.get(tag, ())]

    def _entries(self, entries: bytes) -> tuple[int, _Values]:
        last, values = 0, {}
        for tag, kind, count, room in self._entry.iter_unpack(entries):
            num_bytes = _TYPE_BYTES.get(kind, 0) * count
            is_near = num_bytes <= len(room)
            begin = 0 if is_near else self._word.unpack(room)[0]
            last = max(last, self._there(begin + num_bytes))
            if tag in _READ and kind in _UNSIGNED:
                near_or_far = room[:num_bytes] if is_near else self._taken(begin, begin + num_bytes)
                dtype = np.dtype(self._order + _UNSIGNED[kind])
                values[tag] = np.frombuffer(near_or_far, dtype).tolist()
        return last, values

    def _there(self, end: int) -> int:
        return end if end <= len(self._data) else 0

    def _number(self, kind: struct.Struct, begin: int) -> int:
        """A number in the file, 0 if it is beyond the end."""
        data = self._taken(begin, begin + kind.size)
        return kind.unpack(data)[0] if data else 0

    def _taken(self, begin: int, end: int) -> bytes:
        """Part of the file, empty if incomplete; each byte may belong to one thing only."""
        if not self._there(end):
            return b""
        self._untaken_bytes -= end - begin
        if self._untaken_bytes < 0:
            raise ValueError("parts that directories refer to overlap")
        return self._data[begin:end]
