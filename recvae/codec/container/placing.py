"""Which groups of a damaged file the recovered ones were, and so which images are lost."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from recvae.codec.container.header import HEADER_BYTES, Header
from recvae.codec.container.index_v1 import GROUPS_PER_RUN
from recvae.codec.container.repair import FoundIndex


@dataclass(frozen=True)
class Layout:
    """What is known of where the groups of a damaged file lie.

    Fields:
        end: no group goes beyond this byte.
        num_images: of the whole file, None if unknown.
        milestones: bytes where a group begins, and its number; at the end, the number of groups.
        in_place: no bytes were lost or added, as far as the index tells.
    """

    end: int
    num_images: int | None
    milestones: dict[int, int]
    in_place: bool

    @classmethod
    def of(cls, header: Header, size: int, found: FoundIndex | None) -> "Layout":
        """What the index tells about a file of `size` bytes."""
        if found is None:
            return cls(size, None, {HEADER_BYTES: 0}, False)
        num_images = found.index.num_images
        num_groups = header.num_groups(num_images)
        in_place = HEADER_BYTES + sum(found.index.run_lengths) == found.start
        ends = {HEADER_BYTES: 0} | {found.start: num_groups}
        if not in_place:
            return cls(found.start, num_images, ends, False)
        offsets = accumulate(found.index.run_lengths, initial=HEADER_BYTES)
        runs = {offset: run * GROUPS_PER_RUN for run, offset in enumerate(offsets)}
        return cls(found.start, num_images, runs | ends, True)


@dataclass(frozen=True)
class Stretch:
    """Recovered groups that follow one another.

    Fields:
        groups: begin, end and number of images of each.
        low, high: the least and greatest number that the first one can have had in the damaged
            file, counted from 0; `high` may be infinite.
    """

    groups: Sequence[tuple[int, int, int]]
    low: int
    high: float

    @property
    def begin(self) -> int:
        """Where its bytes begin."""
        return self.groups[0][0]

    @property
    def end(self) -> int:
        """Where its bytes end."""
        return self.groups[-1][1]

    @property
    def num_images(self) -> int:
        """Images in its groups."""
        return sum(count for _, _, count in self.groups)

    @property
    def is_placed(self) -> bool:
        """Whether it is known which groups these were."""
        return self.low == self.high

    def ends_file(self, group_size: int) -> bool:
        """Whether its last group is known to be the file's last: only that holds fewer images."""
        return self.is_placed and self.groups[-1][2] < group_size


@dataclass(frozen=True)
class Lost:
    """`count` images are lost among those from `first` to before `stop`; None where unknown."""

    first: int
    stop: int | None
    count: int | None


def place(
    stretches: Sequence[Sequence[tuple[int, int, int]]], layout: Layout, step: Callable[[int], int]
) -> list[Stretch]:
    """Return the stretches of groups with the bounds of their numbers.

    They follow from the milestones, from the numbers of groups between them, and where the length
    codes of damaged groups lead from one stretch to the next: `step` follows one.
    """
    bounds = None
    if layout.in_place or layout.num_images is None:
        bounds = _bounds(stretches, layout, step)
    if bounds is None:
        bounds = _bounds(stretches, layout, lambda position: math.inf)
    if bounds is None:
        bounds = [(0, math.inf)] * len(stretches)
    return [Stretch(groups, *bound) for groups, bound in zip(stretches, bounds, strict=True)]


def _bounds(
    stretches: Sequence[Sequence[tuple[int, int, int]]],
    layout: Layout,
    step: Callable[[int], float],
) -> list[tuple[int, float]] | None:
    """Bounds of the number of each stretch's first group, None if they contradict each other."""
    items = []
    passed = set()
    for groups in stretches:
        borders = [begin for begin, _, _ in groups] + [groups[-1][1]]
        passed.update(borders)
        known = {
            layout.milestones[border] - place
            for place, border in enumerate(borders)
            if border in layout.milestones
        }
        items.append((borders[0], borders[-1], len(groups), known))
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
    return [(int(low[i]), high[i]) for i, (_, _, num_groups, _) in enumerate(items) if num_groups]


def _lost_between(
    end: int, begin: int, in_place: bool, step: Callable[[int], float]
) -> tuple[float, float]:
    """The least and greatest number of groups that lay between two stretches."""
    if begin < end:
        return 1, 0  # a contradiction
    if begin == end:
        return 0, 0
    position: float = end
    followed = 0
    while position < begin:
        position, followed = step(int(position)), followed + 1
    return (followed, followed) if position == begin else (int(in_place), math.inf)


def lost_images(
    stretches: Sequence[Stretch], group_size: int, num_images: int | None
) -> list[Lost]:
    """Return which images of a file of so many (None: unknown) are in none of the stretches."""
    lost = []
    first, loose = 0, 0  # image behind the last stretch whose place is known, images since then

    def note(stop: int | None) -> None:
        count = None if stop is None else max(stop - first - loose, 0)
        if count != 0:
            lost.append(Lost(first, stop, count))

    for stretch in stretches:
        if stretch.is_placed:
            note(stretch.low * group_size)
            first, loose = stretch.low * group_size + stretch.num_images, 0
        else:
            loose += stretch.num_images
    note(num_images)
    return lost
