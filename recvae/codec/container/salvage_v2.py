"""What a damaged file of version 2 still holds: its undamaged groups, and which images are lost.

A walk from the header takes one group after the other. Behind damage it goes on where the head of
the damaged group leads, if a group or the index begins there; else where a run begins, or before
that at the next group that another one or the index follows. Heads tell how many images a group
holds.
"""

import math
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recvae.codec.container.arrays import arrays_end
from recvae.codec.container.framing import read_extent
from recvae.codec.container.group import Group
from recvae.codec.container.group_v2 import MAX_FIELDS_BYTES, length_codes, may_begin, unpack_group
from recvae.codec.container.header import Header
from recvae.codec.container.index_v2 import NO_ARRAYS, Index
from recvae.codec.container.names import NAMES
from recvae.codec.container.placing import Layout, Placed, Stretch, lost_images, place
from recvae.codec.container.repair import FoundIndex, find_index
from recvae.codec.container.salvaged import Check, Salvage, damaged_parts, kept_names
from recvae.codec.container.scan import Checksums, Shorts
from recvae.errors import InputError

MAX_PASSES = 64  # over the file's bytes, to look for groups behind damage: bounds the time


def salvage_groups(data: bytes, header: Header, check: Check) -> Salvage:
    """Find what is left in `data`, whose first bytes are a header, damaged or not.

    Time and memory are linear in the bytes, but for what `check` takes. Raises `InputError` if no
    group is left.
    """
    places = _Places(data, header, Checksums(data), Shorts(data))
    walked = _walk(places, Layout.of(header, len(data), None))
    ends = [part[-1][1] for part in walked] or [header.num_bytes]
    found = find_index(data, header, (ends[0], ends[-1])) or _cut_index(data, header, walked)
    layout = Layout.of(header, len(data), found)
    parts = _checked(places, layout, check, found)
    stretches = place(parts, layout, places.follow)
    num_images = layout.num_images
    lost = lost_images(stretches, num_images)
    if not stretches and num_images != 0:
        raise InputError("no group of images is left whole: nothing can be saved")
    exchanged = not lost and found is not None and not _matches(data, parts, found)
    names, arrays, arrays_lost = _kept(found, stretches, exchanged)
    names_lost = found is None or found.names_lost or (exchanged and NAMES in found.index.arrays())
    return Salvage(
        data,
        header,
        stretches,
        num_images,
        lost,
        names,
        names_lost=names_lost,
        damaged=damaged_parts(layout, found, bool(lost), exchanged),
        arrays=arrays,
        arrays_lost=arrays_lost,
    )


def _cut_index(data: bytes, header: Header, parts: Sequence[Sequence[Placed]]) -> FoundIndex | None:
    """What is left of an index behind the first unbroken part, if it tells of just its groups."""
    if not parts or parts[0][0][0] != header.num_bytes:
        return None
    groups, start = parts[0], parts[0][-1][1]
    try:
        index = Index.parse(data[start:], header)
    except IndexError:
        return None
    told = (index.groups_crc, index.groups, index.num_images, sum(index.run_lengths))
    crc = zlib.crc32(memoryview(data)[header.num_bytes : start])
    images = sum(count for _, _, count in groups)
    if told != (crc, len(groups), images, start - header.num_bytes):
        return None
    packed = index.packed_arrays
    try:
        whole = replace(index, packed_arrays=packed[: arrays_end(packed)])
        whole.arrays()
        return FoundIndex(whole, start)
    except InputError:
        return FoundIndex(replace(index, packed_arrays=NO_ARRAYS), start, names_lost=True)


