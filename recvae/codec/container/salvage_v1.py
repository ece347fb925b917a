"""Salvages a damaged file of version 1: its undamaged groups, and which images are lost.

Groups do not depend on their position, so the remaining ones make a file again. `find_groups` lists
every position where a group may begin; a walk from the header takes one after the other and, after
damage, continues at the next one that has more evidence than its CRC-16. A `Check` then decodes
what was taken: groups that no encoder can have written are rejected.

docs/format.md, "What can be rescued", states the resulting guarantees.
"""

import zlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from recvae.codec.container.group import Group
from recvae.codec.container.group_v1 import group_extent, unpack_group
from recvae.codec.container.header import HEADER_BYTES, Header
from recvae.codec.container.index_v1 import GROUPS_PER_RUN
from recvae.codec.container.locate import find_groups
from recvae.codec.container.names import NAMES
from recvae.codec.container.numbers import MAX_SHORT_BYTES
from recvae.codec.container.placing import Layout, lost_images, place
from recvae.codec.container.repair import FoundIndex, find_index, read_cut_index
from recvae.codec.container.salvaged import Check, Salvage, damaged_parts, kept_names
from recvae.errors import InputError

MOST_COUNTS_TRIED = 128  # images; each possible number in a group is tried by decoding


def salvage_groups(data: bytes, header: Header, check: Check) -> Salvage:
    """Find what is left in `data`, which begins with a header, damaged or not.

    Time and memory are linear in the bytes, apart from `check`. Raises `InputError` if no group is
    left.
    """
    groups = find_groups(data, header)
    walked = _walk(data, header, groups, Layout.of(header, len(data), None))
    ends = [groups[part[-1]] for part in walked] or [HEADER_BYTES]
    found = find_index(data, header, (ends[0], ends[-1]))
    for part in (*walked[:1], *walked[1:][-1:]):
        end = groups[part[-1]]
        lengths = [stop - start for start, stop in pairwise([*part[::GROUPS_PER_RUN], end])]
        found = found or read_cut_index(data, header, end, lengths, len(part))
    rescued = _salvage_with(data, header, dict(groups), check, found)
    if found is not None and not found.certain and rescued.lost:  # its number of images is wrong
        rescued = _salvage_with(data, header, groups, check, None)
    if not rescued.ranges and rescued.num_images != 0:
        raise InputError("no complete group of images is left: nothing can be saved")
    return rescued


def _salvage_with(
    data: bytes, header: Header, groups: dict[int, int], check: Check, found: FoundIndex | None
) -> Salvage:
    """Salvage with this index; remove what `check` rejects from `groups`."""
    size = header.group_size
    layout = Layout.of(header, len(data), found)
    num_images = layout.num_images
    counts = _counts_by_checksum(data, header, groups, layout, found)
    walked = _check_all(data, header, groups, layout, check, counts)
    parts = [[(start, groups[start], counts[start]) for start in part] for part in walked]
    if num_images is not None and parts and num_images % size:
        _, end, count = parts[-1][-1]
        layout = layout.ending(end, size * header.num_groups(num_images) if count < size else None)
    matches = found is not None and _matches(data, groups, walked, found)
    layout = layout.of_one_file(parts, found, matches, HEADER_BYTES)
    ranges = place(parts, layout, lambda start: (_follow(data, header, start), size))
    behind = num_images = layout.num_images
    if num_images is None and ranges and ranges[-1].ends_file(size):
        behind = ranges[-1].low + ranges[-1].num_images
        if ranges[0].begin == HEADER_BYTES and len(ranges) == 1:  # no length code was relied on
            num_images = behind
    lost = lost_images(ranges, behind, layout)
    exchanged = not lost and found is not None and not matches
    all_names = found.index.arrays().get(NAMES) if found else None
    names = None if all_names is None or exchanged else kept_names(all_names, ranges)
    return Salvage(
        data,
        header,
        ranges,
        num_images,
        lost,
        names,
        names_lost=found is None
        or found.names_lost
        or (names is None and (exchanged if all_names else layout.own is not None)),
        damaged=damaged_parts(layout, found, bool(lost), exchanged),
    )


