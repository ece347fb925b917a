"""Pictures that are damaged, or of a kind that would not come back, are refused in one line."""

import io
import re
import struct
import tempfile
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from recvae.errors import InputError
from recvae.images import Images, image_stream, read_images, write_images
from recvae.images.formats.registry import FORMATS, PictureFormat, picture_formats

COLOUR = np.random.default_rng(0).integers(0, 256, (12, 10, 3)).astype(np.uint8)
FOUR = np.dstack([COLOUR, COLOUR[::-1, :, 0]])
HEIGHT, ROWS_PER_STRIP, PLANES = 257, 278, 284  # tags of TIFF


def saved(mode: str, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(COLOUR).convert(mode)
    if mode == "RGBA":
        image.putalpha(7)
    image.save(stream, kind, **options)
    return stream.getvalue()


def several(kind: str) -> bytes:
    return saved("RGB", kind, save_all=True, append_images=[Image.new("RGB", (10, 12))])


def one_frame() -> bytes:
    """An animated WebP of one frame, on a canvas of as many pixels as are allowed."""
    data = bytearray(several("WEBP"))
    frames = [data.index(b"ANMF"), data.rindex(b"ANMF")]
    del data[frames[1] :]
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    data[24:30] = (9999).to_bytes(3, "little") + (9999).to_bytes(3, "little")
    return bytes(data)


def tiff(tag: int, value: int, compression: str | None = None) -> bytes:
    """An RGB TIFF of which a tag tells something else."""
    data = bytearray(saved("RGB", "TIFF", compression=compression))
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry) == (tag,):
            (kind,) = struct.unpack_from("<H", data, entry + 2)
            struct.pack_into("<I" if kind == 4 else "<H", data, entry + 8, value)
            return bytes(data)
    raise KeyError(tag)


def deep_tiff() -> bytes:
    """A TIFF of RGB in 16 bits, of which Pillow would give the upper half."""
    tags = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 140), (277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, 6), (339, 3, 1, 1)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return data + struct.pack("<3H", 16, 16, 16) + bytes(6)


def bmp(bits: int) -> bytes:
    """A BMP of 2 × 2 pixels in 16 or 32 bits."""
    size = 4 * bits // 8
    info = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, bits, 0, size, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + size, 0, 0, 54) + info + bytes(size)


def premultiplied() -> bytes:
    """An RGBA TIFF whose colours are said to be multiplied by alpha."""
    data = saved("RGBA", "TIFF")
    entry = struct.pack("<HHIHH", 338, 3, 1, 2, 0)
    assert data.count(entry) == 1
    return data.replace(entry, struct.pack("<HHIHH", 338, 3, 1, 1, 0))


def deep_palette() -> bytes:
    """A TIFF with a palette of which 8 bits would lose something."""
    data = bytearray(saved("P", "TIFF"))
    with Image.open(io.BytesIO(data)) as image:
        colours = struct.pack("<768H", *image.tag_v2[320])  # type: ignore[attr-defined]
    begin = data.index(colours)
    data[begin : begin + 2] = b"\x01\x02"
    return bytes(data)


def bmp_of_two_greys() -> bytes:
    """A BMP of 8 bits whose palette is black and white."""
    info = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, 8, 0, 4, 0, 0, 2, 0)
    palette, pixels = b"\0\0\0\0\xff\xff\xff\0", b"\0\1\1\0"
    return b"BM" + struct.pack("<IHHI", 66, 0, 0, 62) + info + palette + pixels


def bmp_alpha() -> bytes:
    """A BMP of one pixel, RGBA."""
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII4I", 108, 1, 1, 1, 32, 3, 4, 0, 0, 0, 0, *masks) + bytes(52)
    return b"BM" + struct.pack("<IHHI", 126, 0, 0, 122) + info + b"\1\2\3\4"


