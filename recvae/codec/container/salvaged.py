"""The result of salvaging one damaged file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recvae.codec.container.framing import unpack_group
from recvae.codec.container.group import Group
from recvae.codec.container.header import Header
from recvae.codec.container.placing import Layout, Lost, RecoveredRange
from recvae.codec.container.repair import FoundIndex

Check = Callable[[Iterable[Group]], Iterator[bool]]
"""Tells whether an encoder can have written each of the groups."""


@dataclass(frozen=True)
class Salvage:
    """What is left of a damaged file.

    Fields:
        data, header: the file.
        ranges: its remaining groups, in order.
        num_images: images in the undamaged file, None if unknown.
        lost: which of them are lost; empty only if certainly none is.
        names: those of the recovered images; None if they have none or `names_lost`.
        names_lost: whether the file had or may have had names that are no longer reliable.
        damaged: some of "header", "groups", "order", "index".
        arrays: further arrays beside the images; those with an entry for each image are reduced to
            the recovered ones.
        arrays_lost: the names of arrays that are no longer reliable.
        by_image: the names of the arrays with an entry for each image.
        begin: the file's first byte in the bytes that it was found in.
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
        """Number of images recovered."""
        return sum(recovered.num_images for recovered in self.ranges)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lost: no image, no name, and no order."""
        lost = self.lost or self.names_lost or self.arrays_lost
        return not (lost or "order" in self.damaged)

    def as_dict(self) -> dict[str, Any]:
        """The result as plain numbers: images in the damaged file, `unplaced` in the new one."""
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
        """The remaining groups."""
        for recovered in self.ranges:
            for begin, end, count in recovered.groups:
                yield unpack_group(self.data[begin:end], self.header, count)


def damaged_parts(
    layout: Layout, found: FoundIndex | None, is_lost: bool, exchanged: bool
) -> list[str]:
    """The damaged parts of a file, given whether groups are lost or were exchanged."""
    damaged = {
        "groups": is_lost or (found is not None and not layout.in_place),
        "order": exchanged,
        "index": found is None or found.damaged,
    }
    return [part for part, is_so in damaged.items() if is_so]


def kept_names(names: Sequence[str], ranges: Sequence[RecoveredRange]) -> tuple[str, ...]:
    """The names of recovered images; those at unknown places get unused names."""
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
    """Return a function from an image's number to a name that is not among `names`."""
    taken, prefix = tuple(names), "salvaged-"
    while any(name.startswith(prefix) for name in taken):
        prefix += "again-"
    return lambda number: f"{prefix}{number:05}.png"
