"""One 8-bit image, grey or RGB, as the bytes of a PNG, and back."""

import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import numpy as np
from PIL import Image

from recvae.errors import InputError
from recvae.images.formats.registry import PictureFormat, register_format
from recvae.images.formats.unsupported import unsupported
from recvae.images.spec import GREY, RGB, ImageSpec

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_DEFLATE_RATIO = 1032  # no deflate stream expands more (zlib's technical notes)
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
_CHANNELS = {0: GREY, 2: RGB}
_HEADER = struct.Struct(">2I5B")
_CHUNK_HEADER = struct.Struct(">I4s")
_CRC_BYTES = 4
_WHOLE = [(0, 0, 1, 1)]  # first row and column of a pass, and the steps between them
_ADAM7 = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]


def decode_png(data: bytes) -> np.ndarray:
    """Return the pixels, uint8 (height, width) or (height, width, 3), of an 8-bit PNG.

    Raises `InputError` for every kind of PNG but grey and RGB, which would not come back as they
    were, and other exceptions for damaged data. Text, time and colour profile of the PNG are not
    pixels and are left behind.
    """
    if data[:8] != PNG_MAGIC or data[12:16] != b"IHDR":
        raise InputError("not a PNG file")
    chunks = _chunks(data)
    depth, colour = _HEADER.unpack(chunks[b"IHDR"])[2:4]
    if depth != 8 or colour not in _CHANNELS or {b"tRNS", b"acTL"} & chunks.keys():
        kinds = {"transparent": b"tRNS" in chunks, "animated": b"acTL" in chunks}
        kind = next((kind for kind, is_so in kinds.items() if is_so), f"{depth}-bit")
        raise unsupported("PNG", f"{kind} {_COLOURS.get(colour, 'unknown')}")
    _check_length(chunks)
    return _pixels(chunks)


def encode_png(pixels: np.ndarray) -> bytes:
    """Return uint8 (height, width) or (height, width, 3) as the bytes of an 8-bit PNG."""
    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()


def peek_png(file: BinaryIO) -> ImageSpec | None:
    """Return what the header of a PNG announces, None unless that is whole and of 8 bits."""
    head = file.read(33)
    if head[8:16] != b"\0\0\0\rIHDR" or zlib.crc32(head[12:29]) != int.from_bytes(head[29:], "big"):
        return None
    width, height, depth, colour = _HEADER.unpack(head[16:29])[:4]
    if depth != 8 or colour not in _CHANNELS:
        return None
    return ImageSpec(height, width, _CHANNELS[colour])


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """What the chunks hold, by kind, chunks of one kind joined.

    Raises `ValueError` or `struct.error` for a damaged or missing one.
    """
    chunks: dict[bytes, list[bytes]] = defaultdict(list)
    for kind, begin, end in _places(data):
        (crc,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(data[begin - len(kind) : end]) != crc:
            raise ValueError("checksum")
        chunks[kind].append(data[begin:end])
    return {kind: b"".join(parts) for kind, parts in chunks.items()}


def _end(data: bytes) -> int:
    *_, (_, _, end) = _places(data)
    return end + _CRC_BYTES


def _places(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each chunk up to IEND, and where its content begins and ends."""
    kind, end = b"", len(PNG_MAGIC) - _CRC_BYTES
    while kind != b"IEND":
        length, kind = _CHUNK_HEADER.unpack_from(data, end + _CRC_BYTES)
        begin = end + _CRC_BYTES + _CHUNK_HEADER.size
        end = begin + length
        yield kind, begin, end


def _check_length(chunks: dict[bytes, bytes]) -> None:
    """Raise `ValueError` unless the pixels are all there: Pillow makes zeros of those missing."""
    width, height, _, colour, compression, filtering, interlaced = _HEADER.unpack(chunks[b"IHDR"])
    if compression or filtering or interlaced > 1:
        raise ValueError("unknown method")
    passes = _ADAM7 if interlaced else _WHOLE
    sizes = [
        (len(range(top, height, down)), len(range(left, width, right)))
        for top, left, down, right in passes
    ]
    expected = sum(rows * (1 + _CHANNELS[colour] * columns) for rows, columns in sizes if columns)
    stream = chunks[b"IDAT"]
    decoder = zlib.decompressobj()
    if expected > MAX_DEFLATE_RATIO * len(stream):  # before anything of that size is allocated
        raise ValueError("too short")
    # Bytes behind the end of the stream are none of the picture's: some encoders leave them there,
    # and the third edition of PNG has decoders pass them over.
    if len(decoder.decompress(stream, expected + 1)) != expected or not decoder.eof:
        raise ValueError("not as many pixels as its header announces")


def _pixels(chunks: dict[bytes, bytes]) -> np.ndarray:
    """The pixels of a PNG whose chunks are whole; Pillow sees those alone that matter."""
    needed = [(kind, chunks[kind]) for kind in (b"IHDR", b"IDAT", b"IEND")]
    file = PNG_MAGIC + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in needed
    )
    try:
        with Image.open(BytesIO(file)) as image:
            return np.asarray(image)
    except Image.DecompressionBombError as error:
        raise InputError(f"too many pixels ({error})") from error


register_format(
    PictureFormat(
        name="PNG",
        endings=(".png",),
        matches=lambda head: head.startswith(PNG_MAGIC),
        decode=decode_png,
        encode=encode_png,
        peek=peek_png,
        end=_end,
    )
)
