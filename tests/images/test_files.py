"""Every kind of input and output comes back as it was."""

import gzip
import io
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import recvae.data
from recvae.errors import InputError
from recvae.images import (
    Images,
    default_names,
    image_stream,
    read_images,
    regroup,
    sample_images,
    write_chunks,
    write_idx,
    write_images,
)

OUTPUTS = ["x.npy", "x-ubyte", "x.idx", "x.IDX3", "x.npy.gz", "x-ubyte.gz", "x.IDX.GZ", "x.idx3.gz"]
OUTPUTS += ["folder"]
IMAGES = arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=5))
STEM = st.text(st.characters(codec="utf-8", categories=["L", "N", "Zs", "P"]), min_size=1)
SMALL = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@given(pixels=IMAGES, output=st.sampled_from(OUTPUTS))
@settings(deadline=None, max_examples=60)
def test_images_come_back(pixels: np.ndarray, output: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / output
        write_images(path, Images(pixels))
        read = read_images(path)
        np.testing.assert_array_equal(read.pixels, pixels)
        assert read.names == (default_names(len(pixels)) if output == "folder" else None)
        assert [entry.name for entry in Path(folder).iterdir()] == [output]


@given(pixels=IMAGES.map(lambda pixels: pixels[:1]))
@settings(deadline=None, max_examples=20)
def test_one_image_comes_back_from_a_png(pixels: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder) / "x.png", Images(pixels))
        np.testing.assert_array_equal(read_images(Path(folder) / "x.png").pixels, pixels)


