"""BMP with 24 bits, greys or a palette.

BMPs with alpha, which few programs read, cannot be written, and so are not read either.
"""

import struct
from typing import BinaryIO

from PIL import Image

from recvae.images.formats.pillow import PillowFormat

_FILE_BYTES, _INFO, _IMAGE_BYTES, _PROFILE = 2, 14, 34, 126  # offsets in a file
_V2_BITS, _BITS = 24, 28
_GREY_BITS = {"1": 1, "L": 8}  # of modes
_V2_BYTES, _V3_BYTES, _V5_BYTES = 12, 40, 124
"""Of the information header at `_INFO`, which begins with its size."""


def _detail(image: Image.Image, file: BinaryIO) -> str | None:
    codec, _, _, (arrangement, *_) = image.tile[0]  # type: ignore[attr-defined]
    if codec == "raw" and image.mode in _GREY_BITS:
        bits = _bits(file)
        if bits != _GREY_BITS[image.mode]:  # Pillow goes by the colours and can be wrong
            return f"{bits}-bit"
    if ";" in arrangement:
        return "5-bit" if image.mode == "RGB" else None
    return "4-channel" if image.mode == "RGB" and len(arrangement) == 4 else None


def _bits(file: BinaryIO) -> int:
    """Bits per pixel."""
    file.seek(0)
    head = file.read(_BITS + 2)
    (info_bytes,) = struct.unpack_from("<I", head, _INFO)
    (bits,) = struct.unpack_from("<H", head, _V2_BITS if info_bytes == _V2_BYTES else _BITS)
    return int(bits)


def _end(image: Image.Image, data: bytes) -> int:
    """The largest end that a BMP states: writers leave some out or write nonsense."""
    codec, _, pixels, arguments = image.tile[0]  # type: ignore[attr-defined]
    (info_bytes,) = struct.unpack_from("<I", data, _INFO)
    ends = list(struct.unpack_from("<I", data, _FILE_BYTES))
    if codec == "raw":
        ends.append(pixels + arguments[1] * image.height)
    if info_bytes >= _V3_BYTES:
        ends.append(pixels + struct.unpack_from("<I", data, _IMAGE_BYTES)[0])
    if info_bytes == _V5_BYTES:  # its profile may follow the pixels
        ends.append(_INFO + sum(struct.unpack_from("<2I", data, _PROFILE)))
    return max((end for end in ends if pixels < end <= len(data)), default=len(data))


PillowFormat(
    "BMP",
    end=_end,
    max_ratio=128,  # of run lengths, 255 pixels in 2 bytes
    detail=_detail,
).register(
    endings=(".bmp",),
    matches=lambda head: head[:2] == b"BM",
)
