"""The index of a file of version 2: like version 1's, for groups of any number of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from recvae.codec.container.arrays import unpack_arrays
from recvae.codec.container.footer import FOOTER_BYTES, check_footer, with_footer
from recvae.codec.container.group_v2 import MIN_GROUP_BYTES
from recvae.codec.container.header import Header
from recvae.codec.container.index_v1 import GROUPS_PER_RUN
from recvae.codec.container.numbers import pack_short, unpack_short
from recvae.errors import InputError

NO_ARRAYS = pack_short(0)
BEGIN = b"\x80"  # no group begins with this


@dataclass(frozen=True)
class Index:
    """Totals over all groups, written after them.

    Args:
        num_images, groups: numbers of images and groups in the file.
        raw: bytes of all images, uncompressed.
        own_specs: number of groups that state a spec of their own.
        groups_crc: CRC-32 of the bytes of all groups, in order.
        run_lengths: bytes of each run of 64 groups; the last run may have fewer groups.
        images_by_run: images in each run.
        packed_arrays: from `pack_arrays`.
    """

    num_images: int
    groups: int
    raw: int
    own_specs: int
    groups_crc: int
    run_lengths: Sequence[int]
    images_by_run: Sequence[int]
    packed_arrays: bytes = NO_ARRAYS

    def to_bytes(self) -> bytes:
        """Return index and footer as written."""
        counts = (self.num_images, self.groups, self.raw, self.own_specs)
        runs = zip(self.run_lengths, self.images_by_run, strict=True)
        return with_footer(
            BEGIN
            + b"".join(map(pack_short, counts))
            + self.groups_crc.to_bytes(4)
            + b"".join(pack_short(length) + pack_short(images) for length, images in runs)
            + self.packed_arrays
        )

    @classmethod
    def from_bytes(cls, data: bytes, header: Header, group_bytes: int) -> Self:
        """Read index and footer of a file whose groups take `group_bytes`.

        Raises `InputError` if they are damaged or state more than that many bytes can hold. No
        allocation trusts a field; all are bounded by the bytes there are.
        """
        check_footer(data)
        try:
            num_images, at = unpack_short(data[:-FOOTER_BYTES], len(BEGIN))
            groups, _ = unpack_short(data[:-FOOTER_BYTES], at)
            if groups * MIN_GROUP_BYTES > group_bytes or num_images > groups * header.group_size:
                raise InputError(
                    f"the index states {num_images} images in {groups} groups and "
                    f"{group_bytes} bytes: not possible"
                )
            index = cls.parse(data[:-FOOTER_BYTES], header)
        except IndexError as error:
            raise InputError("the index is too short for its fields") from error
        if index.to_bytes() != data:
            raise InputError("the index is not in canonical form")
        if index.own_specs > groups or groups > num_images:
            raise InputError(f"the index states {groups} groups, {index.own_specs} with own specs")
        if (claim := sum(index.run_lengths)) != group_bytes:
            raise InputError(f"the groups take {group_bytes} bytes; the index says {claim}")
        if (claim := sum(index.images_by_run)) != num_images:
            raise InputError(f"the runs hold {claim} images; the index says {num_images}")
        if not index.own_specs and index.raw != num_images * header.spec.raw_bytes:
            raise InputError(f"{num_images} images of {header.spec} do not take {index.raw} bytes")
        return index

    @classmethod
    def parse(cls, data: bytes, header: Header) -> Self:
        """Read an index without checking it against groups; `IndexError` if it is too short."""
        at = len(BEGIN)
        counts, runs = [], []
        for _ in range(4):
            number, at = unpack_short(data, at)
            counts.append(number)
        groups_crc, at = int.from_bytes(data[at : at + 4]), at + 4
        for _ in range(0, counts[1], GROUPS_PER_RUN):
            length, at = unpack_short(data, at)
            images, at = unpack_short(data, at)
            runs.append((length, images))
        lengths, images_by_run = [run[0] for run in runs], [run[1] for run in runs]
        num_images, groups, raw, own = counts
        return cls(num_images, groups, raw, own, groups_crc, lengths, images_by_run, data[at:])

    @property
    def beside(self) -> int:
        """Bytes stored beside the images."""
        return len(self.packed_arrays) - len(NO_ARRAYS)

    def num_groups(self, header: Header) -> int:
        """Groups in the file."""
        return self.groups

    def run_images(self, header: Header) -> Sequence[int]:
        """Images in each run."""
        return self.images_by_run

    def raw_bytes(self, header: Header) -> int:
        """Bytes of all images, uncompressed."""
        return self.raw

    def arrays(self) -> dict[str, Any]:
        """The arrays beside the images, by name; `InputError` if damaged."""
        return unpack_arrays(self.packed_arrays, self.num_images)
