"""Every registered format gives back the pixels and the spec that it was given."""

import gzip
import io
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from recvae.errors import InputError
from recvae.images import (
    Images,
    ImageSpec,
    ImageStream,
    image_stream,
    read_images,
    register_format,
    write_chunks,
    write_idx,
    write_images,
)
from recvae.images.formats.registry import FORMATS, picture_formats, pixel_spec
from recvae.images.spec import RGB

PICTURES = [
    pytest.param(known, ending, channels, id=f"{ending}-{channels}")
    for known in picture_formats()
    for ending in known.endings
    for channels in known.channels
]
COLOUR = np.arange(120, dtype=np.uint8).reshape(2, 5, 4, 3)
ARRAYS = ["x.npy", "x.idx", "x.idx.gz", "x-ubyte"]
SPECS = [ImageSpec(4, 6), ImageSpec(4, 6, RGB)]


def pictures(channels: int, max_side: int = 6) -> st.SearchStrategy[np.ndarray]:
    last = (channels,) if channels > 1 else ()
    sides = st.integers(1, max_side)
    return st.tuples(sides, sides).flatmap(lambda size: arrays(np.uint8, (*size, *last)))


@pytest.mark.parametrize(("known", "ending", "channels"), PICTURES)
def test_a_picture_comes_back(known, ending: str, channels: int) -> None:
    @given(pictures(channels))
    @settings(deadline=None, max_examples=20)
    def comes_back(pixels: np.ndarray) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"x{ending.upper()}")
            write_images(path, Images(pixels[None]))
            data = path.read_bytes()
            assert known.matches(data[:16])
            read = read_images(path)
        np.testing.assert_array_equal(read.pixels, pixels[None])
        assert (read.spec.channels, read.names) == (channels, None)
        assert known.look(io.BytesIO(data), "x") == read.spec
        np.testing.assert_array_equal(read_images(io.BytesIO(data)).pixels, pixels[None])

    comes_back()


def test_a_picture_comes_through_a_pipe() -> None:
    for known in picture_formats():
        receiver, sender = os.pipe()
        with open(sender, "wb") as stream:
            stream.write(known.encode(COLOUR[0]))
        with open(receiver, "rb") as stream:
            np.testing.assert_array_equal(read_images(stream).pixels, COLOUR[:1])


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_a_folder_of_any_pictures_comes_back(data: st.DataObject) -> None:
    kinds = [
        (ending, channels)
        for known in picture_formats()
        for ending in known.endings
        for channels in known.channels
    ]
    chosen = data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=8))
    images = [data.draw(pictures(channels, 2)) for _, channels in chosen]
    names = tuple(f"{i} ä{ending}" for i, (ending, _) in enumerate(chosen))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        for name, pixels in zip(names, images, strict=True):
            write_images(source / name, Images(pixels[None]))
        with image_stream(source) as stream:
            assert (stream.count, stream.names) == (len(images), names)
            assert stream.raw_bytes == sum(pixels.size for pixels in images)
            specs = [str(spec) for spec, count in stream.runs for _ in range(count)]
            assert specs == [str(pixel_spec(pixels)) for pixels in images]
            chunks = list(stream.chunks)
            write_chunks(target, stream.runs, chunks, names)
        read = [image for chunk in chunks for image in chunk]
        assert all(map(np.array_equal, read, images))
        for name in names:
            assert (target / name).read_bytes() == (source / name).read_bytes()


def mixed_folder(path: Path) -> tuple[str, ...]:
    """20 grey images of 256 x 256, two of RGB, one of another size; all in PNG but one."""
    big = np.zeros((1, 256, 256), np.uint8)
    for i in range(20):
        write_images(path / f"{i:02}.png", Images(big))
    write_images(path / "20.png", Images(COLOUR[:1]))
    write_images(path / "21.webp", Images(COLOUR[1:]))
    write_images(path / "22.tiff", Images(big[:, :7]))
    return tuple(sorted(entry.name for entry in path.iterdir()))