NUMPY, TO_GREY, TO_RGB = r"numpy, for example 16 bits by // 257", r'\("L"\).save', r'\("RGB"\).save'
KINDS = {
    "png 16 bits": (saved("I;16", "PNG"), f"16-bit grey; .*{NUMPY}"),
    "png animated": (several("PNG"), "animated RGB; .* separate files$"),
    "webp animated": (several("WEBP"), "animated RGB; .* separate files$"),
    "webp animated, of one": (one_frame(), "animated RGB; .* separate files$"),
    "tiff pages": (several("TIFF"), "multi-page RGB; .* separate files$"),
    "tiff premultiplied": (premultiplied(), r'premultiplied RGB with alpha; .*"RGBA"'),
    "tiff palette of 16 bits": (deep_palette(), f"16-bit palette; .*{NUMPY}"),
    "tiff CMYK": (saved("CMYK", "TIFF"), f"CMYK; .*{TO_RGB}"),
    "tiff YCbCr": (saved("YCbCr", "TIFF"), f"YCbCr; .*{TO_RGB}"),
    "tiff 16 bits": (saved("I;16", "TIFF"), f"16-bit grey; .*{NUMPY}"),
    "tiff 16 bits of RGB": (deep_tiff(), f"16-bit RGB; .*{NUMPY}"),
    "tiff 32 bits": (saved("I", "TIFF"), f"32-bit grey; .*{NUMPY}"),
    "tiff float": (saved("F", "TIFF"), f"float grey; .*{NUMPY}"),
    "tiff 4 channels": (saved("RGBX", "TIFF"), f"4-channel RGB; .*{TO_RGB}"),
    "bmp 8 bits of two greys": (bmp_of_two_greys(), f"8-bit grey; .*{TO_GREY}"),
    "bmp alpha": (bmp_alpha(), r'RGB with alpha; .* a PNG first, .*\("RGBA"\).save'),
    "bmp 32 bits": (bmp(32), f"4-channel RGB; .*{TO_RGB}"),
    "bmp 16 bits": (bmp(16), f"5-bit RGB; .*{TO_RGB}"),
    "ppm 16 bits": (saved("I;16", "PPM"), f"16-bit grey; .*{NUMPY}"),
    "ppm 16 bits of RGB": (b"P6 1 1 65535\n" + bytes(6), f"16-bit RGB; .*{NUMPY}"),
    "ppm 10 bits": (b"P5 1 1 1023\n" + bytes(2), f"16-bit grey; .*{NUMPY}"),
    "ppm few levels": (b"P5 1 1 15\n\5", f"0-to-15 grey; .*{TO_GREY}"),
    "ppm few levels in text": (b"P3 1 1 200 1 2 3", f"0-to-200 RGB; .*{TO_RGB}"),
}
DAMAGED = {
    "webp header": b"RIFF\0\0\0\0WEBPVP8 ",
    "tiff without strips": tiff(ROWS_PER_STRIP, 3),
    "tiff without strips, compressed": tiff(ROWS_PER_STRIP, 3, "tiff_lzw"),
    "tiff without planes": tiff(PLANES, 2),
    "tiff of more rows": tiff(HEIGHT, 13),
    "tiff of more rows, compressed": tiff(HEIGHT, 13, "tiff_deflate"),
    "tiff absurd": tiff(HEIGHT, 60000, "tiff_deflate").replace(b"II*\0\x08", b"II*\0\x09"),
    "bmp absurd": b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 9999, 9999, 1, 24) + bytes(24),
    "ppm absurd": b"P6 10000 10000 255\n" + bytes(1000),
    "ppm without pixels": b"P5 0 3 255\n",
    "ppm that is no number": b"P2 1 1 255 x",
    "ppm that ends": b"P2",
}


@pytest.mark.parametrize("case", KINDS)
def test_an_unsupported_kind_is_told_with_what_to_do(tmp_path: Path, case: str) -> None:
    data, message = KINDS[case]
    name = next(known for known in FORMATS if known.upper() == case.split()[0].upper())
    path = tmp_path / f"x.{case.split()[0]}"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as error:
        read_images(path)
    expected = str(error.value)
    assert expected.startswith(f"{path}: a {name} of kind ")
    assert re.search("; 8-bit grey and RGB(, with or without alpha,)? are supported: ", expected)
    assert expected.isprintable()
    with pytest.raises(InputError) as error:
        read_images(tmp_path)
    assert str(error.value) == expected
    with pytest.raises(InputError), image_stream(tmp_path):
        pytest.fail("the folder was taken")


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_told_in_one_line(tmp_path: Path, case: str, capfd) -> None:
    path = tmp_path / f"x.{case.split()[0]}"
    path.write_bytes(DAMAGED[case])
    for source in (path, tmp_path):
        with pytest.raises(InputError, match=r"x\.\w+: damaged \w+ file$"):
            read_images(source)
    assert capfd.readouterr() == ("", "")


LIMIT = r"a picture of 12 × 10 RGB pixels is beyond the limit of {} pixels: if it is genuine, raise"


