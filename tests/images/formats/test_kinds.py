"""Every kind of picture that 8 bits can express comes as its pixels, alpha included."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from images.files import chunk
from recvae.errors import InputError
from recvae.images import Images, ImageSpec, image_stream, read_images, write_images
from recvae.images.formats.registry import FORMATS, picture_formats

FOUR = np.random.default_rng(0).integers(0, 256, (9, 13, 4)).astype(np.uint8)
FOUR[:4, :, 3] = 0  # where colours stay
BY_CHANNELS = {1: FOUR[..., 0], 2: FOUR[..., 2:], 3: FOUR[..., :3], 4: FOUR}
COLOUR = Image.fromarray(BY_CHANNELS[3].copy())
BITS = COLOUR.convert("1")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def is_read(name: str, data: bytes, expected: np.ndarray) -> None:
    """Check that a file gives these pixels, and a look at it their spec."""
    known = FORMATS[name]
    np.testing.assert_array_equal(known.read(data, "x"), expected, strict=True)
    assert known.look(io.BytesIO(data), "x").shape == expected.shape


@pytest.mark.parametrize("known", picture_formats(), ids=lambda known: known.name)
def test_what_a_format_writes_keeps_its_channels(known) -> None:
    for channels in known.channels:
        pixels = BY_CHANNELS[channels]
        for image in (pixels, np.full_like(pixels, 255), np.zeros_like(pixels)):
            is_read(known.name, known.write(image, "x"), image)


@pytest.mark.parametrize("colours", [2, 3, 5, 16, 200])  # indices of 1, 2, 4, 4, 8 bits in PNG
def test_a_palette_is_rgb(colours: int) -> None:
    image = COLOUR.quantize(colours)
    for name in ("PNG", "TIFF", "BMP"):
        is_read(name, saved(image, name), np.array(image.convert("RGB")))
    data = saved(image, "PNG", transparency=bytes([0, 7]))
    with Image.open(io.BytesIO(data)) as other:
        expected = np.array(other.convert("RGBA"))
    assert set(np.unique(expected[..., 3])) <= {0, 7, 255}
    is_read("PNG", data, expected)


def test_one_bit_is_black_and_white() -> None:
    expected = np.array(BITS.convert("L"))
    assert set(np.unique(expected)) == {0, 255}
    for name in ("PNG", "TIFF", "BMP", "PPM"):
        is_read(name, saved(BITS, name), expected)
    for compression in ("group4", "tiff_lzw", "packbits"):
        is_read("TIFF", saved(BITS, "TIFF", compression=compression), expected)
    is_read("PPM", b"P1 3 2 # bits\n101\n0 1 0", np.array([[0, 255, 0], [255, 0, 255]], np.uint8))


def png(depth: int, colour: int, rows: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG of 4 x 1 pixels."""
    header = struct.pack(">2I5B", 4, 1, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(b"\0" + rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks)


KEY, PALETTE = b"tRNS", b"PLTE"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(1, 0, b"\x50"), [0, 255, 0, 255]),
        (png(2, 0, b"\x1b"), [0, 85, 170, 255]),
        (png(4, 0, b"\x01\xef"), [0, 17, 238, 255]),
        (png(1, 0, b"\x50", (KEY, b"\0\1")), [[0, 255], [255, 0], [0, 255], [255, 0]]),
        (png(4, 0, b"\x01\xef", (KEY, b"\0\x0e")), [[0, 255], [17, 255], [238, 0], [255, 255]]),
        (png(8, 0, b"\1\2\3\2", (KEY, b"\0\2")), [[1, 255], [2, 0], [3, 255], [2, 0]]),
        (
            png(8, 2, b"\1\2\3" * 2 + b"\1\2\4" * 2, (KEY, b"\0\1\0\2\0\3")),
            [[1, 2, 3, 0], [1, 2, 3, 0], [1, 2, 4, 255], [1, 2, 4, 255]],
        ),
        (png(8, 4, b"\1\2" * 4, (KEY, b"\0\1")), [[1, 2]] * 4),  # which says nothing there
        (
            png(2, 3, b"\x11", (PALETTE, b"\1\2\3\4\5\6"), (KEY, b"\x09")),
            [[1, 2, 3, 9], [4, 5, 6, 255]] * 2,
        ),
    ],
)
def test_a_png_of_few_bits_or_a_key(data: bytes, expected: list) -> None:
    is_read("PNG", data, np.array([expected], np.uint8))


