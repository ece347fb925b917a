"""A compact payload: groups only, for containers that store the spec of the images themselves."""

from collections.abc import Iterable

from recvae.codec.container.framing import read_extent
from recvae.codec.container.group import Group
from recvae.codec.container.group_v2 import pack_group, unpack_group
from recvae.codec.container.header import Header
from recvae.errors import InputError


def pack_compact(groups: Iterable[Group], header: Header) -> bytes:
    """Return groups as written in a file of version 2 with this header, and nothing else."""
    return b"".join(pack_group(group, header) for group in groups)


def unpack_compact(data: bytes, header: Header) -> list[Group]:
    """Return the groups of a compact payload.

    Raises `InputError` if one is damaged, and unless the bytes end with a group.
    """

    def read(begin: int, end: int) -> bytes:
        return data[begin:end]

    groups: list[Group] = []
    start = 0
    while start < len(data) or not groups:
        try:
            extent, _ = read_extent(read, start, len(data), header)
            groups.append(unpack_group(data[start : start + extent], header))
        except InputError as error:
            raise InputError(f"group {len(groups)} is damaged at byte {start}: {error}") from error
        start += extent
    return groups
