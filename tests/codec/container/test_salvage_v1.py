"""Salvage of a damaged file: every undamaged group, nothing else, and a truthful report of losses.

Payloads are made up here, with a check that cannot be deceived; tests with a model are in
`tests/codec/test_salvage.py`, of the search for groups alone in `test_locate.py`.
"""

import io
import random
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codec.container.changes import Change, changed, changes
from codec.container.files import HASH, container
from recvae.codec.container import ContainerReader, Group, Header
from recvae.codec.container.group_v1 import pack_group
from recvae.codec.container.joined import Rescue
from recvae.codec.container.locate import find_groups
from recvae.codec.container.salvage import salvage_files, salvage_groups
from recvae.codec.container.salvaged import Salvage
from recvae.codec.container.split import split
from recvae.errors import InputError

HEADER = Header(HASH, height=4, width=5, group_size=3)


@dataclass(frozen=True)
class Original:
    """A file before it is damaged; each payload begins with its number."""

    num_groups: int
    in_last: int = 3
    named: bool = False

    @cached_property
    def payloads(self) -> list[bytes]:
        rng = random.Random(self.num_groups)
        sizes = [4, 10, 20, 30, 40, 58, 59]  # with its number; the last is the pixels' size
        return [bytes([g]) + rng.randbytes(rng.choice(sizes)) for g in range(self.num_groups)]

    @cached_property
    def num_images(self) -> int:
        return 3 * (self.num_groups - 1) + self.in_last

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        return tuple(f"{i}.png" for i in range(self.num_images)) if self.named else None

    @cached_property
    def data(self) -> bytes:
        return container(self.payloads, HEADER, self.in_last, self.names)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        groups = (pack_group(payload, HEADER) for payload in self.payloads)
        return list(pairwise(accumulate(map(len, groups), initial=38)))

    def images(self, groups) -> list[int]:
        """The numbers of the images in some groups."""
        return [i for g in groups for i in range(3 * g, min(3 * g + 3, self.num_images))]

    def salvage(self, data: bytes) -> Salvage:
        last = self.num_groups - 1
        truth = {p: self.in_last if g == last else 3 for g, p in enumerate(self.payloads)}
        piece = next(piece for piece in split(data, [(HASH, 4, 5)]) if piece.header)
        assert piece.header == HEADER

        def check(groups: Iterable[Group]) -> Iterator[bool]:
            for group in groups:
                yield truth.get(group.streams[0]) == group.num_images

        return salvage_groups(data[piece.begin : piece.end], HEADER, check)


def saved(original: Original, salvage: Salvage, places_are_sure: bool = True) -> list[int]:
    """Write what was saved, check everything reported about it, and return the groups."""
    stream = io.BytesIO()
    sizes = Rescue([salvage]).write_to(stream)
    assert sizes.total == len(stream.getvalue())
    with ContainerReader(stream.getvalue()) as reader:
        reader.verify()
        groups = [original.payloads.index(payload) for payload in reader.payloads()]
        images = original.images(groups)
        assert groups == sorted(set(groups))
        assert reader.num_images == salvage.num_recovered == len(images)
        names = reader.names
    assert salvage.num_images in (None, original.num_images)
    if salvage.is_complete:
        assert (len(images), names) == (original.num_images, original.names)
    missing = set(range(original.num_images)) - set(images)
    if places_are_sure:
        at = accumulate((len(part.groups) for part in salvage.ranges), initial=0)
        for part, first in zip(salvage.ranges, at, strict=False):
            assert part.low <= 3 * groups[first] <= part.high
        for name, image in zip(names or (), images, strict=names is not None):
            assert name == f"{image}.png" or name.startswith("salvaged-")
        for lost in salvage.lost:
            among = set(range(lost.first, lost.stop or original.num_images))
            assert lost.count in (None, len(among & missing))
            missing -= among
        assert not missing
    return groups


FILES = [
    Original(6, 2, named=True),
    Original(5),
    Original(1, 1, named=True),
    Original(70, 1),
    Original(135, 2, named=True),
]


# Trying all places is slow: the quick tests try every n-th.
one_in = pytest.mark.parametrize("one_in", [7, pytest.param(1, marks=pytest.mark.slow)])