@dataclass
class _Places:
    """Where groups are in the data, looked at once; `struck` ones are none."""

    data: bytes
    header: Header
    checksums: Checksums
    shorts: Shorts
    found: dict[int, tuple[int, int] | None] = field(default_factory=dict)
    struck: set[int] = field(default_factory=set)
    seen_bytes: int = 0

    @property
    def is_tired(self) -> bool:
        """Whether so much was looked at that no more is searched."""
        return self.seen_bytes > MAX_PASSES * len(self.data)

    def whole(self, start: int) -> tuple[int, int] | None:
        """End and images of the group at `start`, None if there is none that is whole."""
        if start in self.struck:
            return None
        if start not in self.found:
            self.found[start] = self._look(start)
        return self.found[start]

    def group(self, start: int) -> Group:
        """The group at `start`, which is whole."""
        extent, _ = self._extent(start)
        return unpack_group(self.data[start : start + extent], self.header)

    def follow(self, start: int) -> tuple[float, int]:
        """Where the head at `start` leads, and the images it claims; infinity if there is none."""
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
        """Where the group at `start` ends by its head, its images and streams; None if it is none.

        A head of several streams must be right by its CRC-16, which is told before they are looked
        at: other bytes may claim many and long ones.
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


def _walk(places: _Places, layout: Layout) -> list[list[Placed]]:
    """The whole groups from the header on, in unbroken parts."""
    parts: list[list[Placed]] = []
    runs = sorted(layout.milestones)
    position, goes_on = places.header.num_bytes, False
    while position < layout.end:
        found = places.whole(position)
        if found and found[0] <= layout.end:
            if not goes_on:
                parts.append([])
            parts[-1].append((position, *found))
            position, goes_on = found[0], True
        else:
            position, goes_on = _next(places, layout, runs, position), False
    return parts


def _next(places: _Places, layout: Layout, runs: Sequence[int], damage: int) -> int:
    """Where to go on behind a damaged group; `runs` is where they begin, ascending."""
    leads, _ = places.follow(damage)
    known = min([*runs[(after := bisect_right(runs, damage)) : after + 1], layout.end])
    if leads <= known and _is_border(places, layout, int(leads)):
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


def _is_border(places: _Places, layout: Layout, position: int) -> bool:
    """Whether a group or the index begins there."""
    if position in layout.milestones or position == layout.end:
        return True
    return position < layout.end and places.whole(position) is not None


def _checked(
    places: _Places, layout: Layout, check: Check, found: FoundIndex | None
) -> list[list[Placed]]:
    """Walk, check what was met, strike what fails, and walk again until all pass.

    Where the CRC-32 of all groups fits, nothing needs to be checked.
    """
    passed: set[int] = set()
    while True:
        parts = _walk(places, layout)
        if found is not None and _matches(places.data, parts, found):
            return parts
        unknown = [start for part in parts for start, _, _ in part if start not in passed]
        verdicts = check(map(places.group, unknown))
        failed = {start for start, fits in zip(unknown, verdicts, strict=True) if not fits}
        passed |= set(unknown) - failed
        places.struck |= failed
        if not failed:
            return parts


def _matches(data: bytes, parts: Sequence[Sequence[Placed]], found: FoundIndex) -> bool:
    """Whether these are all groups of the file, by their CRC-32."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(memoryview(data)[part[0][0] : part[-1][1]], crc)
    return crc == found.index.groups_crc


def _kept(
    found: FoundIndex | None, stretches: Sequence[Stretch], exchanged: bool
) -> tuple[tuple[str, ...] | None, dict[str, Any], tuple[str, ...]]:
    """The names of the recovered images, the arrays beside them, and which of these are lost.

    An array that has an entry for each image keeps those of the recovered ones, if it is known
    which these are.
    """
    arrays: Mapping[str, Any] = found.index.arrays() if found else {}
    placed = not exchanged and all(stretch.is_placed for stretch in stretches)
    count = found.index.num_images if found else 0
    names, kept, lost = None, {}, []
    for name, array in arrays.items():
        if name == NAMES:
            names = None if exchanged else kept_names(array, stretches)
        elif not _is_by_image(array, count):
            kept[name] = array
        elif placed:
            kept[name] = _of_images(array, stretches)
        else:
            lost.append(name)
    return names, kept, tuple(lost)


def _is_by_image(array: Any, num_images: int) -> bool:
    return np.ndim(array) > 0 and len(array) == num_images


def _of_images(array: Any, stretches: Sequence[Stretch]) -> Any:
    parts = [array[part.low : part.low + part.num_images] for part in stretches]
    if isinstance(array, tuple):
        return tuple(entry for part in parts for entry in part)
    return np.concatenate(parts) if parts else array[:0]
