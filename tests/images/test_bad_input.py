"""Each bad input is told in one line that names it; what is wrong never becomes an output."""

import gzip
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from images.files import GOOD_PNG, RGB_HEADER, SMALL, idx, npy, npy_header, png, png_from
from recvae.errors import InputError
from recvae.images import Images, image_stream, read_images, write_chunks, write_images
from recvae.images.formats.png import encode_png

BAD_FILES = {
    "empty": (b"", "empty file"),
    "unknown": (
        b"GIF89a..",
        "unknown kind of file; pass an idx file, a .npy array, a PNG, a WebP,",
    ),
    "idx truncated": (idx(2, 3, 4, data=bytes(23)), "truncated: .* 2 images of 3 × 4 .* 23 follow"),
    "idx trailing": (
        idx(2, 3, 4, data=bytes(25)),
        "extra bytes follow the 2 images of 3 × 4 pixels",
    ),
    "idx of none, trailing": (idx(0, 3, 4, data=b"\0"), "extra bytes follow the 0 images"),
    "idx header": (idx(2, 3), "truncated within the idx header"),
    "idx magic": (gzip.compress(idx(2, 3, 4, zeros=1)), "unknown kind of file"),
    "idx type": (idx(2, 3, 4, kind=13, data=bytes(96)), "holds float32, not unsigned bytes"),
    "idx type unknown": (idx(2, 3, 4, kind=7), "holds type 7, not unsigned bytes"),
    "idx labels": (idx(12, data=bytes(12)), "has 1 dimension.*file of labels"),
    "idx absurd": (idx(2**32 - 1, 2**32 - 1, 2**32 - 1), "truncated: its header states"),
    "idx none": (idx(3, 0, 28), "holds no pixels"),
    "idx none, absurd": (idx(0, 2**32 - 1, 2**32 - 1), "holds no pixels"),
    "gz none, absurd": (gzip.compress(idx(2**32 - 1, 0, 2**32 - 1)), "holds no pixels"),
    "gz truncated": (
        gzip.compress(idx(2, 3, 4, data=bytes(24)))[:-3],
        "incomplete or damaged gzip file",
    ),
    "gz damaged": (gzip.compress(idx(2, 3, 4, data=SMALL.tobytes()))[:-8] + bytes(8), "CRC"),
    "gz of truncated": (gzip.compress(idx(2, 3, 4, data=bytes(23))), "truncated"),
    "gz trailing": (gzip.compress(idx(2, 3, 4, data=bytes(25))), "bytes follow"),
    "gz of npy behind npy": (2 * gzip.compress(npy(SMALL)), "extra bytes follow the 2 images"),
    "gz behind": (gzip.compress(idx(0, 3, 4)) + b"x", "incomplete or damaged gzip file"),
    "gz of npy, behind": (gzip.compress(npy(SMALL)) + b"x", "incomplete or damaged gzip file"),
    "gz behind padding": (gzip.compress(npy(SMALL)) + b"\0\0x", "incomplete or damaged gzip file"),
    "gz absurd": (gzip.compress(idx(2**32 - 1, 2**32 - 1, 2)), "truncated: its header states"),
    "npy float": (npy(SMALL / 255), "holds float64, but pixels must be uint8"),
    "npy objects": (npy(np.array([None])), "holds object, but pixels must be uint8"),
    "npy dimensions": (npy(SMALL[None]), r"has shape \(1, 2, 3, 4\), not \(n, height, width\)"),
    "npy scalar": (npy(SMALL[0, 0, 0]), r"has shape \(\)"),
    "npy none": (npy(SMALL[:, :0]), "holds no pixels"),
    "npy truncated": (npy(SMALL)[:-1], "truncated: .* 2 images of 3 × 4 .* 23 follow"),
    "npy trailing": (npy(SMALL) + b"\0", "extra bytes follow the 2 images"),
    "npy behind npy": (2 * npy(SMALL), "extra bytes follow the 2 images"),
    "npy in Fortran order, trailing": (
        npy(np.asfortranarray(SMALL)) + b"\0",
        "extra bytes follow the 2",
    ),
    "npy of none, trailing": (npy(SMALL[:0]) + b"\0", "extra bytes follow the 0 images"),
    "npy version": (b"\x93NUMPY\x04\x00" + bytes(20), "not a readable .npy array .version 4.0"),
    "npy negative": (npy_header("(-2, 3, 4)"), "not a readable .npy array .shape"),
    "npy header": (b"\x93NUMPY\x01\x00\x05\x00((((\n", "not a readable .npy array"),
    "png 16 bit": (png("I;16"), "16-bit grey; 8-bit grey and RGB, with"),
    "png animated": (
        png("L", save_all=True, append_images=[Image.new("L", (4, 3), 1)]),
        "animated grey; 8-bit grey and",
    ),
    "png truncated": (GOOD_PNG[:50], "damaged PNG file"),
    "png damaged": (GOOD_PNG[:45] + b"\x99" + GOOD_PNG[46:], "damaged PNG file"),
    "png checksum": (GOOD_PNG[:-13] + b"\x99" + GOOD_PNG[-12:], "damaged PNG file"),
    "png without a row": (png_from(bytes(10)), "damaged PNG file"),
    "png with a row more": (png_from(bytes(20)), "damaged PNG file"),
    "png absurd": (png_from(bytes(15), 13000, 13000, 8, 0, 0, 0, 0), "damaged PNG file"),
    "png bomb": (
        png_from(bytes(20 << 20), 20000, 20000, 8, 0, 0, 0, 0),
        "beyond the limit of 268435456",
    ),
    "png with two headers": (png_from(bytes(15), before=RGB_HEADER), "damaged PNG file"),
    "png of unknown colour": (png_from(bytes(15), 7, 0, 0, 0), "8-bit unknown; 8-bit grey"),
    "png of unknown interlace": (png_from(bytes(15), 2), "damaged PNG file"),
    "png interlaced and short": (png_from(bytes(15), 1), "damaged PNG file"),
    "png header": (GOOD_PNG[:12], "not a PNG file"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_told_by_name(tmp_path: Path, kind: str) -> None:
    data, message = BAD_FILES[kind]
    (tmp_path / "input").write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        read_images(tmp_path / "input")
    assert str(error.value).startswith(f"{tmp_path / 'input'}: ")
    assert "\n" not in str(error.value)
    receiver, sender = os.pipe()
    with open(sender, "wb") as stream:
        stream.write(data)
    with open(receiver, "rb") as stream, pytest.raises(InputError, match=message):
        read_images(stream)


def test_what_shows_late_comes_after_the_images(tmp_path: Path) -> None:
    large = np.random.default_rng(0).integers(0, 256, (2, 1024, 1024), np.uint8)
    data = gzip.compress(idx(*large.shape, data=large.tobytes()))
    (tmp_path / "x.gz").write_bytes(data[:-8] + bytes(8))
    with image_stream(tmp_path / "x.gz") as images:
        np.testing.assert_array_equal(next(images.chunks), large[:1])
        with pytest.raises(
            InputError, match=r"x.gz: incomplete or damaged gzip file \(CRC check failed"
        ):
            list(images.chunks)


def test_gzip_may_be_of_several_members_and_padded() -> None:
    for data in (idx(2, 3, 4, data=SMALL.tobytes()), npy(SMALL), npy(np.asfortranarray(SMALL))):
        first, second = gzip.compress(data[:30]), gzip.compress(data[30:])
        for file in (first + second, first + bytes(5) + second + bytes(512)):
            np.testing.assert_array_equal(read_images(io.BytesIO(file)).pixels, SMALL)


@pytest.mark.parametrize("ending", [".npy", ".idx.gz", ".ppm"])
def test_a_file_that_is_written_to_while_it_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    write_images(path, Images(SMALL[:1]))
    with open(path, "rb") as stream:
        for source in (path, stream):
            with image_stream(source) as images:
                with open(path, "r+b") as file:
                    file.write(path.read_bytes())
                os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))  # clocks may be coarse
                with pytest.raises(InputError, match=f"x{ending}: changed while being read: try"):
                    list(images.chunks)
    with image_stream(path) as images:
        write_images(path, Images(SMALL[1:]), force=True)  # takes the name of what is read on
        np.testing.assert_array_equal(next(images.chunks), SMALL[:1])
        assert not list(images.chunks)


