"""A file is one picture from its first byte to its last: what trails it is refused, and told."""

import io
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate, permutations, product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from images.files import GOOD_PNG, chunk
from recvae.errors import InputError
from recvae.images import image_stream, read_images, register_format, write_chunks
from recvae.images.formats.registry import FORMATS, PictureFormat, picture_formats
from recvae.images.formats.tiff_directories import referred_end

COLOUR = np.random.default_rng(1).integers(0, 256, (6, 5, 3)).astype(np.uint8)
GREY = COLOUR[..., 0].copy()
FOUR = np.dstack([COLOUR, GREY[::-1]])
TRAILS = r"bytes follow the picture, which ends at byte {:,} of {:,}: save each .* separate file$"


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def ends(data: bytes, pixels: np.ndarray, more: Iterable[bytes] = (b"\n", b"\0" * 16)) -> None:
    """Check that a file is read, and refused with more behind it than it is."""
    np.testing.assert_array_equal(read_images(io.BytesIO(data)).pixels[0], pixels)
    for tail in (data, *more):
        with pytest.raises(InputError, match=TRAILS.format(len(data), len(data + tail))):
            read_images(io.BytesIO(data + tail))


PICTURES = [
    pytest.param(known, pixels, id=f"{known.name} {channels}")
    for known in picture_formats()
    for channels, pixels in enumerate((GREY, FOUR[..., :2], COLOUR, FOUR), 1)
    if channels in known.channels
]


@pytest.mark.parametrize(("known", "pixels"), PICTURES)
def test_bytes_behind_a_picture_are_refused(
    tmp_path: Path, known: PictureFormat, pixels: np.ndarray
) -> None:
    data = known.encode(pixels)
    ends(data, pixels)
    message = TRAILS.format(len(data), 2 * len(data))
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    path = folder / f"a{known.endings[0]}"
    path.write_bytes(2 * data)
    with pytest.raises(InputError, match=f"{path}: {message}"):
        read_images(path)
    receiver, sender = os.pipe()
    with open(sender, "wb") as stream:
        stream.write(2 * data)
    with open(receiver, "rb") as stream, pytest.raises(InputError, match=message):
        read_images(stream)
    (folder / f"0{known.endings[0]}").write_bytes(data)
    with image_stream(folder) as images, pytest.raises(InputError, match=f"{path}: {message}"):
        write_chunks(out, images.runs, images.chunks, images.names)
    assert not out.exists()


@contextmanager
def registered(known: PictureFormat) -> Iterator[None]:
    register_format(known)
    try:
        yield
    finally:
        del FORMATS[known.name]


@pytest.mark.parametrize("peek", [FORMATS["PNG"].peek, lambda _: None])
def test_a_format_of_others_says_where_its_pictures_end(tmp_path: Path, peek) -> None:
    png = FORMATS["PNG"]
    mine = replace(
        png,
        name="mine",
        endings=(".mine",),
        matches=lambda head: head.startswith(b"mine" + GOOD_PNG[:8]),
        decode=lambda data: png.decode(data[4:]),
        peek=lambda file: peek(io.BytesIO(file.read()[4:])),
        end=lambda data: data.index(b"IEND") + 8,
    )
    with registered(mine):
        ends(b"mine" + GOOD_PNG, png.decode(GOOD_PNG))
        (tmp_path / "a.mine").write_bytes(b"mine" + GOOD_PNG + b"x")
        with pytest.raises(InputError, match=r"a\.mine: bytes follow the picture"):
            read_images(tmp_path)


def test_what_encoders_leave_behind_the_stream_of_a_png_is_no_picture() -> None:
    header = struct.pack(">2I5B", 5, 6, 8, 0, 0, 0, 0)
    stream = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GREY))
    for rest in (b"", b"\0", b"left"):
        chunks = [(b"IHDR", header), (b"IDAT", stream), (b"IDAT", rest), (b"IEND", b"")]
        ends(GOOD_PNG[:8] + b"".join(chunk(*parts) for parts in chunks), GREY)


