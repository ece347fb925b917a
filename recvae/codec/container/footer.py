"""The last 12 bytes of a file, which seal the index before them; and the sizes of its parts."""

import struct
import zlib
from dataclasses import dataclass

from recvae.codec.container.header import MAGIC, Header
from recvae.codec.container.names import MAX_NAMES_BYTES
from recvae.errors import InputError

END_MAGIC = MAGIC[3::-1]
_FOOTER = struct.Struct(">II4s")
FOOTER_BYTES = _FOOTER.size


class TruncatedError(InputError):
    """A file ends without its footer."""


def with_footer(index: bytes) -> bytes:
    """Return an index and its footer as written."""
    sealed = index + len(index).to_bytes(4)
    return sealed + zlib.crc32(sealed).to_bytes(4) + END_MAGIC


def check_footer(data: bytes) -> None:
    """Raise `InputError` unless the checksum of index and footer matches."""
    if zlib.crc32(data[:-8]).to_bytes(4) != data[-8:-4]:
        raise InputError("the index or the footer is damaged")


def index_bytes(footer: bytes, header: Header, file_bytes: int) -> int:
    """Return the length of the index, from the last 12 bytes of a file of `file_bytes` bytes.

    Raises `TruncatedError` if they are not a footer, `InputError` if a file of this size cannot
    have such a long index.
    """
    length, _, magic = _FOOTER.unpack(footer)
    if magic != END_MAGIC:
        raise TruncatedError(
            f"truncated file: the index is missing, or other bytes follow it: byte {file_bytes} "
            "is not the end of a footer"
        )
    most = file_bytes - header.num_bytes - FOOTER_BYTES
    if header.version == 1:
        # A run of 64 groups takes 192 bytes or more and at most 9 in the index, names have a limit,
        # and zlib adds little to incompressible data: so a damaged length costs no memory.
        most = min(most, file_bytes // 16 + MAX_NAMES_BYTES + (1 << 20))
    if length > most:
        start = file_bytes - FOOTER_BYTES
        raise InputError(f"footer damaged at byte {start}: it states an index of {length} bytes")
    return length


@dataclass(frozen=True)
class ContainerSizes:
    """Bytes of the parts of a file.

    `framing` is what groups need beside their streams: lengths, specs, checksums; `names` is what
    is stored beside the images: file names, arrays.
    """

    header: int
    payload: int
    framing: int
    index: int
    names: int
    footer: int = FOOTER_BYTES

    @property
    def overhead(self) -> int:
        """Bytes other than payload and names."""
        return self.header + self.framing + self.index + self.footer

    @property
    def total(self) -> int:
        """Bytes of the file."""
        return self.overhead + self.payload + self.names