@pytest.mark.parametrize("known", picture_formats(), ids=lambda known: known.name)
def test_more_pixels_than_the_limit_are_told(tmp_path: Path, known: PictureFormat) -> None:
    path = tmp_path / f"x{known.endings[0]}"
    path.write_bytes(known.encode(COLOUR))
    for source in (path, tmp_path):
        message = f"{path.name}: {LIMIT.format(119)} max_pixels .--max-pixels.$"
        with pytest.raises(InputError, match=message), image_stream(source, 1, 119):
            pytest.fail("it was taken")
        with image_stream(source, max_pixels=120) as images:
            assert images.count == 1
    message = "max_pixels: 0, must be at least 1"
    with pytest.raises(InputError, match=message), image_stream(path, 1, 0):
        pytest.fail("it was taken")


def test_the_limit_of_pillow_is_not_ours(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    for known in picture_formats():
        (tmp_path / f"{known.name}{known.endings[0]}").write_bytes(known.encode(COLOUR))
    assert read_images(tmp_path).pixels.shape == (len(picture_formats()), *COLOUR.shape)
    assert Image.MAX_IMAGE_PIXELS == 7


def pictures() -> list:
    """A picture of each format in each colour, and TIFFs by each way of compression."""
    images = [
        pytest.param(known, known.encode(pixels), id=f"{known.name} {channels}")
        for known in picture_formats()
        for channels, pixels in enumerate((COLOUR[..., 0], FOUR[..., :2], COLOUR, FOUR), 1)
        if channels in known.channels
    ]
    images += [
        pytest.param(FORMATS[kind], saved(mode, kind.upper()), id=f"{kind} {mode}")
        for kind in ("PNG", "TIFF", "BMP", "PPM")
        for mode in ("P", "1")
        if (kind, mode) != ("PPM", "P")
    ]
    for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        data = saved("RGB", "TIFF", compression=compression)
        images.append(pytest.param(FORMATS["TIFF"], data, id=f"TIFF {compression}"))
    images.append(pytest.param(FORMATS["WebP"], saved("RGB", "WEBP"), id="WebP lossy"))
    return images


@pytest.mark.parametrize(("known", "data"), pictures())
def test_what_is_cut_short_is_never_filled(known: PictureFormat, data: bytes, capfd) -> None:
    whole = known.read(data, "x")
    refused = 0
    for end in range(0, len(data), max(1, len(data) // 100)):
        try:
            np.testing.assert_array_equal(known.read(data[:end], "x"), whole)
        except InputError:
            refused += 1
    assert refused > 95 or refused == len(data)
    assert capfd.readouterr() == ("", "")


@given(
    picture=st.sampled_from([param.values for param in pictures()]),
    place=st.integers(0, 10**6) | st.integers(0, 60),
    new=st.binary(min_size=1, max_size=4),
)
@settings(deadline=None, max_examples=200)
def test_damage_raises_nothing_but_input_errors(picture: tuple, place: int, new: bytes) -> None:
    known, data = picture
    damaged = bytearray(data)
    damaged[place % len(data) : place % len(data) + len(new)] = new
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"x{known.endings[0]}").write_bytes(damaged)
        with suppress(InputError):
            read_images(folder)


def test_a_picture_in_a_folder_is_what_its_name_says(tmp_path: Path) -> None:
    write_images(tmp_path / "a.png", Images(COLOUR[None]))
    (tmp_path / "b.webp").write_bytes((tmp_path / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"b.webp: not a WebP file"):
        read_images(tmp_path)
    assert read_images(tmp_path / "b.webp").pixels.shape == (1, *COLOUR.shape)  # a PNG, on its own


def test_what_a_format_of_others_decodes_is_checked() -> None:
    for pixels in (np.zeros((2, 3)), np.zeros((2, 3, 5), np.uint8), np.zeros((0, 3), np.uint8)):
        odd = PictureFormat("odd", (".odd",), bool, lambda _, pixels=pixels: pixels, bytes)
        for read in (
            lambda odd=odd: odd.read(b"1", "x"),
            lambda odd=odd: odd.look(io.BytesIO(b"1"), "x"),
        ):
            with pytest.raises(InputError, match="x: damaged odd file"):
                read()


def test_a_webp_claims_no_more_than_its_bytes_may_hold(tmp_path: Path) -> None:
    """13,300 x 13,300 pixels of one colour in 34 bytes would take gigabytes."""
    data = bytearray(saved("RGB", "WEBP", lossless=True))
    assert data[12:16] == b"VP8L"
    sides = 13299 | 13299 << 14
    data[21:25] = (int.from_bytes(data[21:25], "little") & 0xF0000000 | sides).to_bytes(4, "little")
    (tmp_path / "claim.webp").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"claim\.webp: damaged WebP file"):
        read_images(tmp_path / "claim.webp")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()
