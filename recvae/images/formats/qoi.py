"""QOI through Pillow, whose older versions can only read it.

QOI has no grey: its pictures are RGB, with or without alpha.
Source: https://qoiformat.org/qoi-specification.pdf
"""

import struct
from io import BytesIO
from typing import BinaryIO

import numpy as np
from PIL import Image

from recvae.errors import InputError
from recvae.images.formats.pillow import open_without_limit
from recvae.images.formats.registry import PictureFormat, check_end, register_format
from recvae.images.spec import RGB, RGBA, ImageSpec

_MAGIC = b"qoif"
_HEADER = struct.Struct(">4s2I2B")
_END = bytes(7) + b"\1"
_MAX_RATIO = 62  # pixels from one byte of a run


def _decode(data: bytes) -> np.ndarray:
    spec = _peek(BytesIO(data))
    if spec.num_pixels > _MAX_RATIO * len(data):
        raise ValueError("too short")  # before allocating that size
    file = BytesIO(data)
    with open_without_limit(file, "QOI") as image:
        pixels = np.array(image)
    end = file.tell() + len(_END)
    if data[file.tell() : end] != _END:
        raise ValueError("no end marker after the pixels")
    check_end(end, data)
    return pixels


def _encode(pixels: np.ndarray) -> bytes:
    Image.init()
    if "QOI" not in Image.SAVE:
        raise InputError("this version of Pillow cannot write QOI: upgrade it, or write PNG")
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "QOI")
    return stream.getvalue()


def _peek(file: BinaryIO) -> ImageSpec:
    _, width, height, channels, _ = _HEADER.unpack(file.read(_HEADER.size))
    if channels not in (RGB, RGBA):
        raise ValueError(f"{channels} channels")
    return ImageSpec(height, width, channels)


register_format(
    PictureFormat(
        name="QOI",
        endings=(".qoi",),
        matches=lambda head: head.startswith(_MAGIC),
        decode=_decode,
        encode=_encode,
        channels=(RGB, RGBA),
        peek=_peek,
    )
)
