"""Groups and the index as the version of a file has them."""

from collections.abc import Callable

from recvae.codec.container import group_v1, group_v2, index_v1, index_v2
from recvae.codec.container.group import Group
from recvae.codec.container.header import Header
from recvae.codec.container.numbers import MAX_SHORT_BYTES
from recvae.errors import InputError

Index = index_v1.Index | index_v2.Index

HEAD_BYTES = {1: MAX_SHORT_BYTES, 2: 64}
"""Of a group's beginning, by version: enough to tell its length; in version 2 for most groups."""


def pack_group(group: Group, header: Header) -> bytes:
    """Return a group as written; ValueError for one that version 1 cannot say."""
    if header.version > 1:
        return group_v2.pack_group(group, header)
    if group.spec != header.spec or len(group.streams) != 1 or group.model:
        raise ValueError("a group of another spec, of several streams or models in version 1")
    return group_v1.pack_group(group.streams[0], header)


def unpack_group(data: bytes, header: Header, num_images: int) -> Group:
    """Return a group of `group_extent` bytes; `InputError` if it is damaged.

    `num_images` is how many it holds, if it does not say so itself, as in version 1.
    """
    if header.version > 1:
        return group_v2.unpack_group(data, header)
    return Group(num_images, header.spec, (group_v1.unpack_group(data, header),))


def group_extent(head: bytes, header: Header) -> tuple[int, int | None]:
    """Return the bytes of the group that begins with `head`, and its images if it tells them.

    Groups of version 1 do not. Raises `IndexError` if `head` is too short, `InputError` if it is
    damaged.
    """
    if header.version > 1:
        return group_v2.group_extent(head, header)
    return group_v1.group_extent(head, header), None


def read_extent(
    read: Callable[[int, int], bytes], begin: int, end: int, header: Header
) -> tuple[int, int | None]:
    """Return what `group_extent` does of the group at `begin`, reading no more than that takes.

    `read(a, b)` gives the bytes a to b - 1, those before `end` at least. Raises `InputError` if the
    group's head does not end there.
    """
    size = HEAD_BYTES[header.version]
    while True:
        stop = min(begin + size, end)
        try:
            return group_extent(read(begin, stop), header)
        except IndexError as error:
            if stop == end:
                raise InputError("its length leads beyond the groups") from error
            size *= 8


def index_type(header: Header) -> type[index_v1.Index] | type[index_v2.Index]:
    """Return what reads the index of a file."""
    return index_v2.Index if header.version > 1 else index_v1.Index
