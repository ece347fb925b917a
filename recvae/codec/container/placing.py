"""Tells which images of a damaged file were recovered, and thus which are lost."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from recvae.codec.container.header import HEADER_BYTES, Header
from recvae.codec.container.repair import FoundIndex

Placed = tuple[int, int, int]
"""Start and end of a group in bytes, and its number of images."""


@dataclass(frozen=True)
class Layout:
    """What is known about the positions of groups in a damaged file.

    Fields:
        end: no group extends beyond this byte.
        num_images: images in the whole file, None if unknown.
        milestones: for bytes where a run begins, the number of its first image; at the end, the
            number that the next image would have if the last group were full.
        in_place: whether no bytes were lost or added, as far as the index tells.
        full: number of images that every group counts for, whatever it holds; None for the number
            it holds. In version 1 a damaged group does not state it, and all but the last are full.
        own: if the index may belong to another file than the header, where its groups begin, or
            later if bytes were lost; else None.
    """

    end: int
    num_images: int | None
    milestones: dict[int, int]
    in_place: bool
    full: int | None = None
    own: int | None = None

    @classmethod
    def of(cls, header: Header, size: int, found: FoundIndex | None) -> "Layout":
        """The layout of a file of `size` bytes by its index."""
        full = header.group_size if header.version == 1 else None
        if found is None:
            return cls(size, None, {header.num_bytes: 0}, False, full)
        index, begin = found.index, header.num_bytes
        in_place = begin + sum(index.run_lengths) == found.start
        last = index.num_images if full is None else full * index.num_groups(header)
        ends = {begin: 0} | {found.start: last}
        if not in_place:
            return cls(found.start, index.num_images, ends, False, full)
        offsets = accumulate(index.run_lengths, initial=begin)
        firsts = accumulate(index.run_images(header), initial=0)
        runs = dict(zip(offsets, firsts, strict=True))
        return cls(found.start, index.num_images, runs | ends, True, full)

    def of_one_file(
        self,
        ranges: Sequence[Sequence[Placed]],
        found: FoundIndex | None,
        matches: bool,
        begin: int,
    ) -> "Layout":
        """A copy with `own` set unless header and index are known to belong to one file.

        Groups begin at `begin`. If the end of a file is lost together with the header of the next,
        the index of the latter follows groups of both. The index is the first file's if it spans
        from the header to itself, or if it `matches`, that is, covers exactly these groups, and
        there is no room for another header before them.
        """
        if found is None or not ranges or (matches and ranges[0][0][0] < begin + HEADER_BYTES):
            return self
        own = found.start - sum(found.index.run_lengths)
        return self if own == begin else replace(self, num_images=None, own=max(own, begin + 1))

    def ending(self, end: int, number: int | None) -> "Layout":
        """A copy for a file whose last remaining group ends at `end`.

        `number` is that of the next image if this was the file's last group, else None.
        """
        milestones = dict(self.milestones)
        if number is None:
            if end == self.end:
                del milestones[end]
            return replace(self, milestones=milestones)
        if end == self.end or not self.in_place:
            return replace(self, milestones=milestones | {end: number})
        begin = min(milestones)  # the index has moved, and runs are not where it says
        return replace(self, milestones={begin: 0, end: number, self.end: number}, in_place=False)


@dataclass(frozen=True)
class RecoveredRange:
    """Consecutive recovered groups.

    Fields:
        groups: begin, end and number of images of each.
        low, high: bounds of the number, in the damaged file, of the first image, counted from 0;
            `high` may be infinite.
    """

    groups: Sequence[Placed]
    low: int
    high: float

    @property
    def begin(self) -> int:
        """The first byte."""
        return self.groups[0][0]

    @property
    def end(self) -> int:
        """The end of its bytes."""
        return self.groups[-1][1]

    @property
    def num_images(self) -> int:
        """Number of images in its groups."""
        return sum(count for _, _, count in self.groups)

    @property
    def is_placed(self) -> bool:
        """Whether the numbers of its images are known."""
        return self.low == self.high

    def ends_file(self, group_size: int) -> bool:
        """Whether its last group must be the file's last, which alone may hold fewer images."""
        return self.is_placed and self.groups[-1][2] < group_size


@dataclass(frozen=True)
class Lost:
    """`count` images lost among those from `first` to `stop` - 1; None where unknown."""

    first: int
    stop: int | None
    count: int | None


