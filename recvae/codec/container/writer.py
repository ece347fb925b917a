"""Writing a .recvae file to a stream, which may be a pipe."""

import zlib
from array import array
from collections.abc import Sequence
from typing import BinaryIO

from recvae.codec.container.group import pack_group
from recvae.codec.container.header import Header
from recvae.codec.container.index import GROUPS_PER_RUN, ContainerSizes, Index
from recvae.codec.container.names import pack_names


class ContainerWriter:
    """Appends to a buffered binary stream and never seeks.

    Memory grows by 8 bytes for each 64 groups. The file is complete after `finish`, which leaves
    the stream open. Errors of the stream pass through.

    Args:
        stream: at its beginning.
        header: of the file; written at once.

    `num_images` and `num_bytes` say how many were written so far, `groups_crc` is the CRC-32 of the
    groups.
    """

    def __init__(self, stream: BinaryIO, header: Header) -> None:
        self.header = header
        self.num_images = 0
        self.num_bytes = 0
        self._stream = stream
        self.groups_crc = 0
        self._payload_bytes = 0
        self._run_lengths = array("Q")
        self._finished = False
        self._write(header.to_bytes())

    def redirect(self, stream: BinaryIO) -> None:
        """Go on with another stream, which already has what was written to this one."""
        self._stream = stream

    def add_group(self, payload: bytes, num_images: int) -> None:
        """Write the next group; all but the last hold `group_size` images.

        Raises `ValueError` for a group of another size, and after the last one.
        """
        if self._finished or self.num_images % self.header.group_size:
            raise ValueError("a group after the last one: only the last may hold fewer images")
        if not 1 <= num_images <= self.header.group_size:
            raise ValueError(f"num_images: {num_images}, must be 1 to {self.header.group_size}")
        group = pack_group(payload, self.header)
        if self.header.num_groups(self.num_images) % GROUPS_PER_RUN == 0:
            self._run_lengths.append(0)
        self._write(group)
        self._run_lengths[-1] += len(group)
        self.groups_crc = zlib.crc32(group, self.groups_crc)
        self._payload_bytes += len(payload)
        self.num_images += num_images

    def finish(self, names: Sequence[str] | None = None) -> ContainerSizes:
        """Write the index, with the file name of each image if given, and return where bytes went.

        Raises `InputError` for names that `pack_names` refuses, `ValueError` if there are not as
        many as images.
        """
        if self._finished:
            raise ValueError("the file is finished")
        if names is not None and len(names) != self.num_images:
            raise ValueError(f"names: {len(names)} for {self.num_images} images")
        index = Index(self.num_images, self.groups_crc, self._run_lengths, pack_names(names or ()))
        self._write(index.to_bytes())
        self._stream.flush()
        self._finished = True
        return ContainerSizes.of(index, self._payload_bytes)

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.num_bytes += len(data)
