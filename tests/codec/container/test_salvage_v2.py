"""Saving a damaged file of version 2: each undamaged group, and the truth about what is lost."""

import binascii
import io
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.container.changes import Change, changed, changes
from recvae.codec.container import ContainerReader, ContainerWriter, Group, Header
from recvae.codec.container.joined import Rescue
from recvae.codec.container.locate import Checksums, Shorts
from recvae.codec.container.numbers import pack_short
from recvae.codec.container.placing import Layout
from recvae.codec.container.salvage import salvage_groups
from recvae.codec.container.salvaged import Salvage
from recvae.codec.container.split import split
from recvae.codec.container.walk import MAX_PASSES, Places, walk
from recvae.errors import InputError
from recvae.images.spec import ImageSpec

HASH, OTHER = bytes(range(16)), bytes(range(1, 17))
HEADER = Header(HASH, 4, 5, 3, version=2)
SPECS = (HEADER.spec, ImageSpec(2, 3, 4), ImageSpec(7, 9, 2))


@dataclass(frozen=True)
class Original:
    """A file before it is damaged: groups of any number of images, specs, layers and tiles."""

    num_groups: int
    named: bool = False
    models: tuple[bytes, ...] = ()
    spans: list[tuple[int, int]] = field(default_factory=list)

    @cached_property
    def header(self) -> Header:
        return Header(HASH, 4, 5, 3, version=2, more_models=self.models)

    @cached_property
    def groups(self) -> list[Group]:
        rng = random.Random(self.num_groups)
        return [self._group(number, rng) for number in range(self.num_groups)]

    def _group(self, number: int, rng: random.Random) -> Group:
        begin = number.to_bytes(2)  # which makes each group known
        spec, count = rng.choice(SPECS), rng.randint(1, 3)
        stream = begin + rng.randbytes(rng.choice([8, 20, 40, 250]))
        if rng.random() < 0.7:
            return Group(count, spec, (stream,))
        tile, streams = (2, 2), (spec.height + 1) // 2 * ((spec.width + 1) // 2)
        rest = tuple(rng.randbytes(rng.randint(0, 9)) for _ in range(2 * streams - 1))
        return Group(count, spec, (stream, *rest), layers=2, tile=tile)

    @cached_property
    def first(self) -> list[int]:
        """The number of the first image of each group, and of the images."""
        return list(accumulate((group.num_images for group in self.groups), initial=0))

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        return tuple(f"{i}.png" for i in range(self.first[-1])) if self.named else None

    @cached_property
    def data(self) -> bytes:
        stream = io.BytesIO()
        writer = ContainerWriter(stream, self.header)
        self.spans.clear()
        for group in self.groups:
            begin = writer.num_bytes
            writer.add(group)
            self.spans.append((begin, writer.num_bytes))
        labels = {"labels": np.arange(self.first[-1])} if self.named else {}
        writer.finish(self.names, labels)
        return stream.getvalue()

    def salvage(self, data: bytes) -> Salvage:
        def check(groups: Iterable[Group]) -> Iterator[bool]:
            return (group in self.groups for group in groups)

        piece = next(piece for piece in split(data, []) if piece.header)
        assert piece.header == self.header
        return salvage_groups(data[piece.begin : piece.end], self.header, check)


def saved(original: Original, salvage: Salvage, places_are_sure: bool = True) -> list[int]:
    """Write what was saved, hold all that is said about it to the truth, return the groups."""
    stream = io.BytesIO()
    sizes = Rescue([salvage]).write_to(stream)
    assert sizes.total == len(stream.getvalue())
    with ContainerReader(stream.getvalue()) as reader:
        reader.verify()
        groups = [original.groups.index(group) for group in reader.groups()]
        names, labels = reader.names, reader.arrays.get("labels")
    assert groups == sorted(set(groups))
    images = [i for g in groups for i in range(original.first[g], original.first[g + 1])]
    assert salvage.num_recovered == len(images)
    assert salvage.num_images in (None, original.first[-1])
    if salvage.is_complete:
        assert (len(images), names) == (original.first[-1], original.names)
    missing = set(range(original.first[-1])) - set(images)
    if not places_are_sure:
        return groups
    at = accumulate((len(part.groups) for part in salvage.ranges), initial=0)
    for part, first in zip(salvage.ranges, at, strict=False):
        assert part.low <= original.first[groups[first]] <= part.high
    for name, image in zip(names or (), images, strict=names is not None):
        assert name == f"{image}.png" or name.startswith("salvaged-")
    if labels is not None:
        assert labels.tolist() == images
    else:
        assert not original.named or salvage.arrays_lost or salvage.names_lost
    for lost in salvage.lost:
        among = set(range(lost.first, lost.stop or original.first[-1]))
        assert lost.count in (None, len(among & missing))
        missing -= among
    assert not missing
    return groups


