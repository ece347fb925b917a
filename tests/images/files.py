"""Files of images byte by byte, whose every field can be wrong."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from recvae.images.formats.png import encode_png

SMALL = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(*sizes: int, kind: int = 8, data: bytes = b"", zeros: int = 0) -> bytes:
    return struct.pack(f">HBB{len(sizes)}I", zeros, kind, len(sizes), *sizes) + data


def npy(array: np.ndarray) -> bytes:
    stream = BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_header(shape: str) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def png(mode: str, **options: object) -> bytes:
    stream = BytesIO()
    Image.new(mode, (4, 3)).save(stream, "PNG", **options)
    return stream.getvalue()


def png_from(rows: bytes, *header: int, before: bytes = b"") -> bytes:
    """A 4 × 3 PNG with these bytes of rows; `header` replaces the last header fields."""
    fields = struct.pack(">2I5B", *(4, 3, 8, 0, 0, 0, 0)[: 7 - len(header)], *header)
    chunks = [(b"IHDR", fields), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + before + b"".join(chunk(*parts) for parts in chunks)


def chunk(kind: bytes, content: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


GOOD_PNG = encode_png(SMALL[0])


RGB_HEADER = chunk(b"IHDR", struct.pack(">2I5B", 4, 3, 8, 2, 0, 0, 0))
