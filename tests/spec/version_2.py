"""Version 2 of the file, whole, compact or cut. Raises ValueError for what must be refused.

Where docs/format.md leaves a choice, a comment states the one made here.
"""

import zlib
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from spec.arrays_2 import parse_arrays
from spec.container import END_MAGIC, FOOTER_BYTES, GROUPS_PER_RUN, check, short
from spec.groups_2 import (
    Group,
    Header,
    Spec,
    number,
    parse_group,
    parse_head,
    parse_header,
    parse_stream,
    raw_bytes,
    tile_slices,
)


class File(NamedTuple):
    """The contents of a file."""

    models: list[bytes]
    spec: Spec
    group_size: int
    groups: list[Group]
    arrays: dict[str, np.ndarray | list[str]]


def read(data: bytes) -> File:
    """A whole file, with all of its checksums."""
    header = parse_header(data)
    check(len(data) >= header.size + FOOTER_BYTES and data[-4:] == END_MAGIC, "truncated")
    footer = data[-FOOTER_BYTES:]
    index_start = len(data) - FOOTER_BYTES - int.from_bytes(footer[:4])
    check(index_start >= header.size, "length of the index")
    index = data[index_start:-FOOTER_BYTES]
    check(zlib.crc32(index + footer[:4]) == int.from_bytes(footer[4:8]), "checksum of the index")

    check(index[:1] == b"\x80", "the index's first byte")
    num_images, at = short(index, 1)
    num_groups, at = short(index, at)
    raw, at = short(index, at)
    own_specs, at = short(index, at)
    check(num_groups <= num_images, "more groups than images")
    check(num_images <= header.group_size * num_groups, "more images than the groups hold")
    check(4 * num_groups <= index_start - header.size, "more groups than bytes")
    check(own_specs <= num_groups, "more specs than groups")
    groups_crc, at = number(index, at, 4)
    ends, counts = [header.size], [0]
    for _ in range(0, num_groups, GROUPS_PER_RUN):
        length, at = short(index, at)
        count, at = short(index, at)
        ends.append(ends[-1] + length)
        counts.append(counts[-1] + count)
    check(ends[-1] == index_start, "the runs' lengths")
    check(counts[-1] == num_images, "the runs' images")
    check(own_specs > 0 or raw == num_images * prod(header.spec[:3]), "raw bytes")
    check(zlib.crc32(data[header.size : index_start]) == groups_crc, "checksum of all groups")

    groups: list[Group] = []
    place, images = header.size, 0
    for i in range(num_groups):
        group, place = parse_group(data[:index_start], place, header)
        groups.append(group)
        images += group.count
        if (i + 1) % GROUPS_PER_RUN == 0 or i + 1 == num_groups:
            run = i // GROUPS_PER_RUN + 1
            check(place == ends[run], "the end of a run")
            check(images == counts[run], "the images of a run")
    check(raw == sum(group.count * prod(group.spec[:3]) for group in groups), "raw bytes")
    check(own_specs == sum(group.spec != header.spec for group in groups), "number of specs")
    arrays = parse_arrays(index, at, num_images)
    return File(header.models, header.spec, header.group_size, groups, arrays)


def compact(data: bytes, models: Sequence[bytes], spec: Spec, group_size: int) -> list[Group]:
    """The groups of a compact payload, at least one."""
    header, groups, place = Header(list(models), Spec(*spec), group_size), [], 0
    while place < len(data) or not groups:
        group, place = parse_group(data, place, header)
        groups.append(group)
    return groups


def cut(data: bytes) -> list[Group]:
    """The start of a file: its complete groups, and the complete part of the next one.

    The groups end with the first that is incomplete, or where there is no head. A head of one
    stream has no separate checksum, so such a group is complete or absent.
    """
    header = parse_header(data)
    groups, at, whole = [], header.size, True
    while whole:
        try:
            head = parse_head(data, at, header)
        except ValueError:
            break
        streams: list[bytes | None] = []
        at = head.end
        for i, length in enumerate(head.lengths):
            try:
                streams.append(parse_stream(data, at, length, head.crc + i))
            except ValueError:
                streams.append(None)
            at += length + 2
        whole = None not in streams
        if whole or head.checked:
            groups.append(head.group._replace(streams=streams))
    return groups


def stored(groups: Sequence[Group]) -> list[np.ndarray]:
    """The images of a coder that stores: the streams of the one layer are the tiles' raw pixels."""
    images: list[np.ndarray] = []
    for group in groups:
        tiles = tile_slices(group.spec, group.tile)
        check(group.layers == 1, "layers of a coder that stores")
        whole = [stream for stream in group.streams if stream is not None]
        fits = [len(stream) for stream in whole] == [raw_bytes(group, *part) for part in tiles]
        check(fits, "raw bytes of a tile")
        height, width, channels, levels = group.spec
        pixels = np.zeros((group.count, height, width, channels), np.uint8)
        for (rows, columns), stream in zip(tiles, whole, strict=True):
            part = pixels[:, rows, columns]
            part[:] = np.frombuffer(stream, np.uint8).reshape(part.shape)
        check(int(pixels.max()) < levels, "a value that is no level")
        images += [image[..., 0] if channels == 1 else image for image in pixels]
    return images