FILES = [
    Original(6, named=True),
    Original(5),
    Original(1, named=True),
    Original(70, models=(OTHER,)),
    Original(135, named=True),
]


# All of the places take long: the quick tests take one in so many.
one_in = pytest.mark.parametrize("one_in", [7, pytest.param(1, marks=pytest.mark.slow)])


@one_in
@pytest.mark.parametrize("original", FILES, ids=lambda original: f"{original.num_groups} groups")
def test_any_one_byte_costs_its_group_alone(original: Original, one_in: int) -> None:
    step = (1 + len(original.data) // 1000 * 11) * one_in
    for position in range(0, len(original.data), step):
        damaged = bytearray(original.data)
        damaged[position] ^= 1 << position % 8
        hit = [g for g, (a, b) in enumerate(original.spans) if a <= position < b]
        if len(hit) == original.num_groups:
            with pytest.raises(InputError, match="no complete group of images is left"):
                original.salvage(bytes(damaged))
            continue
        salvage = original.salvage(bytes(damaged))
        assert saved(original, salvage) == [g for g in range(original.num_groups) if g not in hit]
        assert salvage.is_complete == (not hit)
        assert [(lost.first, lost.stop) for lost in salvage.lost] == [
            (original.first[g], original.first[g + 1]) for g in hit
        ]
        assert not salvage.names_lost
        assert not salvage.arrays_lost


@one_in
@pytest.mark.parametrize("original", FILES[:4], ids=lambda original: f"{original.num_groups}")
def test_any_truncation_keeps_all_groups_before_it(original: Original, one_in: int) -> None:
    begin = original.header.num_bytes
    for length in range(begin, len(original.data), (1 + len(original.data) // 300) * one_in):
        whole = [g for g, (_, end) in enumerate(original.spans) if end <= length]
        if not whole:
            with pytest.raises(InputError, match="no complete group of images is left"):
                original.salvage(original.data[:length])
            continue
        salvage = original.salvage(original.data[:length])
        assert saved(original, salvage) == whole
        assert "index" in salvage.damaged


def test_a_file_without_images() -> None:
    empty = Original(0)
    salvage = empty.salvage(empty.data)
    assert salvage.is_complete
    assert saved(empty, salvage) == []


several_damages = given(st.sampled_from(FILES), st.lists(changes, min_size=1, max_size=5))


@settings(max_examples=40, deadline=None)
@several_damages
def test_several_damages(original: Original, damages: list[Change]) -> None:
    check_several_damages(original, damages)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@several_damages
def test_many_times_several_damages(original: Original, damages: list[Change]) -> None:
    check_several_damages(original, damages)


def check_several_damages(original: Original, damages: Sequence[Change]) -> None:
    """Overwritten, inserted and removed bytes, the index among them."""
    data, alive = changed(original.data, original.header.num_bytes, damages, original.spans)
    try:
        salvage = original.salvage(data)
    except InputError:  # no group is left
        found = []
    else:
        kinds = {kind for kind, _, _ in damages}
        found = saved(original, salvage, places_are_sure=kinds <= {"flip", "overwrite"})
    # A group with damage right before and behind it may be given up: too little bears it out.
    begins = {begin for begin, _ in alive.values()}
    sure = {g for g, (_, end) in alive.items() if end in begins}
    assert sure <= set(found)


def test_groups_are_not_taken_for_part_of_a_damaged_one() -> None:
    """As many bytes are lost as groups behind take, or a length is damaged: it leads past these."""
    original = Original(70)
    data, spans = original.data, original.spans
    lengths = [end - begin for begin, end in spans]
    assert lengths[10:12] == [279, 14]
    assert lengths[26:28] == [31, 46]
    longer = bytearray(data)
    longer[spans[26][0] + 6] += lengths[27]
    past_one = data[: spans[10][1] - lengths[11]] + data[spans[10][1] :]
    for damaged, lost in [(past_one, 10), (bytes(longer), 26)]:
        groups = saved(original, original.salvage(damaged), places_are_sure=False)
        assert groups == [group for group in range(70) if group != lost]


def test_arrays_of_images_whose_place_is_unknown_are_given_up() -> None:
    original = Original(30, named=True)
    data = bytearray(original.data)
    for first in (3, 9):  # this group and the head of the next
        begin, end = original.spans[first][0], original.spans[first + 1][0] + 8
        data[begin:end] = b"\xee" * (end - begin)
    salvage = original.salvage(bytes(data))
    groups = saved(original, salvage)
    assert groups == [g for g in range(30) if g not in (3, 4, 9, 10)]
    assert salvage.as_dict()["arrays_lost"] == ["labels"]
    assert not salvage.is_complete


def test_a_header_of_several_models_is_repaired() -> None:
    original = FILES[3]
    for position in range(original.header.num_bytes):
        damaged = bytearray(original.data)
        damaged[position] ^= 0x40
        (piece,) = split(bytes(damaged), [])
        assert (piece.header, piece.begin, piece.repaired) == (original.header, 0, True)


def test_groups_in_groups_cost_little() -> None:
    """Every few bytes begin a group, right by its checksum, that holds the next such group.

    The index, which lies, says that a run begins every 256 bytes, so that each is searched anew.
    """
    inner = b""
    for _ in range(4000):
        inner = b"\0" + pack_short(len(inner) + 1) + inner
        inner += binascii.crc_hqx(inner, 0xFFFF).to_bytes(2)
    data = HEADER.to_bytes() + b"\xee" + inner + b"\xee" * 5
    places = Places(data, HEADER, Checksums(data), Shorts(data))
    begin = HEADER.num_bytes
    runs = {start: 192 * i for i, start in enumerate(range(begin, len(data), 256))}
    walk(places, Layout(len(data), None, runs, True))
    assert places.seen_bytes <= (MAX_PASSES + 2) * len(data)


def test_hostile_bytes_are_looked_at_a_bounded_number_of_times() -> None:
    """Every eleventh place begins a group of half of the file, whose checksum fails."""
    heads = (b"\1\1" + b"\xff" + (11 << 10).to_bytes(8)) * (1 << 11)
    data = HEADER.to_bytes() + heads
    places = Places(data, HEADER, Checksums(data), Shorts(data))
    assert walk(places, Layout.of(HEADER, len(places.data), None)) == []
    assert places.seen_bytes <= (MAX_PASSES + 2) * len(places.data)


def test_arrays_that_are_not_of_images_are_kept() -> None:
    """A number alone, and as many as there are no images."""
    original, stream = Original(3), io.BytesIO()
    writer = ContainerWriter(stream, HEADER)
    for group in original.groups:
        writer.add(group)
    writer.finish(arrays={"one": np.float64(0.5), "many": np.arange(100)})
    damaged = bytearray(stream.getvalue())
    damaged[HEADER.num_bytes + 9] ^= 1
    salvage = original.salvage(bytes(damaged))
    assert salvage.arrays["one"] == 0.5
    assert salvage.arrays["many"].tolist() == list(range(100))
    assert not salvage.arrays_lost


def test_arrays_without_a_checksum_are_not_trusted() -> None:
    original = Original(1, named=True)
    at = original.data.rindex(b"names")
    data = bytearray(original.data)
    data[at : at + 1] = b"o"
    salvage = original.salvage(bytes(data[:-8]) + b"\0" + bytes(data[-8:]))
    assert saved(original, salvage) == [0]
    assert salvage.names_lost
    assert not salvage.is_complete
