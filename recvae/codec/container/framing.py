"""Groups and the index, by version of the file."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from recvae.codec.container import group_v1, group_v2, index_v1, index_v2
from recvae.codec.container.group import Group
from recvae.codec.container.header import Header
from recvae.codec.container.numbers import MAX_SHORT_BYTES
from recvae.errors import InputError

Index = index_v1.Index | index_v2.Index
Read = Callable[[int, int], bytes]
"""Returns the bytes a to b - 1."""
Wanted = Callable[[Group], Iterable[int]]
"""From a group with empty streams to the indices of the streams to read."""
Parsed = TypeVar("Parsed")

HEAD_BYTES = {1: MAX_SHORT_BYTES, 2: 64}
"""Size of a group's head, by version: enough to give its length; in version 2, usually."""


def pack_group(group: Group, header: Header) -> bytes:
    """Return a group as written; ValueError for one that version 1 cannot represent."""
    if header.version > 1:
        return group_v2.pack_group(group, header)
    if group.spec != header.spec or len(group.streams) != 1 or group.model:
        raise ValueError("a group of another spec, of several streams or models in version 1")
    return group_v1.pack_group(group.streams[0], header)


def unpack_group(data: bytes, header: Header, num_images: int) -> Group:
    """Return a group of `group_extent` bytes; `InputError` if it is damaged.

    `num_images` is its number of images, for version 1, whose groups do not state it.
    """
    if header.version > 1:
        return group_v2.unpack_group(data, header)
    return Group(num_images, header.spec, (group_v1.unpack_group(data, header),))


def group_extent(head: bytes, header: Header) -> tuple[int, int | None]:
    """Return the length of the group that begins with `head`, and its images if it states them.

    Groups of version 1 do not. Raises `IndexError` if `head` is too short, `InputError` if it is
    damaged.
    """
    if header.version > 1:
        return group_v2.group_extent(head, header)
    return group_v1.group_extent(head, header), None


def read_extent(read: Read, begin: int, end: int, header: Header) -> tuple[int, int | None]:
    """Return `group_extent` of the group at `begin`, reading no more than necessary.

    At least one byte lies before `end`. Raises `InputError` if the group's head does not end by
    then.
    """
    try:
        return _read_as_needed(read, begin, end, header, group_extent)
    except IndexError as error:
        raise InputError("its length leads past the groups") from error


def read_head(read: Read, begin: int, end: int, header: Header) -> tuple[group_v2.Head, int]:
    """Return the head of version 2 at `begin`, and where its streams begin.

    Raises `IndexError` if it does not end before `end`, `InputError` if it is not a head.
    """
    head, size = _read_as_needed(read, begin, end, header, group_v2.read_head)
    return head, begin + size


def read_part(
    read: Read, begin: int, end: int, header: Header, num_images: int, wanted: Wanted
) -> Group:
    """Return the group from `begin` to `end` with the `wanted` streams only.

    The others are empty and not read. A group of one stream is read whole, as its single checksum
    also covers the head. `num_images` is as in `unpack_group`. Raises `InputError` if what is read
    is damaged.
    """
    if header.version > 1:
        try:
            head, streams = read_head(read, begin, end, header)
        except IndexError as error:
            raise InputError("its head is cut off") from error
        if len(head.lengths) > 1:
            places = wanted(head.group([b""] * len(head.lengths)))
            return group_v2.read_streams(read, streams, head, header, places)
    return unpack_group(read(begin, end), header, num_images)


def _read_as_needed(
    read: Read, begin: int, end: int, header: Header, parse: Callable[[bytes, Header], Parsed]
) -> Parsed:
    """Parse the bytes from `begin` on, reading as many as needed; `IndexError` beyond `end`."""
    size = HEAD_BYTES[header.version]
    while True:
        stop = min(begin + size, end)
        try:
            return parse(read(begin, stop), header)
        except IndexError:
            if stop == end:
                raise
            size *= 8


def index_type(header: Header) -> type[index_v1.Index] | type[index_v2.Index]:
    """Return the index class for a file."""
    return index_v2.Index if header.version > 1 else index_v1.Index
