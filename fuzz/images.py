"""Target: the readers of images: idx, idx.gz, npy, PNG and folders of PNGs."""

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fuzz.invariants import refusal_is_one_line, scratch
from recvae.images import read_images, sample_images, write_images
from recvae.images.formats.png import MAX_DEFLATE_RATIO, PNG_MAGIC, encode_png

AS_IT_IS, GZIPPED, CHUNKS, SCANLINES, FOLDER = range(5)  # by the first byte modulo 5
SEPARATOR = b"\xfe|\xfe"


def seeds() -> Iterator[bytes]:
    """The package's own digits in every format, and PNGs of every kind."""
    digits = sample_images()[:3]
    idx = struct.pack(">4B3I", 0, 0, 8, 3, *digits.shape) + digits.tobytes()
    yield bytes([AS_IT_IS]) + idx
    yield bytes([AS_IT_IS]) + gzip.compress(idx, mtime=0)
    yield bytes([GZIPPED]) + idx[:200]
    for array in (digits, digits[0], digits[:, :4, :3].transpose(0, 2, 1), digits[:1] / 255):
        stream = io.BytesIO()
        np.save(stream, array)
        yield bytes([AS_IT_IS]) + stream.getvalue()
    for mode in ("L", "1", "P", "RGB", "LA", "I;16"):
        stream = io.BytesIO()
        Image.new(mode, (5, 3)).save(stream, "PNG")
        yield bytes([CHUNKS]) + stream.getvalue()
    png = encode_png(digits[0])
    yield bytes([AS_IT_IS]) + png
    yield bytes([CHUNKS]) + png
    yield bytes([SCANLINES]) + struct.pack(">2I5B", 4, 3, 8, 0, 0, 0, 0) + bytes(15)
    small = encode_png(digits[0, 8:12, 8:12])
    yield bytes([FOLDER]) + SEPARATOR.join([b"a.png", small, "ä.PNG".encode(), small])


def check(data: bytes) -> None:
    """What is accepted is uint8 images that the bytes can hold, and is written and read again."""
    kind, rest = (data[0] % 5 if data else AS_IT_IS), data[1:]
    path = scratch("input")
    _remove(path)
    if kind == FOLDER:
        if not _make_folder(path, rest.split(SEPARATOR)):
            return
    else:
        path.write_bytes(_file(kind, rest))
    with refusal_is_one_line():
        images = read_images(path)
        pixels = images.pixels
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        # The harness deflates: its part of the bytes must be allowed for.
        assert pixels.nbytes <= MAX_DEFLATE_RATIO * (len(rest) + 1000)
        if len(pixels):
            output = scratch("output" if images.names else "output.npy")
            _remove(output)
            write_images(output, images)
            again = read_images(output)
            assert np.array_equal(again.pixels, pixels)
            assert again.names == images.names


def _file(kind: int, rest: bytes) -> bytes:
    if kind == GZIPPED:
        return gzip.compress(rest, 1, mtime=0)
    if kind == CHUNKS:
        return _with_checksums(rest)
    if kind == SCANLINES:
        parts = [(b"IHDR", rest[:13]), (b"IDAT", zlib.compress(rest[13:], 1)), (b"IEND", b"")]
        return _with_checksums(
            PNG_MAGIC + b"".join(struct.pack(">I", len(b)) + a + b + bytes(4) for a, b in parts)
        )
    return rest


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have right checksums."""
    file = bytearray(data)
    begin = len(PNG_MAGIC)
    while begin + 12 <= len(file):
        end = begin + 12 + int.from_bytes(file[begin : begin + 4])
        if end > len(file):
            break
        file[end - 4 : end] = zlib.crc32(file[begin + 4 : end - 4]).to_bytes(4)
        begin = end
    return bytes(file)


def _make_folder(path: Path, parts: list[bytes]) -> bool:
    """Whether a folder of these names and files could be made."""
    path.mkdir()
    for name, content in zip(parts[::2], parts[1::2], strict=False):
        bare = name.replace(b"/", b"").replace(b"\0", b"")[:200]
        if bare in (b"", b".", b".."):
            return False
        file = path / bare.decode(errors="surrogateescape")
        file.write_bytes(_with_checksums(content))
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    path.unlink(missing_ok=True)