@one_in
@pytest.mark.parametrize("original", FILES, ids=lambda original: f"{original.num_groups} groups")
def test_any_one_byte_costs_its_group_alone(original: Original, one_in: int) -> None:
    step = 1 + len(original.data) // 1000 * 7
    for position in range(0, len(original.data), step * one_in):
        for mask in (0x01, 0xFF) if step == 1 else (1 << position % 8,):
            damaged = bytearray(original.data)
            damaged[position] ^= mask
            hit = [g for g, (a, b) in enumerate(original.spans) if a <= position < b]
            if len(hit) == original.num_groups:
                with pytest.raises(InputError, match="no complete group of images is left"):
                    original.salvage(bytes(damaged))
                continue
            salvage = original.salvage(bytes(damaged))
            assert saved(original, salvage) == [
                g for g in range(original.num_groups) if g not in hit
            ]
            assert salvage.is_complete == (not hit)
            assert [(lost.first, lost.stop) for lost in salvage.lost] == [
                (3 * g, min(3 * g + 3, original.num_images)) for g in hit
            ]
            assert not salvage.names_lost


@one_in
@pytest.mark.parametrize(
    "original", FILES[:4], ids=lambda original: f"{original.num_groups} groups"
)
def test_any_truncation_keeps_all_groups_before_it(original: Original, one_in: int) -> None:
    for length in range(38, len(original.data), one_in):
        whole = [g for g, (_, end) in enumerate(original.spans) if end <= length]
        if not whole:
            with pytest.raises(InputError, match="no complete group of images is left"):
                original.salvage(original.data[:length])
            continue
        salvage = original.salvage(original.data[:length])
        assert saved(original, salvage) == whole
        assert "index" in salvage.damaged
        if len(whole) == original.num_groups and original.in_last < 3:
            assert not salvage.lost  # a group that is not full must be the last


def test_a_truncation_within_the_footer_loses_nothing() -> None:
    for original in (FILES[0], FILES[1]):
        for length in range(len(original.data) - 11, len(original.data)):
            assert original.salvage(original.data[:length]).is_complete


several_damages = given(st.sampled_from(FILES), st.lists(changes, min_size=1, max_size=5))


@settings(max_examples=80, deadline=None)
@several_damages
@example(Original(135, 2, named=True), [("remove", 0.5, b"12345")])
@example(Original(70, 1), [("remove", 0.05118792900714376, b"\0")])  # the next byte is the same
def test_several_damages(original: Original, damages: list[Change]) -> None:
    check_several_damages(original, damages)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@several_damages
def test_many_times_several_damages(original: Original, damages: list[Change]) -> None:
    check_several_damages(original, damages)


def check_several_damages(original: Original, damages: Sequence[Change]) -> None:
    """Overwritten, inserted and removed bytes, the index among them."""
    data, alive = changed(original.data, 38, damages, original.spans)
    try:
        salvage = original.salvage(data)
    except InputError:  # no complete group is left
        found = []
    else:
        kinds = {kind for kind, _, _ in damages}
        found = saved(original, salvage, places_are_sure=kinds <= {"flip", "overwrite"})
    # A small group with damage right before and after it may be given up for lack of evidence.
    ends = {end for _, end in alive.values()} | {38}
    begins = {begin for begin, _ in alive.values()}
    sure = {g for g, (begin, end) in alive.items() if begin in ends or end in begins}
    assert sure <= set(found)


def test_groups_of_unknown_place_get_names_that_are_not_taken() -> None:
    original = Original(20, named=True)
    (cut, _), (hole, _) = original.spans[5], original.spans[12]
    data = original.data[:cut] + original.data[cut + 30 : hole] + original.data[hole + 30 :]
    salvage = original.salvage(data)
    groups = saved(original, salvage)
    assert salvage.as_dict()["unplaced"]
    assert {0, 1, 8, 9, 18, 19} <= set(groups)
    assert len(set(salvage.names or ())) == salvage.num_recovered


def test_exchanged_groups_are_told() -> None:
    """Each group is intact, but in the wrong place: only the checksum of all groups tells."""
    payloads = [bytes([g]) * 30 for g in range(6)]
    payloads_by_size = container(payloads, HEADER, 3, [f"{i}.png" for i in range(18)])
    groups = [payloads_by_size[38 + 33 * g : 71 + 33 * g] for g in range(6)]
    order = [0, 3, 2, 1, 4, 5]
    data = payloads_by_size[:38] + b"".join(groups[g] for g in order) + payloads_by_size[236:]
    salvage = salvage_groups(data, HEADER, lambda groups: (True for _ in groups))
    assert salvage.damaged == ["order"]
    assert not salvage.is_complete
    assert salvage.names is None
    assert not salvage.lost