def webp(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_a_webp_is_one_image_and_its_metadata() -> None:
    image = saved(COLOUR, "WEBP", lossless=True)[12:]
    extended = b"VP8X" + struct.pack("<II", 10, 0) + bytes([4, 0, 0, 5, 0, 0])
    note = b"XMP " + struct.pack("<I", 3) + b"<x>\0"
    for before, behind in product(([], [extended]), ([], [note], [note, note])):
        ends(webp(*before, image, *behind), COLOUR)
        end = len(webp(*before, image))
        several = webp(*before, image, image, *behind)
        message = "damaged WebP" if before else TRAILS.format(end, len(several))
        with pytest.raises(InputError, match=message):
            read_images(io.BytesIO(several))


def bmp(pixels: bytes, bits: int = 24, compression: int = 0, version_bytes: int = 40, **sizes: int):
    """A BMP of 5 × 6 pixels; `sizes` are what its header says of the file, image and profile."""
    greys = b"".join(bytes([i, i, i, 0]) for i in range(256)) if bits == 8 else b""
    begin = 14 + version_bytes + len(greys)
    file, image = sizes.get("file", begin + len(pixels)), sizes.get("image", 0)
    info = struct.pack("<IiiHHIIiiII", version_bytes, 5, 6, 1, bits, compression, image, 0, 0, 0, 0)
    if version_bytes == 124:
        profile = sizes.get("profile", 0)
        info += bytes(72) + struct.pack("<3I", version_bytes + len(pixels) - profile, profile, 0)
    return b"BM" + struct.pack("<IHHI", file, 0, 0, begin) + info + greys + pixels


ROWS = b"".join(row[:, ::-1].tobytes() + b"\0" for row in COLOUR[::-1])
RUNS = b"".join(b"\0\5" + row.tobytes() + b"\0" for row in GREY[::-1]) + b"\0\1"


@pytest.mark.parametrize("file", [0, 1, 54, 100, 1 << 20, (1 << 32) - 1])
def test_a_bmp_ends_with_its_pixels_whatever_it_says(file: int) -> None:
    ends(bmp(ROWS, file=file), COLOUR, [b"x"])
    ends(bmp(RUNS, 8, 1, image=len(RUNS), file=file), GREY, [b"x"])
    ends(bmp(ROWS + bytes(9), version_bytes=124, profile=9, file=file), COLOUR, [b"x"])


def test_a_bmp_may_say_that_it_is_longer_than_its_pixels() -> None:
    ends(bmp(ROWS + b"\0\0"), COLOUR)
    ends(bmp(ROWS + b"\0\0", image=len(ROWS) + 2, file=0), COLOUR)
    ends(bmp(ROWS + b"profile", version_bytes=124), COLOUR)
    ends(bmp(RUNS, 8, 1), GREY)
    ends(bmp(b"".join(row.tobytes() + bytes(3) for row in GREY[::-1]), 8), GREY)


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"P2 2 1 255\n1 2", [1, 2]),
        (b"P2 2 1 255\n1 2 \n\n", [1, 2]),
        (b"P2 # a\n2 1 # b\n255 # 3 values\n1 # 2 3 4\n 2 # 5\n#6", [1, 2]),
        (b"P2 2 1 255\n1\r\n2\t# 9", [1, 2]),
        (b"P5 # a\n2 1\n255\n 3", [32, 51]),
    ],
)
def test_space_and_comments_behind_the_values_of_a_ppm(data: bytes, values: list[int]) -> None:
    pixels = read_images(io.BytesIO(data)).pixels
    assert pixels.tolist() == [[values]]
    for tail in (b" P5 1 1 255\n1", b"\n7\n"):
        with pytest.raises(InputError, match="bytes follow the picture, which ends at byte"):
            read_images(io.BytesIO(data + b"\n" * (data[:2] == b"P2") + tail))


EXIF = Image.Exif()
EXIF.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
EXIF.get_ifd(0x8825)[1] = "N"