class SevenAtOnce(io.RawIOBase):
    """A raw stream that can seek, whose reads are short."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def readinto(self, buffer) -> int:
        return self._stream.readinto(memoryview(buffer)[:7])


@pytest.mark.parametrize("name", ["x.idx", "x.npy", "x.idx.gz", "x.png"])
def test_short_reads_are_no_end(tmp_path: Path, name: str) -> None:
    images = Images(np.arange(60, dtype=np.uint8).reshape(1, 6, 10))
    write_images(tmp_path / name, images)
    stream = SevenAtOnce((tmp_path / name).read_bytes())
    np.testing.assert_array_equal(read_images(stream).pixels, images.pixels)


@given(stems=st.sets(STEM.filter(lambda stem: not set(stem) & set("/\\") and stem[0] != ".")))
@settings(deadline=None, max_examples=30)
def test_names_come_back(stems: set[str]) -> None:
    names = tuple(sorted({stem.casefold()[:30] + ".png" for stem in stems} | {"a.PNG"}))
    with tempfile.TemporaryDirectory() as folder:
        pixels = np.arange(len(names), dtype=np.uint8).reshape(-1, 1, 1)
        write_images(Path(folder) / "out", Images(pixels, names))
        read = read_images(Path(folder) / "out")
    assert read.names == names
    np.testing.assert_array_equal(read.pixels, pixels)


@pytest.mark.parametrize("name", ["digits.v2", "2024.11.28", "mnist-0.3", "a.b c", ".out", "x.h"])
def test_a_dot_makes_no_file_of_a_folder(tmp_path: Path, name: str) -> None:
    write_images(tmp_path / name, Images(SMALL))
    np.testing.assert_array_equal(read_images(tmp_path / name).pixels, SMALL)


@pytest.mark.parametrize("name", ["out.txt", "out.png", "out.npy"])
def test_a_slash_makes_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    write_images(f"{tmp_path / name}/", Images(SMALL))
    assert [path.name for path in sorted((tmp_path / name).iterdir())] == [*default_names(2)]


def test_a_folder_that_is_there_may_be_called_as_files_are(tmp_path: Path) -> None:
    (tmp_path / "out.txt").mkdir()
    with pytest.raises(InputError, match="exists: pass --force"):
        write_images(tmp_path / "out.txt", Images(SMALL))
    write_images(tmp_path / "out.txt", Images(SMALL), force=True)
    np.testing.assert_array_equal(read_images(tmp_path / "out.txt").pixels, SMALL)


def test_names_with_colons_come_back_but_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Images(SMALL, ("12:30.png", "C:b.png"))
    if os.name != "nt":
        write_images(tmp_path / "out", given)
        assert read_images(tmp_path / "out").names == given.names
    monkeypatch.setattr("recvae.images.names._ON_WINDOWS", True)
    with pytest.raises(InputError, match=r"'12:30.png' has a colon, .* write an array"):
        write_images(tmp_path / "new", given)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("output", OUTPUTS)
def test_chunks_make_the_same_file(tmp_path: Path, output: str) -> None:
    pixels = sample_images()[:10]
    for name, size in (("whole", 10), ("parts", 3)):
        (tmp_path / name).mkdir()
        chunks = (pixels[start : start + size] for start in range(0, 10, size))
        write_chunks(tmp_path / name / output, ((Images(pixels).spec, len(pixels)),), chunks)
    whole, parts = (sorted((tmp_path / name).rglob("*.*")) for name in ("whole", "parts"))
    assert [p.read_bytes() for p in whole if p.is_file()] == [
        p.read_bytes() for p in parts if p.is_file()
    ]


@pytest.mark.parametrize("chunks", [[SMALL[:1]], [SMALL, SMALL], [SMALL[:, :2]], [SMALL + 0.0]])
@pytest.mark.parametrize("output", ["x.npy", "x.idx", "folder"])
def test_chunks_of_another_shape_make_no_file(tmp_path: Path, chunks: list, output: str) -> None:
    with pytest.raises(ValueError, match=r"images for a file|a chunk of"):
        write_chunks(tmp_path / output, ((Images(SMALL).spec, len(SMALL)),), chunks)
    assert not list(tmp_path.iterdir())


def test_a_kind_is_told_by_content_from_files_and_pipes(tmp_path: Path) -> None:
    for name in ("x.npy", "x.idx", "x.idx.gz"):
        write_images(tmp_path / name, Images(SMALL))
        data = (tmp_path / name).read_bytes()
        (tmp_path / "anything").write_bytes(data)
        np.testing.assert_array_equal(read_images(tmp_path / "anything").pixels, SMALL)
        receiver, sender = os.pipe()
        with open(sender, "wb") as stream:
            stream.write(data)
        with open(receiver, "rb") as stream:
            np.testing.assert_array_equal(read_images(stream).pixels, SMALL)


def test_an_array_in_any_order_and_under_gzip(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(SMALL))
    (tmp_path / "x.npy.gz").write_bytes(gzip.compress((tmp_path / "x.npy").read_bytes()))
    for name in ("x.npy", "x.npy.gz"):
        np.testing.assert_array_equal(read_images(tmp_path / name).pixels, SMALL)


@pytest.mark.parametrize("output", ["x.npy", "x.idx", "x.idx.gz", "folder"])
def test_images_come_in_chunks_of_a_megabyte(tmp_path: Path, output: str) -> None:
    large = np.zeros((40, 256, 256), np.uint8)
    write_images(tmp_path / output, Images(large))
    with image_stream(tmp_path / output) as images:
        assert images.shape == large.shape
        assert [len(chunk) for chunk in images.chunks] == [16, 16, 8]


def test_an_open_input_is_read_on_while_it_is_replaced(tmp_path: Path) -> None:
    write_images(tmp_path / "x.idx", Images(SMALL))
    with image_stream(tmp_path / "x.idx") as images:
        write_images(tmp_path / "x.idx", Images(SMALL + 1), force=True)
        np.testing.assert_array_equal(np.concatenate(list(images.chunks)), SMALL)
    np.testing.assert_array_equal(read_images(tmp_path / "x.idx").pixels, SMALL + 1)


@given(st.lists(st.integers(0, 9)), st.integers(1, 12))
def test_regrouped_images_are_the_same(lengths: list[int], size: int) -> None:
    pixels = np.arange(sum(lengths)).reshape(-1, 1, 1)
    chunks = np.split(pixels, np.cumsum(lengths))
    groups = list(regroup(chunks, size))
    assert all(len(group) == size for group in groups[:-1])
    assert all(0 < len(group) <= size for group in groups[-1:])
    np.testing.assert_array_equal(np.concatenate([pixels[:0], *groups]), pixels)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9))), st.integers(1, 5))
def test_no_group_mixes_shapes(chunks: list[tuple[int, int]], size: int) -> None:
    arrays = [np.full((count, width, 1), width) for width, count in chunks]
    groups = list(regroup(arrays, size))
    images = [image.tolist() for array in arrays for image in array]
    assert [image.tolist() for group in groups for image in group] == images
    for group, following in pairwise(groups):
        assert len(group) == size or group.shape[1:] != following.shape[1:]
    assert all(0 < len(group) <= size for group in groups)


def test_an_array_of_two_dimensions_is_one_image(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(SMALL[0]))
    np.testing.assert_array_equal(read_images(tmp_path / "x.npy").pixels, SMALL[:1])


def test_an_array_that_python_2_wrote(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", SMALL)
    data = (tmp_path / "x.npy").read_bytes()
    shape = "({}, {}, {})".format(*SMALL.shape).encode()
    longs = "({}L, {}L, {}L)".format(*SMALL.shape).encode()
    assert data.count(shape) == 1
    (tmp_path / "x.npy").write_bytes(data.replace(shape + b", }   ", longs + b", }"))
    np.testing.assert_array_equal(read_images(tmp_path / "x.npy").pixels, SMALL)


def test_hidden_files_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    write_images(tmp_path / "in", Images(SMALL))
    (tmp_path / "in" / ".DS_Store").write_bytes(b"Finder was here")
    np.testing.assert_array_equal(read_images(tmp_path / "in").pixels, SMALL)


def test_default_names_sort_in_order() -> None:
    names = default_names(100_001)
    assert names[0] == "000000.png"
    assert list(names) == sorted(names)


@pytest.mark.parametrize("ending", [".idx", ".npy"])
def test_compressed_arrays_have_no_time_or_name_in_them(tmp_path: Path, ending: str) -> None:
    plain, *packed = (tmp_path / name for name in (f"x{ending}", f"a{ending}.gz", f"b{ending}.gz"))
    for path in (plain, *packed):
        write_images(path, Images(SMALL))
    first, second = (path.read_bytes() for path in packed)
    assert first == second
    assert first[3:8] == bytes(5)  # no name flag, time 0
    assert gzip.decompress(first) == plain.read_bytes()


def test_write_idx_compresses_by_name(tmp_path: Path) -> None:
    write_idx(tmp_path / "x.gz", SMALL)
    write_images(tmp_path / "x.idx.gz", Images(SMALL))
    assert (tmp_path / "x.gz").read_bytes() == (tmp_path / "x.idx.gz").read_bytes()


def test_samples_are_digits() -> None:
    assert sample_images("train").shape == (500, 28, 28)
    assert sample_images("test").shape == (300, 28, 28)
    assert 30 < sample_images("test").mean() < 36


def test_reading_images_needs_no_torch() -> None:
    code = (
        "import sys, recvae.images, recvae.data; "
        "print({'torch', 'torchvision', 'lightning'} & {*sys.modules})"
    )
    root = Path(recvae.data.__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("set()\n", "")


def test_an_unknown_attribute_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        recvae.data.nonsense  # noqa: B018
