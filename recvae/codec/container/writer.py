"""Writes a .recvae file to a stream, which may be a pipe."""

import zlib
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from recvae.codec.container import index_v1, index_v2
from recvae.codec.container.arrays import pack_arrays
from recvae.codec.container.footer import FOOTER_BYTES, ContainerSizes
from recvae.codec.container.framing import Index, pack_group
from recvae.codec.container.group import Group
from recvae.codec.container.header import Header
from recvae.codec.container.index_v1 import GROUPS_PER_RUN
from recvae.codec.container.names import NAMES, pack_names
from recvae.files.streams import whole_writes


class ContainerWriter:
    """Appends to a binary stream without seeking.

    Memory grows by 16 bytes for each 64 groups. The file is complete after `finish`, which leaves
    the stream open. Errors of the stream are raised; raw and non-blocking streams also receive all
    bytes.

    Args:
        stream: a stream at its beginning.
        header: the file's header; written at once.

    `num_images`, `num_pixels`, `raw_bytes` and `num_bytes` count what was written so far: images,
    their pixels and bytes, and bytes of the file; `groups_crc` is the CRC-32 of the groups.
    """

    def __init__(self, stream: BinaryIO, header: Header) -> None:
        self.header = header
        self.num_images = self.num_pixels = self.raw_bytes = self.num_bytes = 0
        self._stream = whole_writes(stream)
        self.groups_crc = 0
        self._num_groups = self._own_specs = self._payload_bytes = 0
        self._run_lengths, self._run_images = array("Q"), array("Q")
        self._finished = False
        self._write(header.to_bytes())

    def redirect(self, stream: BinaryIO) -> None:
        """Continue with another stream, which already holds what was written to this one."""
        self._stream = whole_writes(stream)

    def add_group(self, payload: bytes, num_images: int) -> None:
        """Write the next group, of the header's spec, in one stream; see `add`."""
        self.add(Group(num_images, self.header.spec, (payload,)))

    def add(self, group: Group) -> None:
        """Write the next group; in version 1 all but the last hold `group_size` images.

        Raises `ValueError` for a group of another size, and after the last one.
        """
        size = self.header.group_size
        if self._finished or (self.header.version == 1 and self.num_images % size):
            raise ValueError("a group after the last one: only the last may hold fewer images")
        if not 1 <= group.num_images <= size:
            raise ValueError(f"num_images: {group.num_images}, must be 1 to {size}")
        data = pack_group(group, self.header)
        if self._num_groups % GROUPS_PER_RUN == 0:
            self._run_lengths.append(0)
            self._run_images.append(0)
        self._write(data)
        self._run_lengths[-1] += len(data)
        self._run_images[-1] += group.num_images
        self.groups_crc = zlib.crc32(data, self.groups_crc)
        self._num_groups += 1
        self._own_specs += group.spec != self.header.spec
        self._payload_bytes += group.num_bytes
        self.num_images += group.num_images
        self.num_pixels += group.num_images * group.spec.num_pixels
        self.raw_bytes += group.raw_bytes

    def finish(
        self, names: Sequence[str] | None = None, arrays: Mapping[str, Any] | None = None
    ) -> ContainerSizes:
        """Write the index, with the file name of each image if given; return the parts' sizes.

        `arrays` are further arrays beside the images, for version 2 only; see `pack_arrays`.

        Raises `InputError` for names and arrays that cannot be written, `ValueError` if the number
        of names differs from that of images.
        """
        if self._finished:
            raise ValueError("the file is finished")
        if names is not None and len(names) != self.num_images:
            raise ValueError(f"names: {len(names)} for {self.num_images} images")
        index = self._index(names or (), arrays or {})
        data = index.to_bytes()
        self._write(data)
        self._stream.flush()
        self._finished = True
        return ContainerSizes(
            header=self.header.num_bytes,
            payload=self._payload_bytes,
            framing=sum(self._run_lengths) - self._payload_bytes,
            index=len(data) - index.beside - FOOTER_BYTES,
            names=index.beside,
        )

    def _index(self, names: Sequence[str], arrays: Mapping[str, Any]) -> Index:
        if self.header.version == 1:
            if arrays:
                raise ValueError("arrays in a file of version 1")
            packed = pack_names(names)
            return index_v1.Index(self.num_images, self.groups_crc, self._run_lengths, packed)
        named = {NAMES: tuple(names)} if names else {}
        return index_v2.Index(
            self.num_images,
            self._num_groups,
            self.raw_bytes,
            self._own_specs,
            self.groups_crc,
            self._run_lengths,
            self._run_images,
            pack_arrays(named | dict(arrays), self.num_images),
        )

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.num_bytes += len(data)
