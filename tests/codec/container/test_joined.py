"""What is saved of several files one behind the other, as one file, and what is said about it."""

import io
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.container.changes import Change, changed, changes
from codec.container.files import HASH, container, digits
from recvae.codec.container import ContainerReader, ContainerWriter, Group, Header
from recvae.codec.container.joined import Rescue
from recvae.codec.container.salvage import OTHER_MODEL, salvage_files
from recvae.codec.container.salvaged import Check
from recvae.errors import InputError

HEADER = Header(HASH, 28, 28, 2)
SECOND = replace(HEADER, version=2)
STRANGER = replace(HEADER, model_hash=bytes(16))


def rescued(*files: bytes) -> Rescue:
    def check_for(header: Header) -> Check:
        return lambda groups: (group.num_images == header.group_size for group in groups)

    return salvage_files(b"".join(files), [(HASH, 28, 28)], check_for)


def read(rescue: Rescue) -> tuple[list[bytes], list[int], tuple[str, ...] | None, Header]:
    """Payloads, images of each, names and header of the file that is written."""
    stream = io.BytesIO()
    sizes = rescue.write_to(stream)
    assert sizes.total == len(stream.getvalue())
    with ContainerReader(stream.getvalue()) as reader:
        reader.verify()
        groups = list(reader.groups())
        assert reader.num_images == rescue.num_recovered
        counts = [group.num_images for group in groups]
        return [group.streams[0] for group in groups], counts, reader.names, reader.header


def names(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{index}.png" for index in range(count)]


ONE, TWO = digits(3, 1), digits(70, 2)


def test_all_images_in_order() -> None:
    rescue = rescued(container(ONE, HEADER), container(TWO, HEADER, 1), container(ONE, HEADER))
    assert read(rescue) == ([*ONE, *TWO, *ONE], [2] * 72 + [1] + [2] * 3, None, SECOND)
    assert rescue.is_complete
    result = rescue.as_dict()
    assert (result["images"], result["images_before"], result["damaged"]) == (151, 151, [])
    assert [file["images"] for file in result["files"]] == [6, 139, 6]
    assert [file.begin for file in rescue.files] == [file["begin"] for file in result["files"]]


@pytest.mark.parametrize(
    ("first", "last", "second", "expected"),
    [
        (HEADER, 2, HEADER, HEADER),
        (HEADER, 1, HEADER, SECOND),
        (SECOND, 1, SECOND, SECOND),
        (HEADER, 2, SECOND, SECOND),
        (SECOND, 2, HEADER, SECOND),
        (HEADER, 2, replace(HEADER, group_size=5), replace(SECOND, group_size=5)),
        (HEADER, 2, replace(HEADER, height=9), SECOND),
    ],
)
def test_the_first_version_that_can_hold_all(
    first: Header, last: int, second: Header, expected: Header
) -> None:
    """Pixels as they are, too: the code 0 for their length stands for other lengths."""
    raw = [bytes(2 * first.spec.raw_bytes), bytes(last * first.spec.raw_bytes)]
    more = [bytes(second.raw_group_bytes), b"payload"]
    rescue = rescued(container(raw, first, last), container(more, second, 1))
    counts = [2, last, second.group_size, 1]
    assert read(rescue) == ([*raw, *more], counts, None, expected)
    assert rescue.is_complete


def test_names_are_distinct() -> None:
    named = container(ONE, HEADER, names=names(6))
    unnamed = container(ONE, HEADER)
    others = container(ONE, HEADER, names=names(6, "salvaged-"))
    rescue = rescued(named, unnamed, named, others)
    again = [f"salvaged-again-{number:05}.png" for number in range(12, 18)]
    default = [f"{number:05}.png" for number in range(6, 12)]
    assert read(rescue)[2] == (*names(6), *default, *again, *names(6, "salvaged-"))
    assert rescue.as_dict()["renamed"] == [{"first": 12, "last": 17}]
    assert rescue.as_dict()["names"] == "kept"
    assert rescue.is_complete
    taken = container(ONE, HEADER, names=[*names(3), "00001.png", *names(2, "b")])
    expected = ("00000.png", "salvaged-00001.png", *(f"{number:05}.png" for number in range(2, 6)))
    assert (read(rescued(unnamed, taken))[2] or ())[:6] == expected


def with_arrays(payloads: Sequence[bytes], **arrays: Any) -> bytes:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, SECOND)
    for payload in payloads:
        writer.add_group(payload, 2)
    writer.finish(arrays=arrays)
    return stream.getvalue()