def test_a_mixed_folder_is_read_a_megabyte_at_a_time(tmp_path: Path) -> None:
    names = mixed_folder(tmp_path)
    with image_stream(tmp_path) as images:
        assert [(str(s), n) for s, n in images.runs] == [
            ("256 × 256", 20),
            ("5 × 4 RGB", 2),
            ("7 × 256", 1),
        ]
        assert (images.count, images.spec, images.names) == (23, None, names)
        with pytest.raises(InputError) as error:
            _ = images.shape
        assert str(error.value) == (
            f"{tmp_path}: images differ in size: 00.png is 256 × 256 and 20.png is 5 × 4 RGB; "
            "give one folder per size"
        )
        shapes = [chunk.shape for chunk in images.chunks]
    assert shapes == [(16, 256, 256), (4, 256, 256), (2, 5, 4, 3), (1, 7, 256)]
    with pytest.raises(InputError, match=r"00.png is 256 × 256 and 20.png is 5 × 4 RGB"):
        read_images(tmp_path)


@pytest.mark.parametrize("output", [*ARRAYS, "x.png", pytest.param(io.BytesIO(), id="stream")])
def test_mixed_images_need_a_folder(tmp_path: Path, output: str | io.BytesIO) -> None:
    (tmp_path / "in").mkdir()
    mixed_folder(tmp_path / "in")
    target = tmp_path / output if isinstance(output, str) else output
    with (
        image_stream(tmp_path / "in") as images,
        pytest.raises(InputError, match="use a folder"),
    ):
        write_chunks(target, images.runs, images.chunks, images.names)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    write_images(tmp_path / "x", Images(COLOUR))
    with image_stream(tmp_path / "x") as images:
        write_images(tmp_path / "x" / "00001.png", Images(COLOUR[:1, ..., 0]), force=True)
        with pytest.raises(InputError, match=r"00001.png: is 5 × 4 and was 5 × 4 RGB: it changed"):
            list(images.chunks)


@pytest.mark.parametrize("output", ARRAYS)
def test_arrays_of_colour_are_read_where_said_so(tmp_path: Path, output: str) -> None:
    path, grey = tmp_path / output, tmp_path / f"grey-{output}"
    write_images(path, Images(COLOUR))
    write_images(grey, Images(COLOUR[..., 0]))
    np.testing.assert_array_equal(read_images(path, channels=3).pixels, COLOUR)
    np.testing.assert_array_equal(read_images(grey).pixels, COLOUR[..., 0])
    with pytest.raises(InputError, match=r"pass channels 3 \(--channels 3\) if the last"):
        read_images(path)
    with pytest.raises(InputError, match=r"not \(n, height, width, 3\)|where images have 4"):
        read_images(grey, channels=3)
    with pytest.raises(InputError, match="channels: 5, must be 1 to 4"):
        read_images(path, channels=5)
    path.write_bytes(path.read_bytes()[:-9] if not output.endswith("gz") else b"")
    with pytest.raises(InputError, match=r"2 images of 5 × 4 RGB pixels, 120 bytes|empty"):
        read_images(path, channels=3)


def test_arrays_of_one_colour_image_and_in_fortran_order(tmp_path: Path) -> None:
    for array in (COLOUR[0], np.asfortranarray(COLOUR[0]), np.asfortranarray(COLOUR)):
        np.save(tmp_path / "x.npy", array)
        expected = array if array.ndim == 4 else array[None]
        np.testing.assert_array_equal(read_images(tmp_path / "x.npy", 3).pixels, expected)
    np.save(tmp_path / "x.npy", COLOUR[0])  # which are 5 grey images of 4 × 3 where nothing is said
    assert read_images(tmp_path / "x.npy").spec == ImageSpec(4, 3)
    np.save(tmp_path / "x.npy", COLOUR[..., :2])
    for channels, message in (
        (3, r", width, 3\): pass channels 2"),
        (1, r"width\): pass channels 2"),
    ):
        with pytest.raises(InputError, match=message):
            read_images(tmp_path / "x.npy", channels)


def test_an_idx_of_colour_is_one_of_four_dimensions(tmp_path: Path) -> None:
    write_idx(tmp_path / "x.gz", COLOUR)
    data = gzip.decompress((tmp_path / "x.gz").read_bytes())
    assert data[:20] == b"\0\0\x08\x04" + b"".join(n.to_bytes(4, "big") for n in COLOUR.shape)
    assert data[20:] == COLOUR.tobytes()
    write_chunks(stream := io.BytesIO(), ((Images(COLOUR).spec, len(COLOUR)),), [COLOUR])
    assert stream.getvalue() == data
    for cut, message in ((18, "idx header of 20 bytes"), (10, "idx header of 20 bytes")):
        with pytest.raises(InputError, match=message):
            read_images(io.BytesIO(data[:cut]), 3)
    with pytest.raises(InputError, match=r"has shape \(2, 5, 4, 2\), not .*, width, 3\)"):
        read_images(io.BytesIO(data[:19] + b"\2" + data[20:]), 3)


