"""The end of a file: the index, which is known when all groups are written, and the footer."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from recvae.codec.container.group import MIN_GROUP_BYTES
from recvae.codec.container.header import HEADER_BYTES, MAGIC, Header
from recvae.codec.container.names import MAX_NAMES_BYTES
from recvae.codec.container.numbers import pack_short, unpack_short
from recvae.errors import InputError

GROUPS_PER_RUN = 64
END_MAGIC = MAGIC[3::-1]
_FOOTER = struct.Struct(">II4s")
FOOTER_BYTES = _FOOTER.size


@dataclass(frozen=True)
class Index:
    """What is known when all groups are written.

    Args:
        num_images: in the file.
        groups_crc: CRC-32 of the bytes of all groups in their order.
        run_lengths: bytes of each run of 64 groups; the last run may have fewer groups.
        packed_names: by `pack_names`, empty if the images have no names.
    """

    num_images: int
    groups_crc: int
    run_lengths: Sequence[int]
    packed_names: bytes = b""

    def to_bytes(self) -> bytes:
        """Return index and footer as written."""
        runs = b"".join(map(pack_short, self.run_lengths))
        index = pack_short(self.num_images) + self.groups_crc.to_bytes(4) + runs + self.packed_names
        length = len(index).to_bytes(4)
        return index + length + zlib.crc32(index + length).to_bytes(4) + END_MAGIC

    @classmethod
    def from_bytes(cls, data: bytes, header: Header, group_bytes: int) -> Self:
        """Read index and footer of a file whose groups take `group_bytes`.

        Raises `InputError` if they are damaged or claim what so many bytes cannot hold. What is
        allocated is bounded by the bytes there are, never by a claim.
        """
        if zlib.crc32(data[:-8]).to_bytes(4) != data[-8:-4]:
            raise InputError("the index or the footer is damaged")
        try:
            num_images, _ = unpack_short(data[:-FOOTER_BYTES])
            if header.num_groups(num_images) * MIN_GROUP_BYTES > group_bytes:
                raise InputError(
                    f"the index claims {num_images} images in {group_bytes} bytes: not possible"
                )
            index = cls.parse(data[:-FOOTER_BYTES], header)
        except IndexError as error:
            raise InputError("the index is too short for what it claims") from error
        if index.to_bytes() != data:
            raise InputError("the index has a number that is not written in the shortest way")
        if (claim := sum(index.run_lengths)) != group_bytes:
            raise InputError(f"the groups take {group_bytes} bytes; the index says {claim}")
        return index

    @classmethod
    def parse(cls, data: bytes, header: Header) -> Self:
        """Read an index alone, whatever groups there are; `IndexError` if it is too short."""
        num_images, position = unpack_short(data)
        num_groups = header.num_groups(num_images)
        groups_crc, position = int.from_bytes(data[position : position + 4]), position + 4
        run_lengths = []
        for _ in range(0, num_groups, GROUPS_PER_RUN):
            length, position = unpack_short(data, position)
            run_lengths.append(length)
        return cls(num_images, groups_crc, run_lengths, data[position:])


@dataclass(frozen=True)
class ContainerSizes:
    """Bytes of the parts of a file; `framing` is the groups' length codes and checksums."""

    header: int
    payload: int
    framing: int
    index: int
    names: int
    footer: int

    @classmethod
    def of(cls, index: Index, payload: int) -> Self:
        """Return the sizes of a file with this index and so many bytes of payload."""
        framing, names = sum(index.run_lengths) - payload, len(index.packed_names)
        numbers = len(index.to_bytes()) - names - FOOTER_BYTES
        return cls(HEADER_BYTES, payload, framing, numbers, names, FOOTER_BYTES)

    @property
    def overhead(self) -> int:
        """Bytes that are neither payload nor names."""
        return self.header + self.framing + self.index + self.footer

    @property
    def total(self) -> int:
        """Bytes of the file."""
        return self.overhead + self.payload + self.names


def index_bytes(footer: bytes, file_bytes: int) -> int:
    """Return the length of the index, from the last 12 bytes of a file of so many bytes.

    Raises `InputError` if they are no footer, and if no file of this size has so long an index.
    """
    length, _, magic = _FOOTER.unpack(footer)
    if magic != END_MAGIC:
        raise InputError(
            f"truncated file: the index is missing, or other bytes follow it: byte {file_bytes} "
            "is not the end of a footer"
        )
    # A run of 64 groups takes 192 bytes or more and at most 9 of the index, names have a limit, and
    # zlib adds little to what it cannot shrink: so a damaged length costs no memory.
    honest = file_bytes // 16 + MAX_NAMES_BYTES + (1 << 20)
    if length > min(honest, file_bytes - HEADER_BYTES - FOOTER_BYTES):
        start = file_bytes - FOOTER_BYTES
        raise InputError(f"footer damaged at byte {start}: it claims an index of {length} bytes")
    return length
