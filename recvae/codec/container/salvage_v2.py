"""Salvages a damaged file of version 2: its undamaged groups, and which images are lost.

A walk from the header takes one group after the other. After damage it continues where the head of
the damaged group leads, if a group or the index begins there; else where a run begins, or before
that, at the next group followed by another group or the index. Heads state the number of images of
a group.
"""

import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from recvae.codec.container.arrays import arrays_end
from recvae.codec.container.footer import END_MAGIC
from recvae.codec.container.header import Header
from recvae.codec.container.index_v2 import NO_ARRAYS, Index
from recvae.codec.container.locate import Checksums, Shorts
from recvae.codec.container.names import NAMES
from recvae.codec.container.placing import Layout, Placed, RecoveredRange, lost_images, place
from recvae.codec.container.repair import FoundIndex, find_index
from recvae.codec.container.salvaged import Check, Salvage, damaged_parts, kept_names
from recvae.codec.container.walk import Places, walk
from recvae.errors import InputError


def salvage_groups(data: bytes, header: Header, check: Check) -> Salvage:
    """Find what is left in `data`, which begins with a header, damaged or not.

    Time and memory are linear in the bytes, apart from `check`. Raises `InputError` if no group is
    left.
    """
    places = Places(data, header, Checksums(data), Shorts(data))
    walked = walk(places, Layout.of(header, len(data), None))
    ends = [part[-1][1] for part in walked] or [header.num_bytes]
    found = find_index(data, header, (ends[0], ends[-1])) or _cut_index(data, header, walked)
    layout = Layout.of(header, len(data), found)
    parts = _checked(places, layout, check, found)
    matches = found is not None and _matches(data, parts, found)
    layout = layout.of_one_file(parts, found, matches, header.num_bytes)
    ranges = place(parts, layout, places.follow)
    num_images = layout.num_images
    lost = lost_images(ranges, num_images, layout)
    if not ranges and num_images != 0:
        raise InputError("no complete group of images is left: nothing can be saved")
    exchanged = not lost and found is not None and not matches
    names, arrays, arrays_lost = _kept(found, ranges, exchanged)
    names_lost = found is None or found.names_lost or (names is None and layout.own is not None)
    names_lost = names_lost or (exchanged and found is not None and NAMES in found.index.arrays())
    return Salvage(
        data,
        header,
        ranges,
        num_images,
        lost,
        names,
        names_lost=names_lost,
        damaged=damaged_parts(layout, found, bool(lost), exchanged),
        arrays=arrays,
        arrays_lost=arrays_lost,
        by_image=_by_image(found),
    )


def _cut_index(data: bytes, header: Header, parts: Sequence[Sequence[Placed]]) -> FoundIndex | None:
    """The remains of an index after the first or last unbroken part."""
    for part in (*parts[:1], *parts[1:][-1:]):
        if found := _cut_index_behind(data, header, part):
            return found
    return None


def _cut_index_behind(data: bytes, header: Header, groups: Sequence[Placed]) -> FoundIndex | None:
    """The remains of an index after these groups, if it covers exactly them.

    Its arrays are kept only if at least 16 bits of the index's checksum, which alone covers them,
    follow.
    """
    begin, start = groups[0][0], groups[-1][1]
    try:
        index = Index.parse(data[start:], header)
    except IndexError:
        return None
    told = (index.groups_crc, index.groups, index.num_images, sum(index.run_lengths))
    crc = zlib.crc32(memoryview(data)[begin:start])
    images = sum(count for _, _, count in groups)
    if told != (crc, len(groups), images, start - begin):
        return None
    packed = index.packed_arrays
    with suppress(InputError):
        whole = replace(index, packed_arrays=packed[: arrays_end(packed)])
        sealed = whole.to_bytes()[: -len(END_MAGIC)]
        left = data[start : start + len(sealed)]
        if sealed.startswith(left) and len(left) >= len(sealed) - 2:
            whole.arrays()
            return FoundIndex(whole, start)
    return FoundIndex(replace(index, packed_arrays=NO_ARRAYS), start, names_lost=True)


def _checked(
    places: Places, layout: Layout, check: Check, found: FoundIndex | None
) -> list[list[Placed]]:
    """Walk, check what was met, remove failures, and repeat until all pass.

    If the CRC-32 of all groups matches, nothing needs to be checked.
    """
    passed: set[int] = set()
    while True:
        parts = walk(places, layout)
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
    """Whether these are all groups of the file, according to their CRC-32."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(memoryview(data)[part[0][0] : part[-1][1]], crc)
    return crc == found.index.groups_crc


def _kept(
    found: FoundIndex | None, ranges: Sequence[RecoveredRange], exchanged: bool
) -> tuple[tuple[str, ...] | None, dict[str, Any], tuple[str, ...]]:
    """The names of the recovered images, the arrays beside them, and which of these are lost.

    An array with an entry for each image keeps those of the recovered images, if their numbers are
    known.
    """
    arrays: Mapping[str, Any] = found.index.arrays() if found else {}
    placed = not exchanged and all(part.is_placed for part in ranges)
    count = found.index.num_images if found else 0
    names, kept, lost = None, {}, []
    for name, array in arrays.items():
        if name == NAMES:
            names = None if exchanged else kept_names(array, ranges)
        elif not _is_by_image(array, count):
            kept[name] = array
        elif placed:
            kept[name] = _entries_kept(array, ranges)
        else:
            lost.append(name)
    return names, kept, tuple(lost)


def _by_image(found: FoundIndex | None) -> tuple[str, ...]:
    """The names of the arrays with an entry for each image."""
    arrays, count = (found.index.arrays(), found.index.num_images) if found else ({}, 0)
    return tuple(name for name, array in arrays.items() if _is_by_image(array, count))


def _is_by_image(array: Any, num_images: int) -> bool:
    return np.ndim(array) > 0 and len(array) == num_images


def _entries_kept(array: Any, ranges: Sequence[RecoveredRange]) -> Any:
    parts = [array[part.low : part.low + part.num_images] for part in ranges]
    if isinstance(array, tuple):
        return tuple(entry for part in parts for entry in part)
    return np.concatenate(parts) if parts else array[:0]
