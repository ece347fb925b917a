"""Target: the readers of images: arrays, gzipped ones, pictures of all formats, and folders."""

import gzip
import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fuzz.invariants import refusal_is_one_line, scratch
from recvae.images import image_stream, sample_images, write_chunks
from recvae.images.formats.png import MAX_DEFLATE_RATIO, PNG_MAGIC, encode_png
from recvae.images.formats.registry import picture_formats
from recvae.images.spec import GREY, RGB
from recvae.images.stream import Runs

AS_IT_IS, GZIPPED, CHUNKS, SCANLINES, FOLDER, COLOUR = range(6)  # by the first byte modulo 6
SEPARATOR = b"\xfe|\xfe"
# With run lengths or constants, these expand bytes more than deflate does.
MAX_RATIOS = {b"II": 3 << 15, b"MM": 3 << 15, b"WEBP": 1 << 28, b"PLTE": 32 * MAX_DEFLATE_RATIO}
MAX_RATIOS |= {b"IHDR": 16 * MAX_DEFLATE_RATIO}  # one bit becomes grey and alpha


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
    for mode in ("L", "1", "P", "RGB", "LA", "RGBA", "I;16"):
        stream = io.BytesIO()
        Image.new(mode, (5, 3)).save(stream, "PNG")
        yield bytes([CHUNKS]) + stream.getvalue()
    png = encode_png(digits[0])
    yield bytes([AS_IT_IS]) + png
    yield bytes([CHUNKS]) + png
    yield bytes([SCANLINES]) + struct.pack(">2I5B", 4, 3, 8, 0, 0, 0, 0) + bytes(15)
    yield bytes([SCANLINES]) + struct.pack(">2I5B", 4, 3, 8, 2, 0, 0, 0) + bytes(39)
    few = struct.pack(">2I5B", 4, 3, 2, 3, 0, 0, 0)  # a palette of three, one of them transparent
    palette, rows = bytes(range(9)), zlib.compress(3 * b"\0\x1a")
    chunks = ((b"IHDR", few), (b"PLTE", palette), (b"tRNS", b"\7"), (b"IDAT", rows), (b"IEND", b""))
    parts_of_png = (struct.pack(">I", len(b)) + a + b + bytes(4) for a, b in chunks)
    yield bytes([CHUNKS]) + PNG_MAGIC + b"".join(parts_of_png)
    small = encode_png(digits[0, 8:12, 8:12])
    yield bytes([FOLDER]) + SEPARATOR.join([b"a.png", small, "ä.PNG".encode(), small])
    grey = digits[0, 8:20, 8:18]
    colour = np.stack([grey, grey.T[:10].repeat(2, 0)[:12, :10], grey[::-1]], axis=2)
    parts: list[bytes] = []
    four = np.dstack([colour, grey])
    for known in picture_formats():
        for channels, pixels in enumerate((grey, four[..., 2:], colour, four), GREY):
            if channels in known.channels:
                file = known.encode(pixels)
                yield bytes([AS_IT_IS]) + file
                parts += [f"{len(parts)}{known.endings[-1]}".encode(), file]
    yield bytes([FOLDER]) + SEPARATOR.join(parts)
    for mode, compression in (("RGB", "tiff_lzw"), ("L", "packbits"), ("L", "tiff_deflate")):
        stream = io.BytesIO()
        Image.fromarray(colour).convert(mode).save(stream, "TIFF", compression=compression)
        yield bytes([AS_IT_IS]) + stream.getvalue()
    stream = io.BytesIO()
    Image.fromarray(colour).save(
        stream, "WEBP", save_all=True, append_images=[Image.new("RGB", (10, 12))]
    )
    yield bytes([AS_IT_IS]) + stream.getvalue()
    yield bytes([AS_IT_IS]) + b"P3 2 1 # two\n255 1 2 3 4 5 6"
    yield bytes([COLOUR]) + struct.pack(">4B4I", 0, 0, 8, 4, 1, *colour.shape) + colour.tobytes()
    for array in (colour, colour[None].transpose(0, 2, 1, 3)):
        stream = io.BytesIO()
        np.save(stream, array)
        yield bytes([COLOUR]) + stream.getvalue()


def check(data: bytes) -> None:
    """Check that accepted images are uint8, fit the bytes, and survive writing and reading."""
    kind, rest = (data[0] % 6 if data else AS_IT_IS), data[1:]
    path = scratch("input")
    _remove(path)
    if kind == FOLDER:
        if not _make_folder(path, rest.split(SEPARATOR)):
            return
    else:
        path.write_bytes(_file(kind, rest))
    with refusal_is_one_line():
        runs, chunks, names = _read(path, RGB if kind == COLOUR else GREY)
        ratio = max(
            (r for sign, r in MAX_RATIOS.items() if sign in rest), default=MAX_DEFLATE_RATIO
        )
        # The harness deflates, which must be allowed for.
        assert sum(chunk.nbytes for chunk in chunks) <= ratio * (len(rest) + 1000)
        if chunks:
            output = scratch("output" if names else "output.npy")
            _remove(output)
            write_chunks(output, runs, chunks, names)
            again, same, same_names = _read(output, runs[0][0].channels)
            assert (again, same_names) == (runs, names)
            assert all(map(np.array_equal, same, chunks))


def _read(path: Path, channels: int) -> tuple[Runs, list[np.ndarray], tuple[str, ...] | None]:
    """Read runs, chunks and names, and check that they agree."""
    with image_stream(path, channels) as images:
        chunks = list(images.chunks)
        assert all(chunk.dtype == np.uint8 for chunk in chunks)
        specs = itertools.chain.from_iterable(itertools.repeat(*run) for run in images.runs)
        shapes = [image.shape for chunk in chunks for image in chunk]
        assert shapes == [spec.shape for spec in specs]
        return images.runs, chunks, images.names


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
    """Correct the checksums of a PNG's chunks."""
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
    """Make a folder of these files; return whether it was possible."""
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
