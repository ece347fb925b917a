"""A group in a file of version 1: length code, payload, CRC-16 of both.

It does not depend on its position, so groups can be copied between files with equal headers.
"""

from binascii import crc_hqx

from recvae.codec.container.header import Header
from recvae.codec.container.numbers import pack_short, unpack_short
from recvae.errors import InputError

MIN_GROUP_BYTES = 3
_CRC_START = 0xFFFF  # with 0, a hole full of zeros would be a sequence of valid groups


def pack_group(payload: bytes, header: Header) -> bytes:
    """Return a group as written."""
    # Incompressible images are common; their length must not cost a second byte.
    code = 0 if len(payload) == header.raw_group_bytes else len(payload) + 1
    body = pack_short(code) + payload
    return body + crc_hqx(body, _CRC_START).to_bytes(2)


def unpack_group(group: bytes, header: Header) -> bytes:
    """Return the payload of a group of `group_extent` bytes; `InputError` if it is damaged."""
    _, start = unpack_short(group)
    payload = group[start:-2]
    if crc_hqx(group[:-2], _CRC_START).to_bytes(2) != group[-2:]:
        raise InputError("its checksum does not match")
    if pack_group(payload, header) != group:
        raise InputError("its length is not in canonical form")
    return payload


def group_extent(head: bytes, header: Header) -> int:
    """Return the length of a group in bytes, given its first 9 bytes or all if it has fewer.

    Raises `IndexError` if `head` ends within the length code.
    """
    code, start = unpack_short(head)
    return start + (code - 1 if code else header.raw_group_bytes) + 2
