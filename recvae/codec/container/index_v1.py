"""The index of a file of version 1, known once all groups are written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from recvae.codec.container.footer import FOOTER_BYTES, check_footer, with_footer
from recvae.codec.container.group_v1 import MIN_GROUP_BYTES
from recvae.codec.container.header import Header
from recvae.codec.container.names import NAMES, unpack_names
from recvae.codec.container.numbers import pack_short, unpack_short
from recvae.errors import InputError

GROUPS_PER_RUN = 64


@dataclass(frozen=True)
class Index:
    """Totals over all groups, written after them.

    Args:
        num_images: images in the file.
        groups_crc: CRC-32 of the bytes of all groups, in order.
        run_lengths: bytes of each run of 64 groups; the last run may have fewer groups.
        packed_names: from `pack_names`, empty if the images have no names.
    """

    num_images: int
    groups_crc: int
    run_lengths: Sequence[int]
    packed_names: bytes = b""
    own_specs: ClassVar[int] = 0  # no group states one

    def to_bytes(self) -> bytes:
        """Return index and footer as written."""
        runs = b"".join(map(pack_short, self.run_lengths))
        index = pack_short(self.num_images) + self.groups_crc.to_bytes(4) + runs + self.packed_names
        return with_footer(index)

    @classmethod
    def from_bytes(cls, data: bytes, header: Header, group_bytes: int) -> Self:
        """Read index and footer of a file whose groups take `group_bytes`.

        Raises `InputError` if they are damaged or state more than that many bytes can hold. No
        allocation trusts a field; all are bounded by the bytes there are.
        """
        check_footer(data)
        try:
            num_images, _ = unpack_short(data[:-FOOTER_BYTES])
            if header.num_groups(num_images) * MIN_GROUP_BYTES > group_bytes:
                raise InputError(
                    f"the index states {num_images} images in {group_bytes} bytes: not possible"
                )
            index = cls.parse(data[:-FOOTER_BYTES], header)
        except IndexError as error:
            raise InputError("the index is too short for its fields") from error
        if index.to_bytes() != data:
            raise InputError("the index has a number that is not in its shortest form")
        if (claim := sum(index.run_lengths)) != group_bytes:
            raise InputError(f"the groups take {group_bytes} bytes; the index says {claim}")
        return index

    @classmethod
    def parse(cls, data: bytes, header: Header) -> Self:
        """Read an index without checking it against groups; `IndexError` if it is too short."""
        num_images, position = unpack_short(data)
        num_groups = header.num_groups(num_images)
        groups_crc, position = int.from_bytes(data[position : position + 4]), position + 4
        run_lengths = []
        for _ in range(0, num_groups, GROUPS_PER_RUN):
            length, position = unpack_short(data, position)
            run_lengths.append(length)
        return cls(num_images, groups_crc, run_lengths, data[position:])

    @property
    def beside(self) -> int:
        """Bytes stored beside the images: their names."""
        return len(self.packed_names)

    def num_groups(self, header: Header) -> int:
        """Groups in the file."""
        return header.num_groups(self.num_images)

    def run_images(self, header: Header) -> list[int]:
        """Images in each run."""
        full = header.group_size * GROUPS_PER_RUN
        return [min(full, self.num_images - start) for start in range(0, self.num_images, full)]

    def raw_bytes(self, header: Header) -> int:
        """Bytes of all images, uncompressed."""
        return self.num_images * header.spec.raw_bytes

    def arrays(self) -> dict[str, Any]:
        """The arrays beside the images, by name; `InputError` if damaged."""
        names = unpack_names(self.packed_names, self.num_images)
        return {} if names is None else {NAMES: names}