def test_webp_holds_no_grey(tmp_path: Path) -> None:
    grey = Images(COLOUR[:1, ..., 0], ("a.webp",))
    for output, where in (("x.webp", "x.webp"), ("x", "x/a.webp")):
        with pytest.raises(InputError, match=f"{where}: WebP has no grey pictures: choose another"):
            write_images(tmp_path / output, grey)
    wide = np.zeros((1, 1, 16384, 3), np.uint8)
    with pytest.raises(InputError, match=r"x.webp: a WebP cannot hold 1 × 16384 RGB pixels"):
        write_images(tmp_path / "x.webp", Images(wide))
    assert not list(tmp_path.iterdir())
    Image.fromarray(COLOUR[0]).save(tmp_path / "lossy.webp", quality=5)
    assert read_images(tmp_path / "lossy.webp").spec == ImageSpec(5, 4, RGB)


def test_force_replaces_pictures_of_the_formats_that_are_written(tmp_path: Path) -> None:
    out, kinds = tmp_path / "out", Images(COLOUR, ("a.tif", "b.bmp"))
    write_images(out, kinds)
    write_images(out, Images(COLOUR, ("c.bmp", "d.TIFF")), force=True)
    with pytest.raises(
        InputError, match=r"holds .*, which is not a PNG: --force replaces only a folder of"
    ):
        write_images(out, Images(COLOUR), force=True)
    (out / "notes.txt").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"not a TIFF or BMP: .* only a folder of TIFFs or BMPs"):
        write_images(out, kinds, force=True)
    assert sorted(entry.name for entry in out.iterdir()) == ["c.bmp", "d.TIFF", "notes.txt"]


@pytest.mark.parametrize(
    ("runs", "names", "message"),
    [
        ((), None, "need at least one image in each"),
        (((SPECS[0], 2), (SPECS[1], 0)), None, "need at least one image in each"),
        (((SPECS[0], -1),), None, "need at least one image in each"),
        (((SPECS[0], 2), (SPECS[0], 1)), None, "need consecutive specs to differ"),
        (((SPECS[0], 2), (SPECS[1], 1)), ("a.png", "b.png"), "2 names for 3 images"),
    ],
)
def test_runs_are_checked(runs: tuple, names: tuple[str, ...] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageStream(runs, iter(()), names)


def test_a_stream_without_names_numbers_its_images() -> None:
    empty = ImageStream(((SPECS[1], 0),), iter(()))
    assert (empty.count, empty.shape, empty.raw_bytes) == (0, (0, 4, 6, 3), 0)
    mixed = ImageStream(((SPECS[0], 7), (SPECS[1], 1), (SPECS[0], 1)), iter(()))
    assert mixed.raw_bytes == 7 * 24 + 72 + 24
    with pytest.raises(InputError, match=r"^images: .* image 0 is 4 × 6 and image 7 is 4 × 6 RGB;"):
        _ = mixed.shape


def test_chunks_keep_to_the_runs(tmp_path: Path) -> None:
    grey, colour = np.zeros((2, 4, 6), np.uint8), np.zeros((1, 4, 6, 3), np.uint8)
    runs = ((SPECS[0], 2), (SPECS[1], 1))
    for chunks in ([grey], [grey, grey], [colour, grey], [grey[:1], colour], [grey, colour, grey]):
        with pytest.raises(ValueError, match=r"a chunk of uint8|too few images"):
            write_chunks(tmp_path / "x", runs, chunks)
    assert not list(tmp_path.iterdir())
    write_chunks(tmp_path / "x", runs, [grey[:1], grey[:0], grey[1:], colour])
    assert len(list((tmp_path / "x").iterdir())) == 3


def test_names_and_endings_of_formats_are_taken_once() -> None:
    png = FORMATS["PNG"]
    with pytest.raises(ValueError, match="name: got 'PNG', need one that is not taken"):
        register_format(png)
    with pytest.raises(ValueError, match=r"endings: got '.png', need endings that are not taken"):
        register_format(replace(png, name="PNG again"))
