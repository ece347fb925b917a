"""An 8-bit image, grey or RGB, with or without alpha, to the bytes of a PNG and back.

Palettes are read as RGB, grey of fewer bits as 8 bits, and transparency of a colour or of palette
entries as alpha, 0 to 255. Sources: PNG, third edition, sections 11.2.1, 11.3.1 and 13.12.
"""

import io
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import numpy as np
from PIL import Image

from recvae.errors import InputError
from recvae.images.formats.pillow import by_palette, open_without_limit
from recvae.images.formats.registry import PictureFormat, register_format
from recvae.images.formats.unsupported import unsupported
from recvae.images.spec import GREY_ALPHA, KINDS, RGB, RGBA, ImageSpec

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_DEFLATE_RATIO = 1032  # no deflate stream expands more (zlib's technical notes)
_GREY, _RGB, _PALETTE = 0, 2, 3  # colour types that can have a tRNS
_COLOURS = {_GREY: "grey", _RGB: "RGB", _PALETTE: "palette", 4: KINDS[GREY_ALPHA], 6: KINDS[RGBA]}
_SAMPLES = {_GREY: 1, _RGB: 3, _PALETTE: 1, 4: 2, 6: 4}
_CHANNELS = _SAMPLES | {_PALETTE: RGB}
_DEPTHS = {_GREY: (1, 2, 4, 8), _PALETTE: (1, 2, 4, 8)}  # others: 8
_HEADER = struct.Struct(">2I5B")
_CHUNK_HEADER = struct.Struct(">I4s")
_CRC_BYTES = 4
_HEAD_BYTES = len(PNG_MAGIC) + _CHUNK_HEADER.size + _HEADER.size + _CRC_BYTES
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
    """Return the pixels, uint8 (height, width) or (height, width, channels), of a PNG.

    Raises `InputError` for 16-bit or animated ones, and other exceptions for damaged data. Text,
    time, EXIF and colour profile are not pixels and are dropped.
    """
    if data[:8] != PNG_MAGIC or data[12:16] != b"IHDR":
        raise InputError("not a PNG file")
    chunks = _chunks(data)
    depth, colour = _HEADER.unpack(chunks[b"IHDR"])[2:4]
    if depth not in _DEPTHS.get(colour, (8,)) or colour not in _COLOURS or b"acTL" in chunks:
        kind = "animated" if b"acTL" in chunks else f"{depth}-bit"
        raise unsupported("PNG", f"{kind} {_COLOURS.get(colour, 'unknown')}", tuple(KINDS))
    _check_length(chunks)
    samples, before = _samples(chunks), _before_pixels(chunks)
    if colour == _PALETTE:
        return by_palette(samples, before[b"PLTE"], before.get(b"tRNS"))
    if colour in (_GREY, _RGB) and b"tRNS" in before:
        return _with_alpha(samples, before[b"tRNS"], depth)
    return samples


def encode_png(pixels: np.ndarray) -> bytes:
    """Return uint8 (height, width) or (height, width, channels) as the bytes of an 8-bit PNG."""
    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()


def peek_png(file: BinaryIO) -> ImageSpec | None:
    """Return the spec stated by the chunks before the pixels of a PNG; None if unsupported."""
    head = file.read(_HEAD_BYTES)
    if head[8:16] != b"\0\0\0\rIHDR" or zlib.crc32(head[12:29]) != int.from_bytes(head[29:], "big"):
        return None
    width, height, depth, colour = _HEADER.unpack(head[16:29])[:4]
    if depth not in _DEPTHS.get(colour, (8,)) or colour not in _COLOURS:
        return None
    kinds = set(_kinds_before_pixels(file))
    if b"IDAT" not in kinds or b"acTL" in kinds:
        return None
    has_key = colour in (_GREY, _RGB, _PALETTE) and b"tRNS" in kinds
    return ImageSpec(height, width, _CHANNELS[colour] + has_key)