@pytest.mark.parametrize(
    "data",
    [
        png(2, 3, b"\x12", (PALETTE, b"\1\2\3\4\5\6")),  # entry 2 of 2
        png(2, 3, b"\x11"),
        png(2, 3, b"\x11", (PALETTE, b"\1\2\3\4")),
        png(8, 0, b"\1\2\3\2", (KEY, b"\0\2\0\2")),
        png(4, 0, b"\1"),
    ],
)
def test_a_damaged_palette_or_key(data: bytes) -> None:
    with pytest.raises(InputError, match="x: damaged PNG file"):
        FORMATS["PNG"].read(data, "x")


def test_a_key_behind_the_pixels_is_passed_over() -> None:
    data = png(8, 0, b"\1\2\3\2")
    late = data[:-12] + chunk(KEY, b"\0\2") + data[-12:]
    is_read("PNG", late, np.array([[1, 2, 3, 2]], np.uint8))


def test_arrays_hold_alpha_where_they_are_said_to(tmp_path) -> None:
    for channels, pixels in BY_CHANNELS.items():
        path = tmp_path / f"{channels}.npy"
        write_images(path, Images(pixels[None]))
        assert np.array_equal(read_images(path, channels).pixels[0], pixels)
        if channels in (2, 4):
            with pytest.raises(InputError, match=rf"pass channels {channels} .* with alpha$"):
                read_images(path)
            for output in ("x.idx", "x-ubyte"):
                with pytest.raises(InputError, match=r"idx file has no .* with alpha pictures"):
                    write_images(tmp_path / output, Images(pixels[None]))
            with pytest.raises(InputError, match=r"x.ppm: PPM has no .* with alpha pictures"):
                write_images(tmp_path / "x.ppm", Images(pixels[None]))
    write_images(tmp_path / "x.idx", Images(BY_CHANNELS[3][None]))
    with pytest.raises(InputError, match=r"x.idx: an idx file has no RGB with alpha images"):
        read_images(tmp_path / "x.idx", 4)
    with pytest.raises(InputError, match=r"\(1, 9, 13, 1\), not \(n, height, width\)$"):
        Images(pixels[None, ..., :1])


def test_specs_of_shapes() -> None:
    for channels, pixels in BY_CHANNELS.items():
        spec = ImageSpec.from_shape((7, *pixels.shape))
        assert spec == ImageSpec(9, 13, channels) == ImageSpec.of(pixels.shape, channels)
        assert (spec.shape, spec.raw_bytes) == (pixels.shape, pixels.size)
    assert str(spec) == "9 × 13 RGB with alpha"
    for shape in ((9, 13), (1, 9, 13, 1), (1, 9, 13, 5), (1, 1, 9, 13, 3)):
        with pytest.raises(ValueError, match=r"has shape|channels: 5, must be 1 to 4"):
            ImageSpec.from_shape(shape)


BAD = {
    "b.png": saved(COLOUR, "PNG")[:60],
    "c.png": saved(COLOUR, "WEBP"),
    "d.tif": saved(COLOUR.convert("CMYK"), "TIFF"),
    "e.txt": b"notes",
    "f\\g.png": saved(COLOUR, "PNG"),
    "h.png": saved(COLOUR, "PNG") + b"behind",
}


def test_bad_files_of_a_folder_can_be_skipped(tmp_path) -> None:
    write_images(tmp_path / "a.png", Images(FOUR[None]))
    write_images(tmp_path / "z.png", Images(FOUR[None]))
    for name, data in BAD.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "i.png").mkdir()
    (tmp_path / "j.png").symlink_to("nowhere")
    skipped: dict[str, str] = {}
    with image_stream(tmp_path, skip=skipped.__setitem__) as images:
        assert images.names == ("a.png", "z.png")
        assert images.runs == ((ImageSpec(9, 13, 4), 2),)
        assert np.array_equal(np.concatenate(list(images.chunks)), np.stack([FOUR] * 2))
    assert list(skipped) == [*BAD, "i.png", "j.png"]
    assert all(
        name.replace("\\", "") in reason.replace("\\", "") for name, reason in skipped.items()
    )
    for name in ("a.png", "z.png"):
        (tmp_path / name).unlink()
    with (
        pytest.raises(InputError, match="none of its 8 files can be read"),
        image_stream(tmp_path, skip=skipped.__setitem__),
    ):
        pytest.fail("it was taken")
    with (
        pytest.raises(InputError, match=r"h.png: files can be skipped in a folder only"),
        image_stream(tmp_path / "h.png", skip=skipped.__setitem__),
    ):
        pytest.fail("it was taken")
