"""Golden files of version 2 decode as ever, by both decoders."""

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from golden.make_version_2 import SEVERAL, V2, described, groups, plain, written
from recvae.codec import IMAGE_CODERS, Codec
from recvae.codec.container import ContainerReader, Group, Header
from recvae.codec.container.compact import unpack_compact
from recvae.images.spec import ImageSpec
from spec import version_2

FORMAT = Path(__file__).parents[2] / "docs/format.md"
EXPECTED = json.loads((V2 / "groups.json").read_text())
FILES = [V2 / f"{name}.recvae" for name in EXPECTED]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_both_decoders_find_every_group(file: Path) -> None:
    expected = EXPECTED[file.stem]
    with ContainerReader(file) as reader:
        reader.verify()
        assert described(map(plain, reader.groups())) == expected
        arrays = reader.arrays
    header, some, written = groups()[file.stem]
    assert reader.header == header
    assert described(map(plain, some)) == expected
    read = version_2.read(file.read_bytes())
    assert described(read.groups) == expected
    assert arrays.keys() == read.arrays.keys() == written.keys()
    for name, array in written.items():
        assert np.array_equal(arrays[name], array)
        assert np.array_equal(read.arrays[name], array)


def test_compact_payload() -> None:
    data = (V2 / "layers.compact").read_bytes()
    assert described(map(plain, unpack_compact(data, SEVERAL))) == EXPECTED["layers"]
    spec = version_2.Spec(*EXPECTED["layers"][0]["spec"])
    assert described(version_2.compact(data, SEVERAL.models, spec, 2)) == EXPECTED["layers"]


@pytest.fixture
def coder() -> Iterator[Codec]:
    kept = dict(IMAGE_CODERS)
    toy = runpy.run_path(str(Path(__file__).parents[1] / "extending" / "stored.py"))
    yield Codec(toy["Stored"]())
    IMAGE_CODERS.clear()
    IMAGE_CODERS.update(kept)


def test_images_of_the_stored_only_coder(coder: Codec) -> None:
    for name in ("mixed", "many", "empty"):
        _, some, _ = groups()[name]
        spec_images = version_2.stored(version_2.read((V2 / f"{name}.recvae").read_bytes()).groups)
        with coder.open(V2 / f"{name}.recvae") as images:
            assert len(images) == len(spec_images) == sum(group.num_images for group in some)
            for ours, theirs in zip(images, spec_images, strict=True):
                assert np.array_equal(ours, theirs)
            if name == "many":
                for index in (0, 1, 131, 258):
                    assert np.array_equal(images[index], spec_images[index])


def test_worked_example() -> None:
    """Both decoders read docs/format.md's file; we write the same, but for zlib's choices."""
    dump = re.search(r"```hexdump-2\n(.*?)```", FORMAT.read_text(), re.DOTALL)[1]
    data = b""
    for line in dump.splitlines():
        offset, numbers = re.fullmatch(r"([0-9a-f]{4})  ((?:[0-9a-f]{2} )+) +\S.*", line).groups()
        assert int(offset, 16) == len(data), line
        data += bytes.fromhex(numbers)
    header = Header(bytes(range(16)), 2, 3, 2, version=2)
    streams = (b"\6", bytes(range(12)), b"", b"\7\10")
    some = [
        Group(2, header.spec, (bytes([1, 2, 3, 4, 5]),)),
        Group(1, ImageSpec(2, 4, 3), streams, layers=2, tile=(2, 2)),
    ]
    with ContainerReader(data) as reader:
        reader.verify()
        assert list(reader.groups()) == some
        assert reader.arrays["labels"].tolist() == [7, 8, 9]
    second = version_2.read(data)
    assert second.groups == list(map(plain, some))
    assert second.arrays["labels"].tolist() == [7, 8, 9]
    assert written(header, some, {"labels": np.array([7, 8, 9], np.uint8)})[:0x6B] == data[:0x6B]
