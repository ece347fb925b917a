"""A walk along the intact groups of a damaged file of version 2."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from recvae.codec.container.framing import read_extent
from recvae.codec.container.group import Group
from recvae.codec.container.group_v2 import MAX_FIELDS_BYTES, length_codes, may_begin, unpack_group
from recvae.codec.container.header import Header
from recvae.codec.container.locate import Checksums, Shorts
from recvae.codec.container.placing import Layout, Placed
from recvae.errors import InputError

MAX_PASSES = 64  # over the file's bytes, to find groups after damage; bounds the time


@dataclass
class Places:
    """Finds groups in the data, examining each position once; `struck` ones do not count."""

    data: bytes
    header: Header
    checksums: Checksums
    shorts: Shorts
    found: dict[int, tuple[int, int] | None] = field(default_factory=dict)
    struck: set[int] = field(default_factory=set)
    seen_bytes: int = 0

    @property
    def is_tired(self) -> bool:
        """Whether the limit of the search is reached."""
        return self.seen_bytes > MAX_PASSES * len(self.data)

    def whole(self, start: int) -> tuple[int, int] | None:
        """End and number of images of the group at `start`, or None if none is intact there."""
        if start in self.struck:
            return None
        if start not in self.found:
            self.found[start] = self._look(start)
        return self.found[start]

    def group(self, start: int) -> Group:
        """The group at `start`, which must be intact."""
        extent, _ = self._extent(start)
        return unpack_group(self.data[start : start + extent], self.header)

    def follow(self, start: int) -> tuple[float, int]:
        """End and images of a group by its head at `start`; an infinite end if there is none."""
        head = self._head(start)
        return head[:2] if head else (math.inf, 0)

    def _look(self, start: int) -> tuple[int, int] | None:
        head = self._head(start)
        if head is None:
            return None
        end, images, streams = head
        if end > len(self.data) or (streams == 1 and not self.checksums.fit(start, end)):
            return None
        self.seen_bytes += end - start
        try:
            unpack_group(self.data[start:end], self.header)
        except InputError:
            return None
        return end, images

    def _head(self, start: int) -> tuple[int, int, int] | None:
        """End of the group at `start` by its head, its images and streams; None if there is none.

        A head of several streams must match its CRC-16, checked before the streams are examined:
        arbitrary bytes may state many and long ones.
        """
        fields = self.data[start : start + MAX_FIELDS_BYTES]
        try:
            streams, codes = length_codes(fields, self.header)
            if streams > 1:
                end = self.shorts.end(start + codes, streams) + 2
                if end > len(self.data) or not self.checksums.fit(start, end):
                    return None
            extent, images = self._extent(start)
        except (InputError, IndexError):
            return None
        return start + extent, images or 0, streams

    def _extent(self, start: int) -> tuple[int, int | None]:
        def read(begin: int, end: int) -> bytes:
            self.seen_bytes += end - begin
            return self.data[begin:end]

        return read_extent(read, start, len(self.data), self.header)


def walk(places: Places, layout: Layout) -> list[list[Placed]]:
    """The intact groups from the header on, in unbroken parts."""
    parts: list[list[Placed]] = []
    runs = sorted(layout.milestones)
    position = places.header.num_bytes
    while position < layout.end:
        if part := list(unbroken(places, position, layout.end)):
            parts.append(part)
            position = part[-1][1]
        if position < layout.end:
            position = _next(places, layout, runs, position)
    return parts


def unbroken(places: Places, position: int, end: int) -> Iterator[Placed]:
    """Consecutive intact groups from `position` on, none beyond `end`."""
    while position < end and (found := places.whole(position)) and found[0] <= end:
        yield position, *found
        position = found[0]


def _next(places: Places, layout: Layout, runs: Sequence[int], damage: int) -> int:
    """Where to continue after a damaged group; `runs` are the starts of runs, ascending."""
    leads, _ = places.follow(damage)
    known = min([*runs[(after := bisect_right(runs, damage)) : after + 1], layout.end])
    if (
        leads <= known
        and _is_border(places, layout, int(leads))
        and not _is_swallowed(places, damage, int(leads))
    ):
        return int(leads)
    for start in range(damage + 1, known):
        if places.is_tired:
            break
        if not may_begin(places.data[start]):
            continue
        found = places.whole(start)
        if found and found[0] <= layout.end and _is_border(places, layout, found[0]):
            return start
    return known


def _is_swallowed(places: Places, damage: int, leads: int) -> bool:
    """Whether an intact group ends where the damaged one leads, which then contains others.

    So it is if its length is damaged, or if the bytes lost equal the size of groups after it.
    """
    begins = (start for start in range(damage + 1, leads) if may_begin(places.data[start]))
    return any(
        places.follow(start)[0] == leads and places.whole(start) is not None
        for start in begins
        if not places.is_tired
    )


def _is_border(places: Places, layout: Layout, position: int) -> bool:
    """Whether a group or the index begins at `position`."""
    if position in layout.milestones or position == layout.end:
        return True
    return position < layout.end and places.whole(position) is not None