def _kinds_before_pixels(file: BinaryIO) -> Iterator[bytes]:
    """The kinds of the chunks after the header of an open PNG, up to the first with pixels."""
    kind = b""
    while kind != b"IDAT" and len(head := file.read(_CHUNK_HEADER.size)) == _CHUNK_HEADER.size:
        length, kind = _CHUNK_HEADER.unpack(head)
        file.seek(length + _CRC_BYTES, io.SEEK_CUR)
        yield kind


def _with_alpha(samples: np.ndarray, key: bytes, depth: int) -> np.ndarray:
    """Add an alpha channel to pixels (h, w) or (h, w, 3): 0 where they equal the key, else 255.

    The key has 16 bits for each sample, of which the lowest `depth` count.
    """
    top = (1 << depth) - 1
    scaled = [(value & top) * 255 // top for (value,) in struct.iter_unpack(">H", key)]
    values = samples.reshape(*samples.shape[:2], -1)
    if len(scaled) != values.shape[-1]:
        raise ValueError("a key of another length")
    alpha = np.where((values == np.array(scaled, np.uint8)).all(-1, keepdims=True), 0, 255)
    return np.concatenate([values, alpha.astype(np.uint8)], axis=-1)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The contents of the chunks by kind; chunks of one kind are joined.

    Raises `ValueError` or `struct.error` for a damaged or missing one.
    """
    chunks: dict[bytes, list[bytes]] = defaultdict(list)
    for kind, begin, end in _places(data):
        (crc,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(data[begin - len(kind) : end]) != crc:
            raise ValueError("checksum")
        chunks[kind].append(data[begin:end])
    return {kind: b"".join(parts) for kind, parts in chunks.items()}


def _before_pixels(chunks: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The chunks before the pixels, where a peek finds them; later ones are ignored."""
    kinds = list(chunks)
    return {kind: chunks[kind] for kind in kinds[: kinds.index(b"IDAT")]}


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
    """Raise `ValueError` if pixels are missing, which Pillow would fill with zeros."""
    width, height, depth, colour, *methods, interlaced = _HEADER.unpack(chunks[b"IHDR"])
    if any(methods) or interlaced > 1:
        raise ValueError("unknown method")
    passes = _ADAM7 if interlaced else _WHOLE
    sizes = [
        (len(range(top, height, down)), len(range(left, width, right)))
        for top, left, down, right in passes
    ]
    bits = _SAMPLES[colour] * depth
    expected = sum(rows * (1 + -(-columns * bits // 8)) for rows, columns in sizes if columns)
    stream = chunks[b"IDAT"]
    decoder = zlib.decompressobj()
    if expected > MAX_DEFLATE_RATIO * len(stream):  # before allocating that size
        raise ValueError("too short")
    # Bytes after the end of the stream are not part of the picture: some encoders leave them there,
    # and the third edition of PNG has decoders ignore them.
    if len(decoder.decompress(stream, expected + 1)) != expected or not decoder.eof:
        raise ValueError("not as many pixels as its header announces")


def _samples(chunks: dict[bytes, bytes]) -> np.ndarray:
    """The samples of a PNG whose chunks are complete; Pillow gets only the chunks that matter.

    Grey of fewer bits is scaled to 8; palettes give indices.
    """
    needed = [(kind, chunks[kind]) for kind in (b"IHDR", b"IDAT", b"IEND")]
    file = PNG_MAGIC + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in needed
    )
    with open_without_limit(BytesIO(file), "PNG") as image:
        samples = np.asarray(image)
        return samples * np.uint8(255) if image.mode == "1" else samples


register_format(
    PictureFormat(
        name="PNG",
        endings=(".png",),
        matches=lambda head: head.startswith(PNG_MAGIC),
        decode=decode_png,
        encode=encode_png,
        channels=tuple(KINDS),
        peek=peek_png,
        end=_end,
    )
)