def _walk(data: bytes, header: Header, groups: dict[int, int], layout: Layout) -> list[list[int]]:
    """Starts of consecutive groups from the header on, in unbroken parts."""
    starts = list(groups)

    def is_border(position: int) -> bool:
        return position in groups or position in layout.milestones

    def is_trusted(start: int, reached: int) -> bool:
        """Whether a group has more evidence than its CRC-16: its position, a length code leading to
        it, the end of its own, or a length code of two bytes, which its content must match."""
        return (
            start in layout.milestones
            or start == reached
            or is_border(groups[start])
            or is_border(_follow(data, header, groups[start]))
            or data[start] >= 192
        )

    def next_trusted(damage: int) -> int:
        reached = damage
        later = range(bisect_right(starts, damage), len(starts))
        for start in (starts[index] for index in later):
            while reached < start:
                reached = _follow(data, header, reached)
            if is_trusted(start, reached):
                return start
        return layout.end

    parts: list[list[int]] = []
    position, goes_on = HEADER_BYTES, False
    while position < layout.end:
        if groups.get(position, len(data) + 1) <= layout.end:
            if not goes_on:
                parts.append([])
            parts[-1].append(position)
            position, goes_on = groups[position], True
        else:
            position, goes_on = next_trusted(position), False
    return parts


def _follow(data: bytes, header: Header, start: int) -> int:
    """The end of the group at `start` by its length code."""
    try:
        return start + group_extent(data[start : start + MAX_SHORT_BYTES], header)
    except IndexError:
        return len(data) + 1


def _matches(
    data: bytes, groups: dict[int, int], parts: Sequence[Sequence[int]], found: FoundIndex
) -> bool:
    """Whether these are all groups of the file, according to their CRC-32."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(memoryview(data)[part[0] : groups[part[-1]]], crc)
    return crc == found.index.groups_crc


def _counts_by_checksum(
    data: bytes, header: Header, groups: dict[int, int], layout: Layout, found: FoundIndex | None
) -> dict[int, int]:
    """Number of images of each group, by its start, if the CRC-32 of all groups confirms it."""
    walked = _walk(data, header, groups, layout)
    if found is None or not _matches(data, groups, walked, found):
        return {}
    starts = [start for part in walked for start in part]
    num_images = found.index.num_images
    if len(starts) != header.num_groups(num_images):
        return {}
    counts = dict.fromkeys(starts, header.group_size)
    if starts:
        last = counts.popitem()[0]
        if found.certain:
            counts[last] = num_images - len(counts) * header.group_size
    return counts


def _check_all(
    data: bytes,
    header: Header,
    groups: dict[int, int],
    layout: Layout,
    check: Check,
    counts: dict[int, int],
) -> list[list[int]]:
    """Walk, check what was met, remove failures from `groups`, and repeat until all pass.

    Adds the number of images of each group to `counts`.
    """

    def group(start: int, num_images: int) -> Group:
        payload = unpack_group(data[start : groups[start]], header)
        return Group(num_images, header.spec, (payload,))

    while True:
        parts = _walk(data, header, groups, layout)
        met = [start for part in parts for start in part]
        unknown = [start for start in met[:-1] if counts.get(start) != header.group_size]
        verdicts = check(group(start, header.group_size) for start in unknown)
        for start, is_whole in zip(unknown, verdicts, strict=True):
            if is_whole:
                counts[start] = header.group_size
            else:
                del groups[start]
        if met and met[-1] not in counts:
            for tried in _possible_counts(header, layout, groups[met[-1]]):
                verdicts = check(group(met[-1], count) for count in tried)
                fitting = [count for count, fits in zip(tried, verdicts, strict=True) if fits]
                if len(fitting) == 1:
                    counts[met[-1]] = fitting[0]
                    break
            else:
                del groups[met[-1]]
        if all(start in groups for start in met):
            return parts


def _possible_counts(header: Header, layout: Layout, end: int) -> Sequence[Sequence[int]]:
    """Possible numbers of images in the last remaining group, if it ends at `end`.

    Within each sequence, all are equally likely and exactly one must fit; likelier sequences come
    first.
    """
    size = header.group_size
    if layout.num_images is None:
        return (range(1, size + 1) if size <= MOST_COUNTS_TRIED else (size,),)
    in_last = (layout.num_images - 1) % size + 1
    if in_last == size:
        return ((size,),)
    if end == layout.end:
        return ((in_last,), (size,))
    return ((size,), (in_last,)) if layout.in_place else ((size, in_last),)