def test_arrays_that_all_have_are_joined() -> None:
    text = [f"text {index}" for index in range(140)]
    rows = np.arange(420, dtype=np.int16).reshape(140, 3)
    first = with_arrays(ONE, rows=rows[:6], text=text[:6], scale=np.float32(2), empty=())
    second = with_arrays(TWO, rows=rows, text=text, scale=np.float32(2), empty=())
    rescue = rescued(first, second, container([], SECOND))
    stream = io.BytesIO()
    rescue.write_to(stream)
    with ContainerReader(stream.getvalue()) as reader:
        arrays = reader.arrays
    assert np.array_equal(arrays["rows"], np.concatenate([rows[:6], rows]))
    assert arrays["text"] == (*text[:6], *text)
    assert (arrays["scale"], arrays["empty"]) == (2, ())
    assert rescue.is_complete


def test_arrays_that_differ_are_said_to_be_lost() -> None:
    labels = np.arange(6)
    first = with_arrays(ONE, a=labels, b=labels, c=labels, d=np.float64(1), e=labels, f=labels[:2])
    text = list("number")
    second = with_arrays(
        ONE, a=labels, b=labels.astype(np.int8), c=text, d=np.float64(2), f=labels[:2]
    )
    rescue = rescued(first, second)
    assert list(rescue.arrays) == ["a", "f"]
    assert rescue.as_dict()["arrays_lost"] == ["b", "c", "d", "e"]
    assert not rescue.is_complete
    assert rescued(first, container(ONE, HEADER)).arrays_lost == tuple("abcdef")
    read(rescue)


def test_more_beside_the_images_than_a_file_holds() -> None:
    """The file is written, and what it cannot hold is said to be lost."""
    wide = np.zeros((6, 1 << 24, 0), np.uint8)  # an axis of length 0 counts as 1
    rescue = rescued(*[with_arrays(ONE, wide=wide, labels=np.arange(6))] * 3)
    read(rescue)
    assert list(rescue.arrays) == ["labels"]
    assert rescue.arrays_lost == ("wide",)
    assert not rescue.is_complete


def test_other_models_and_other_bytes_are_told() -> None:
    first, second = container(ONE, HEADER), container(TWO, STRANGER, 1)
    rescue = rescued(b"junk", first, second, b"\n", second[38:], first)
    payloads, _, _, header = read(rescue)
    assert (payloads, header) == (ONE * 2, HEADER)
    at = 4 + len(first)
    told = rescue.as_dict()
    (stranger, rest) = told["not_saved"]
    assert stranger == {
        "begin": at,
        "end": at + len(second),
        "images": 139,
        "model_hash": bytes(16).hex(),
        "reason": OTHER_MODEL,
    }
    assert (rest["begin"], rest["end"]) == (stranger["end"], stranger["end"] + 1 + len(second) - 38)
    assert told["other_bytes"] == [{"begin": 0, "end": 4}]
    assert not told["complete"]
    behind = rescued(first, b"\n" * 100)
    assert behind.is_complete
    assert behind.as_dict()["other_bytes"] == [{"begin": len(first), "end": len(first) + 100}]
    assert "files" not in behind.as_dict()


def test_lost_images_are_told_by_their_file() -> None:
    damaged = bytearray(container(TWO, HEADER))
    damaged[60] ^= 1
    rescue = rescued(container(ONE, HEADER)[:-40], bytes(damaged), container(ONE, HEADER)[:50])
    told = rescue.as_dict()
    assert told["lost"] == [
        {"first": 4, "last": None, "count": None, "file": 0},
        {"first": 0, "last": 1, "count": 2, "file": 1},
    ]
    assert told["images_before"] is None
    assert told["damaged"] == ["groups", "index"]
    assert told["names"] == "lost"
    (nothing,) = told["not_saved"]
    assert "no complete group of images is left" in nothing["reason"]
    assert not rescue.is_complete


def test_a_first_file_of_which_nothing_is_left() -> None:
    rescue = rescued(container(TWO, HEADER)[:60], container(ONE, STRANGER))
    assert read(rescue)[3] == STRANGER
    assert not rescue.is_complete
    with pytest.raises(InputError, match=r"^recvae data: no complete group of images is left"):
        rescued(container(TWO, HEADER)[:60], container(TWO, STRANGER)[:70])