def test_an_interlaced_png(tmp_path: Path) -> None:
    pixels = SMALL[0]
    passes = [pixels[:1, :1], pixels[:1, 2:3], pixels[2:, ::2], pixels[::2, 1::2], pixels[1:2]]
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    (tmp_path / "a.png").write_bytes(png_from(rows, 1))
    assert np.array_equal(read_images(tmp_path / "a.png").pixels[0], pixels)


@given(
    original=st.sampled_from(["x.npy", "x.idx", "x.idx.gz", "x.png"]),
    place=st.integers(0, 10**6),
    change=st.integers(1, 255),
    cut=st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_damage_raises_nothing_but_input_errors(
    original: str, place: int, change: int, cut: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / original
        write_images(path, Images(SMALL[:1]))
        data = bytearray(path.read_bytes())
        place %= len(data)
        data[place] ^= change
        path.write_bytes(data[:place] if cut else data)
        with suppress(InputError):
            read_images(path)


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing: No such file or directory"):
        read_images(tmp_path / "missing")
    with pytest.raises(InputError, match="neither a regular file nor a folder"):
        read_images("/dev/null")


def bad_folders() -> Iterator[tuple[str, dict[str, bytes], str]]:
    other = encode_png(SMALL[0].T)
    yield "empty", {}, "no PNGs, .* or QOIs in this folder"
    yield "hidden", {".DS_Store": b""}, "no PNGs, .* or QOIs in this folder"
    yield (
        "text",
        {"a.png": GOOD_PNG, "notes.txt": b""},
        "holds files other than PNG, WebP, TIFF, BMP, PPM or QOI: notes.txt",
    )
    yield "many", {f"{i}.jpg": b"" for i in range(5)}, r"0.jpg, 1.jpg, 2.jpg and 2 more"
    yield (
        "nested",
        {"a.png": GOOD_PNG, "sub/b.png": GOOD_PNG},
        "holds files other than PNG, .* or QOI: sub",
    )
    yield "mixed", {"a.png": GOOD_PNG, "b.png": other}, r"a.png is 3 × 4 and b.png is 4 × 3"
    yield "disguised", {"a.png": b"no"}, r"a.png: not a PNG file"
    yield "colour", {"a.png": png("I;16")}, r"a.png: a PNG of kind 16-bit grey"
    yield (
        "line end",
        {"a.png": GOOD_PNG, "b\nc": b""},
        r"holds files other than PNG, .* or QOI: b\\nc$",
    )
    yield "half a character", {"\udc80.png": b""}, r"\\udc80.png: not a PNG file$"
    yield "name", {"a\\b.png": GOOD_PNG}, r"is not a bare file name"


@pytest.mark.parametrize(
    ("files", "message"), [pytest.param(*b[1:], id=b[0]) for b in bad_folders()]
)
def test_a_bad_folder_names_the_file(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_images(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("../a.png", "b.png"), "not a bare file name"),
        (("/etc/a.png", "b.png"), "not a bare file name"),
        (("a\\b.png", "b.png"), "not a bare file name"),
        (("a\0.png", "b.png"), "not a bare file name"),
        ((".a.png", "b.png"), "begins with a dot"),
        (("..", "b.png"), "begins with a dot"),
        (("", "b.png"), "does not end in .png"),
        (("a.sh", "b.png"), "does not end in .png"),
        (("\udc80.png", "b.png"), "not valid Unicode"),
        (("a" * 252 + ".png", "b.png"), "longer than 255 bytes"),
        (("a.png", "a.png"), "'a.png' occurs 2 times"),
        (("a.png",), "1 names for 2 images"),
    ],
)
def test_bad_names_are_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Images(SMALL, names)
    with pytest.raises(InputError, match=message):
        write_chunks(tmp_path / "out", ((Images(SMALL).spec, len(SMALL)),), [SMALL], names)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("x.png", "one PNG cannot hold 2 images: use a folder name"),
        (
            "x.jpg",
            "cannot write this kind; use .idx, .npy, .png, .webp, .tif, .bmp, .ppm, .qoi or",
        ),
        ("x.png.gz", "cannot write this kind"),
        ("x.txt", r"if this is a folder, write it as .*/x.txt/$"),
        ("x.recvae", "cannot write this kind"),
        ("digits.RAW", "cannot write this kind"),
        ("x.jp2", "cannot write this kind"),
        ("x.npy.bz2", "cannot write this kind"),
    ],
)
def test_bad_output_names_are_refused(tmp_path: Path, output: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_images(tmp_path / output, Images(SMALL))
    assert not list(tmp_path.iterdir())