Step = Callable[[int], tuple[float, int]]
"""From the start of a damaged group to its end by its length, or infinity, and its images."""


def place(ranges: Sequence[Sequence[Placed]], layout: Layout, step: Step) -> list[RecoveredRange]:
    """Return the ranges of groups with the bounds of their numbers.

    The bounds follow from the milestones, the images between them, and the lengths of damaged
    groups between one range and the next, which `step` follows.
    """
    bounds: Sequence[tuple[int, float]] | None = None
    if layout.own is not None:
        bounds = [_bounds_by_index(groups, layout, layout.own) for groups in ranges]
    elif layout.in_place or layout.num_images is None:
        bounds = _bounds(ranges, layout, step)
    if bounds is None:
        bounds = _bounds(ranges, layout, lambda position: (math.inf, 0))
    if bounds is None:
        bounds = [(0, math.inf)] * len(ranges)
    return [RecoveredRange(groups, *bound) for groups, bound in zip(ranges, bounds, strict=True)]


def _bounds_by_index(groups: Sequence[Placed], layout: Layout, own: int) -> tuple[int, float]:
    """Bounds of a range's first number from the index only, by the groups before it."""
    if own <= groups[0][0] and groups[-1][1] == layout.end:
        images = sum(layout.full or count for _, _, count in groups)
        first = layout.milestones.get(layout.end, -1) - images
        if first >= 0:
            return first, first
    return 0, math.inf


def _bounds(
    ranges: Sequence[Sequence[Placed]], layout: Layout, step: Step
) -> list[tuple[int, float]] | None:
    """Bounds of the number of each range's first image, or None if they are contradictory."""
    items = []
    passed = set()
    for groups in ranges:
        borders = [begin for begin, _, _ in groups] + [groups[-1][1]]
        counts = (layout.full or count for _, _, count in groups)
        before = list(accumulate(counts, initial=0))
        passed.update(borders)
        known = {
            layout.milestones[border] - images
            for border, images in zip(borders, before, strict=True)
            if border in layout.milestones
        }
        items.append((borders[0], borders[-1], before[-1], known))
    missed = layout.milestones.keys() - passed
    items += [(border, border, 0, {layout.milestones[border]}) for border in missed]
    items.sort(key=lambda item: item[:2])
    gaps = [
        _lost_between(before[1], after[0], layout.in_place, step)
        for before, after in pairwise(items)
    ]
    low: list[float] = [0] * len(items)
    high: list[float] = [math.inf] * len(items)
    for i, (_, _, _, known) in enumerate(items):
        if i:
            low[i] = low[i - 1] + items[i - 1][2] + gaps[i - 1][0]
            high[i] = high[i - 1] + items[i - 1][2] + gaps[i - 1][1]
        low[i], high[i] = max([low[i], *known]), min([high[i], *known])
    for i in reversed(range(len(gaps))):
        high[i] = min(high[i], high[i + 1] - items[i][2] - gaps[i][0])
        low[i] = max(low[i], low[i + 1] - items[i][2] - gaps[i][1])
    if any(most < least for least, most in [*zip(low, high, strict=True), *gaps]):
        return None
    return [(int(low[i]), high[i]) for i, (_, _, images, _) in enumerate(items) if images]


def _lost_between(end: int, begin: int, in_place: bool, step: Step) -> tuple[float, float]:
    """Bounds of the number of images between two ranges."""
    if begin < end:
        return 1, 0  # a contradiction
    if begin == end:
        return 0, 0
    position: float = end
    followed = 0
    while position < begin:
        position, images = step(int(position))
        followed += images
    return (followed, followed) if position == begin else (int(in_place), math.inf)


def lost_images(
    ranges: Sequence[RecoveredRange], num_images: int | None, layout: Layout
) -> list[Lost]:
    """Return the images of a file of `num_images` (None: unknown) that are in no range."""
    if layout.own is not None:  # the ranges may belong to two files
        return [Lost(0, None, None)]
    lost = []
    first, loose = 0, 0  # image after the last placed range, images since

    def note(stop: int | None) -> None:
        count = None if stop is None else max(stop - first - loose, 0)
        if count != 0:
            lost.append(Lost(first, stop, count))

    for recovered in ranges:
        if recovered.is_placed:
            note(recovered.low)
            first, loose = recovered.low + recovered.num_images, 0
        else:
            loose += recovered.num_images
    note(num_images)
    return lost