@pytest.mark.parametrize("header", [HEADER, SECOND])
@pytest.mark.parametrize("is_cut", [True, False])
def test_no_image_gets_the_name_of_another(header: Header, is_cut: bool) -> None:
    """The end of a file is lost with the header of the next, whose index tells of its own alone."""
    sizes = random.Random(0)
    groups = [sizes.randbytes(sizes.randint(8, 90)) for _ in range(12)]
    truth = [f"{letter}{number}" for letter in "ab" for number in range(12)]
    files = []
    for letter, payloads in (("a", groups[:6]), ("b", groups[6:])):
        stream = io.BytesIO()
        writer = ContainerWriter(stream, header)
        for payload in payloads:
            writer.add_group(payload, 2)
        arrays = {"labels": [f"{letter}{i}" for i in range(12)]} if header.version > 1 else {}
        writer.finish(names(12, letter), arrays)
        files.append(stream.getvalue())
    data, border = b"".join(files), len(files[0])
    before = [0, 20, 45, 110, 190, 250, 300]
    for first, behind in itertools.product(before, [30, 40, 90, 160, 240]):
        begin, end = max(border - 30 - first, 60), border + behind
        damaged = data[:begin] + (b"" if is_cut else bytes(end - begin)) + data[end:]
        rescue = rescued(damaged)
        images = [2 * groups.index(one.streams[0]) + i for one in _groups(rescue) for i in (0, 1)]
        for image, name in zip(images, rescue.names or (), strict=rescue.names is not None):
            assert name == f"{truth[image]}.png" or name.startswith("salvaged-")
        labels = rescue.arrays.get("labels")
        assert labels is None or list(labels) == [truth[image] for image in images]
        assert rescue.num_images is None or rescue.num_images >= len(images)
        lost = rescue.as_dict()["lost"]
        assert any(entry["count"] is None for entry in lost) or (
            sum(entry["count"] for entry in lost) == 24 - len(images)
        )
        assert not rescue.is_complete


def test_names_may_be_lost_that_the_index_does_not_know_of() -> None:
    """Those were of the first file; the index is that of the second, which has none."""
    first, second = container(TWO, HEADER, names=names(140)), container(ONE, HEADER)
    assert rescued(first[:-40] + second[60:]).as_dict()["names"] == "lost"
    assert rescued(first[:-40] + second).as_dict()["names"] == "lost"


def test_a_file_of_which_the_header_is_left_is_not_passed_over() -> None:
    """The next has lost its header and nothing else."""
    for header in (HEADER, SECOND):
        first, second = (
            container(payloads, header, 2, names(n)) for payloads, n in ((ONE, 6), (TWO, 140))
        )
        rescue = rescued(first[:38], bytes(len(first)), second[38:])
        assert rescue.num_recovered == 140
        assert rescue.names == tuple(names(140))
        assert rescue.num_images is None
        assert not rescue.is_complete


def _groups(rescue: Rescue) -> list[Group]:
    return [group for file in rescue.files for group in file.groups()]


SOURCES = [
    (digits(5, 3), container(digits(5, 3), HEADER, 1, names(9))),
    (digits(6, 4), container(digits(6, 4), SECOND, 2)),
    (digits(4, 5), container(digits(4, 5), HEADER, 2)),
]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(SOURCES), st.lists(changes, max_size=2)), min_size=2, max_size=4
    )
)
def test_damaged_files(files: list[tuple[tuple[list[bytes], bytes], list[Change]]]) -> None:
    """Each group that another follows is saved, and all is said to be saved only if it is."""
    counts: dict[bytes, int] = {}
    data, sure, num_images = b"", Counter[bytes](), 0
    for (payloads, whole), damages in files:
        with ContainerReader(whole) as reader:
            counts |= {group.streams[0]: group.num_images for group in reader.groups()}
            spans = [(span.begin, span.end) for span in reader.spans(0)]
            num_images += reader.num_images
        damaged, alive = changed(whole, 38, damages, spans)
        begins = {begin for begin, _ in alive.values()}
        sure.update(payloads[number] for number, (_, end) in alive.items() if end in begins)
        data += damaged

    def check_for(_: Header) -> Check:
        return lambda groups: (counts.get(one.streams[0]) == one.num_images for one in groups)

    try:
        rescue = salvage_files(data, [(HASH, 28, 28)], check_for)
    except InputError:
        assert not sure
        return
    found, images, kept, _ = read(rescue)
    assert [counts[payload] for payload in found] == images
    assert sure <= Counter(found)
    assert not rescue.is_complete or rescue.num_recovered == num_images
    assert kept is None or len(set(kept)) == len(kept)