@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits", "zstd"]
)
def test_a_tiff_ends_where_the_last_byte_is_referred_to(compression: str | None) -> None:
    options: list[dict] = [{}, {"tiffinfo": {278: 2}}, {"strip_size": 10}, {"exif": EXIF}]
    for pixels, option, is_big in product((GREY, COLOUR), options, (False, True)):
        data = saved(pixels, "TIFF", compression=compression, big_tiff=is_big, **option)
        ends(data, pixels, [b"x", bytes(15) + b"x"])
        assert read_images(io.BytesIO(data + bytes(4))).names is None  # as Photoshop leaves there
    with pytest.raises(InputError, match="bytes follow"):
        read_images(io.BytesIO(data + bytes(16)))


def tiff(
    parts: str,
    order: str = "<",
    is_big: bool = False,
    missing: tuple[int, ...] = (),
    compression: int = 1,
) -> bytes:
    """`GREY` in 2 strips, with a text and EXIF: these parts in this order, without some tags."""
    word, long, count, room = ("Q", 16, "Q", 8) if is_big else ("I", 4, "H", 4)

    def made(begins: dict[str, int]) -> dict[str, bytes]:
        pixels, values = begins["pixels"], begins["values"]
        short = {256: 5, 257: 6, 258: 8, 259: compression, 262: 1, 278: 3}
        entries = {
            tag: struct.pack(f"{order}2H{word}H{room - 2}x", tag, 3, 1, value)
            for tag, value in short.items()
        }
        other = [(273, long, 2, values), (279, long, 2, values + 2 * room)]
        other += [(270, 2, 15, values + 4 * room), (34665, long, 1, begins["exif"])]
        entries |= {entry[0]: struct.pack(f"{order}2H2{word}", *entry) for entry in other}
        kept = [entries[tag] for tag in sorted(entries) if tag not in missing]
        return {
            "pixels": GREY.tobytes(),
            "values": struct.pack(f"{order}4{word}", pixels, pixels + 15, 15, 15) + bytes(15),
            "directory": struct.pack(order + count, len(kept)) + b"".join(kept) + bytes(room),
            "exif": bytes(struct.calcsize(count) + room),
        }

    names = parts.split()
    begins = dict.fromkeys(["pixels", "values", "directory", "exif"], 1 << 20)
    sizes = [len(made(begins)[name]) for name in names]
    begins |= zip(names, accumulate(sizes, initial=16 if is_big else 8), strict=False)
    header = (42, begins["directory"]) if not is_big else (43, 8, 0, begins["directory"])
    kind = b"II" if order == "<" else b"MM"
    head = kind + struct.pack(f"{order}{'HHH' if is_big else 'H'}{word}", *header)
    return head + b"".join(made(begins)[name] for name in names)


PARTS = ["pixels", "values", "directory", "exif"]
LAYOUTS = list(product("<>", (False, True)))


def test_all_that_a_tiff_refers_to_is_its_own() -> None:
    for parts, (order, is_big) in product(permutations(PARTS), LAYOUTS):
        data = tiff(" ".join(parts), order, is_big)
        assert referred_end(data) == referred_end(data + b"x" * len(data)) == len(data)
        if (order, is_big) != (">", True):  # which Pillow does not read
            ends(data, GREY)


def test_a_tiff_may_leave_out_how_long_it_is() -> None:
    for order, is_big in LAYOUTS[:3]:
        ends(tiff("exif values directory pixels", order, is_big, missing=(279,)), GREY)
    data = tiff("exif values directory pixels", missing=(279,), compression=5)
    assert referred_end(data + b"behind") == len(data) + 6  # as readers take it


def test_what_a_tiff_refers_to_may_be_missing() -> None:
    ends(tiff("values directory pixels"), GREY)
    data = tiff("directory pixels")
    assert referred_end(data) == len(data) - len(GREY.tobytes())
    assert referred_end(tiff("pixels values")) == 0


def test_a_tiff_refers_to_no_more_than_there_is() -> None:
    """Else a file of a megabyte, each word of it a directory, would take hours."""
    entries = [struct.pack("<2H2I", tag, 4, 1000, 0) for tag in (273, 279, 330)]
    data = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(8000)
    with pytest.raises(ValueError, match="overlap"):
        referred_end(data)
