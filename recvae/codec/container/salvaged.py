"""What was saved of one damaged file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recvae.codec.container.framing import unpack_group
from recvae.codec.container.group import Group
from recvae.codec.container.header import Header
from recvae.codec.container.placing import Layout, Lost, RecoveredRange
from recvae.codec.container.repair import FoundIndex

Check = Callable[[Iterable[Group]], Iterator[bool]]
"""Tells of groups whether an encoder can have written them so."""


@dataclass(frozen=True)
class Salvage:
    """What a damaged file still holds.

    Fields:
        data, header: the file.
        ranges: its groups that are left, in order.
        num_images: of the file when it was whole, None if unknown.
        lost: which of them are lost; empty if none is, for sure.
        names: those of the recovered images; None if they have none or `names_lost`.
        names_lost: the file had names, or may have had, that are not to be trusted any more.
        damaged: some of "header", "groups", "order", "index".
        arrays: what else stood beside the images, of the recovered ones where it has an entry for
            each image.
        arrays_lost: the names of those that are not to be trusted any more.
        by_image: the names of the arrays that have an entry for each image.
        begin: where the file began in the bytes that it was found in.
    """

    data: bytes = field(repr=False)
    header: Header
    ranges: list[RecoveredRange]
    num_images: int | None
    lost: list[Lost]
    names: tuple[str, ...] | None
    names_lost: bool
    damaged: list[str]
    arrays: Mapping[str, Any] = field(default_factory=dict)
    arrays_lost: tuple[str, ...] = ()
    by_image: tuple[str, ...] = ()
    begin: int = 0

    @property
    def num_recovered(self) -> int:
        """Images that are recovered."""
        return sum(recovered.num_images for recovered in self.ranges)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lost: no image, no name, not their order."""
        lost = self.lost or self.names_lost or self.arrays_lost
        return not (lost or "order" in self.damaged)

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers: of images in the damaged file, but `unplaced` in the new one."""
        first, unplaced = 0, []
        for recovered in self.ranges:
            if not recovered.is_placed:
                last = first + recovered.num_images - 1
                unplaced.append({"first": first, "last": last})
            first += recovered.num_images
        return {
            "images": self.num_recovered,
            "images_before": self.num_images,
            "complete": self.is_complete,
            "lost": [
                {"first": lost.first, "last": lost.stop and lost.stop - 1, "count": lost.count}
                for lost in self.lost
            ],
            "unplaced": unplaced,
            "names": "lost" if self.names_lost else "kept" if self.names else "none",
            "damaged": self.damaged,
            **({"arrays_lost": list(self.arrays_lost)} if self.arrays_lost else {}),
        }

    def groups(self) -> Iterator[Group]:
        """The groups that are left."""
        for recovered in self.ranges:
            for begin, end, count in recovered.groups:
                yield unpack_group(self.data[begin:end], self.header, count)


def damaged_parts(
    layout: Layout, found: FoundIndex | None, is_lost: bool, exchanged: bool
) -> list[str]:
    """The parts of a file that were damaged, if groups are lost or were exchanged."""
    damaged = {
        "groups": is_lost or (found is not None and not layout.in_place),
        "order": exchanged,
        "index": found is None or found.damaged,
    }
    return [part for part, is_so in damaged.items() if is_so]


def kept_names(names: Sequence[str], ranges: Sequence[RecoveredRange]) -> tuple[str, ...]:
    """The names of recovered images; those whose place is unknown get one that is not taken."""
    free = free_names(names)
    kept: list[str] = []
    for recovered in ranges:
        first, count = recovered.low, recovered.num_images
        if recovered.is_placed:
            kept += names[first : first + count]
        else:
            kept += map(free, range(len(kept), len(kept) + count))
    return tuple(kept)


def free_names(names: Iterable[str]) -> Callable[[int], str]:
    """Return what makes the name of the image of a number: none of these."""
    taken, prefix = tuple(names), "salvaged-"
    while any(name.startswith(prefix) for name in taken):
        prefix += "again-"
    return lambda number: f"{prefix}{number:05}.png"
