"""WebP, lossless: RFC 9649.

A lossy WebP is read like any other: pixels are pixels. WebP has no grey: its pictures are RGB, with
or without alpha, and grey images cannot be written as WebP, since they would come back as RGB.
"""

import struct
from typing import BinaryIO

import numpy as np
from PIL import Image

from recvae.images.formats.pillow import PillowFormat
from recvae.images.spec import RGB, RGBA

_CHUNK = struct.Struct("<4sI")
_FILE_HEADER_BYTES = 12  # "RIFF", the bytes that follow, "WEBP"
_IMAGE_CHUNKS = {b"VP8 ", b"VP8L"}
_HINT_BYTE, _HAS_ALPHA = 24, 0x10  # in a VP8L that is the first chunk (RFC 9649, section 3.4)


def _claim(head: bytes) -> int:
    """Bytes of pixels that a WebP states in its first chunk (sections 2.5 to 2.7)."""
    kind, data = head[12:16], head[20:30]
    if kind == b"VP8X" and data and not data[0] & 2:  # animated ones are not decoded
        sides = [int.from_bytes(data[at : at + 3], "little") + 1 for at in (4, 7)]
    elif kind == b"VP8X":
        sides = [0, 0]
    elif kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        sides = [(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1]
    else:
        sides = [int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8)]
    return RGB * sides[0] * sides[1] if kind == b"VP8X" or kind in _IMAGE_CHUNKS else 0


def _detail(image: Image.Image, file: BinaryIO) -> str | None:
    file.seek(0)
    head = file.read(21)  # a canvas may exceed its only frame and has no limit
    return "animated" if head[12:16] == b"VP8X" and head[20] & 2 else None


def _end(image: Image.Image, data: bytes) -> int:
    """The end by the file's header, or the start of a second image, which is never decoded."""
    _, size = _CHUNK.unpack_from(data)
    end = _CHUNK.size + size
    position, images = _FILE_HEADER_BYTES, 0
    while position + _CHUNK.size <= min(end, len(data)):
        kind, size = _CHUNK.unpack_from(data, position)
        images += kind in _IMAGE_CHUNKS
        if images > 1:
            return position
        position += _CHUNK.size + size + size % 2
    return end


def _finished(data: bytes, pixels: np.ndarray) -> bytes:
    """Mark pixels with alpha, even if it is 255 everywhere: else they would come back without."""
    if pixels.shape[-1] == RGB:
        return data
    if data[12:16] != b"VP8L":
        raise ValueError("not a lossless WebP of one chunk")
    file = bytearray(data)
    file[_HINT_BYTE] |= _HAS_ALPHA
    return bytes(file)


PillowFormat(
    "WebP",
    end=_end,
    channels=(RGB, RGBA),
    claim=_claim,
    detail=_detail,
    options={"lossless": True, "exact": True},
    finished=_finished,
).register(
    endings=(".webp",),
    matches=lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
)