def test_bytes_before_and_behind_the_file() -> None:
    original = FILES[0]
    other = Original(3, 1)
    for before, behind in [(b"HTTP/1.1 200 OK\r\n\r\n", b""), (b"", b"\n"), (b"", other.data)]:
        salvage = original.salvage(before + original.data + behind)
        assert saved(original, salvage) == list(range(6))
        assert salvage.is_complete
        assert not salvage.damaged


@pytest.mark.parametrize("span", [(0, 34), (8, 12), (16, 34), (3, 30)])
def test_a_header_is_rebuilt_for_a_known_model(span: tuple[int, int]) -> None:
    original = FILES[0]
    damaged = bytearray(original.data)
    damaged[slice(*span)] = random.Random(1).randbytes(span[1] - span[0])
    assert original.salvage(bytes(damaged)).is_complete
    with pytest.raises(InputError, match="--model"):
        split(bytes(damaged), [(HASH, 5, 4)])
    damaged[36] ^= 1
    with pytest.raises(InputError, match="--model"):
        original.salvage(bytes(damaged))


def test_a_header_of_another_version_is_not_damaged() -> None:
    fields = bytearray(FILES[0].data[:34])
    fields[8] = 3
    data = bytes(fields) + zlib.crc32(fields).to_bytes(4) + FILES[0].data[38:]
    with pytest.raises(InputError, match="format version 3"):
        salvage_files(data, [(HASH, 4, 5)], lambda _: lambda groups: (True for _ in groups))


def test_the_number_of_images_is_found_without_the_index() -> None:
    """Only one of the possible numbers of images in the last group passes the check."""
    for in_last in (1, 2, 3):
        original = Original(4, in_last)
        salvage = original.salvage(original.data[: original.spans[-1][1]])
        assert saved(original, salvage) == [0, 1, 2, 3]
        assert salvage.num_images == (None if in_last == 3 else 9 + in_last)
    both = salvage_groups(
        original.data[: original.spans[-1][1]],
        HEADER,
        lambda groups: (group.num_images > 1 for group in groups),
    )
    assert both.num_recovered == 9  # 2 or 3 images? Then neither counts as right


def test_a_last_group_is_found_where_the_index_does_not_expect_it() -> None:
    """One byte is lost and one added: everything is in place by the repaired index."""
    original = Original(70, 1)
    check_several_damages(original, [("insert", 0.9921875, b"\0"), ("remove", 0.0, b"\0")])
    end = original.spans[-1][1]
    data = original.data[:38] + original.data[39 : end + 1] + b"\0" + original.data[end + 1 :]
    salvage = original.salvage(data)
    assert saved(original, salvage) == list(range(1, 70))
    assert [(lost.first, lost.stop) for lost in salvage.lost] == [(0, 3)]


def test_a_last_group_that_the_index_follows_may_be_full() -> None:
    """The last group is lost, and a byte before: positions are not counted from the index."""
    original = Original(8, 2, named=True)
    (hole, _), (cut, end) = original.spans[3], original.spans[-1]
    data = original.data[:hole] + original.data[hole + 1 : cut] + original.data[end:]
    assert saved(original, original.salvage(data)) == [0, 1, 2, 4, 5, 6]


def test_no_more_images_are_told_than_there_were() -> None:
    """Inserted bytes lead to the first group as a group would, and the index is damaged."""
    original = Original(6, 2, named=True)
    begin, end = 38, original.spans[-1][1]
    data = original.data[:begin] + b"\1\0\0" + original.data[begin:]
    damaged = bytearray(data)
    damaged[-60] ^= 2
    assert original.salvage(bytes(damaged)).is_complete  # by the CRC-32 of all groups
    assert saved(original, original.salvage(bytes(damaged))) == list(range(6))
    for rest in (data[: end + 3], data[: end + 30]):
        assert saved(original, original.salvage(rest), places_are_sure=False) == list(range(6))


@pytest.mark.parametrize("filling", ["00", "01", "c0", "ff", "01f1d1"])
def test_memory_is_bounded_by_the_bytes_there_are(filling: str) -> None:
    """Any byte of a hole may begin a group of any length; the last filling consists of groups."""
    header = Header(HASH, 65535, 65535, 1024)
    data = header.to_bytes() + bytes.fromhex(filling) * 20_000
    find_groups(data, header)  # its tables are cached
    tracemalloc.start()
    with pytest.raises(InputError, match="no complete group"):
        salvage_groups(data, header, lambda groups: (False for _ in groups))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * len(data) + 400 * len(find_groups(data, header)) + 6_000_000
