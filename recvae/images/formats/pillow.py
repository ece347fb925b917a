"""Formats that Pillow reads and writes without loss: WebP, TIFF, BMP and PPM (PGM too).

A lossy WebP is read as any other: pixels are pixels. WebP has no grey: its pictures are RGB, and
grey images cannot be written as WebP, since they would come back as RGB. Colour profiles and other
metadata are left behind.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from recvae.errors import InputError
from recvae.images.formats.registry import PictureFormat, register_format
from recvae.images.formats.unsupported import unsupported
from recvae.images.spec import GREY, RGB, ImageSpec

_KINDS = {
    "1": "1-bit grey",
    "P": "palette",
    "PA": "palette with alpha",
    "LA": "grey with alpha",
    "RGBA": "RGB with alpha",
    "I": "32-bit grey",
    "F": "float grey",
} | dict.fromkeys(("I;16", "I;16B", "I;16L", "I;16N"), "16-bit grey")
_BITS, _SAMPLES, _PLANES, _SAMPLE_FORMAT = 258, 277, 284, 339  # tags of TIFF 6.0
_UNSIGNED = 1
_STDERR = 2  # the file descriptor
_CLAIM_BYTES = 30
_FREE_BYTES = 1 << 26  # of pixels, that a WebP of one colour may claim in some bytes
_FREE_RATIO = 1 << 15  # bytes of pixels for each byte of a larger one
_LOCK = Lock()
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it prints what it logs of damage


@dataclass(frozen=True)
class _Pillow:
    """One format of Pillow.

    `max_ratio` bounds the bytes of pixels for each byte of a file, where the format does; `claim`
    returns the bytes of pixels that a file claims by its beginning, where Pillow allocates them at
    once; `detail` returns what besides the mode makes a picture of an open file unsupported, or
    None, and raises ValueError for a damaged one; `options` are those of `save`.
    """

    name: str
    max_ratio: int | None = None
    claim: Callable[[bytes], int] = lambda head: 0
    detail: Callable[[Image.Image, BinaryIO], str | None] = lambda image, file: None
    options: dict[str, Any] = field(default_factory=dict)

    def decode(self, data: bytes) -> np.ndarray:
        with self._open(BytesIO(data)) as image, _silent_libtiff(image):
            return np.array(image)

    def encode(self, pixels: np.ndarray) -> bytes:
        stream = BytesIO()
        Image.fromarray(pixels).save(stream, self.name.upper(), **self.options)
        return stream.getvalue()

    def peek(self, file: BinaryIO) -> ImageSpec:
        with self._open(file) as image:
            return ImageSpec(image.height, image.width, GREY if image.mode == "L" else RGB)

    @contextmanager
    def _open(self, file: BinaryIO) -> Iterator[Image.Image]:
        """A picture of a kind that is supported, not decoded yet."""
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        if self.claim(file.read(_CLAIM_BYTES)) > max(_FREE_BYTES, _FREE_RATIO * num_bytes):
            raise ValueError("too short")
        file.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong with metadata
            try:
                with Image.open(file, formats=[self.name]) as image:
                    if kind := self._unsupported_kind(image, file):
                        raise unsupported(self.name, kind)
                    size = image.width * image.height * len(image.getbands())
                    if self.max_ratio and size > self.max_ratio * num_bytes:
                        raise ValueError("too short")  # before anything of that size is allocated
                    yield image
            except Image.DecompressionBombError as error:
                raise InputError(f"too many pixels ({error})") from error

    def _unsupported_kind(self, image: Image.Image, file: BinaryIO) -> str | None:
        colour = "grey" if image.mode == "L" else "RGB" if image.mode == "RGB" else None
        if detail := self.detail(image, file):
            return f"{detail} {colour or ''}".strip()
        return None if colour else _KINDS.get(image.mode, image.mode)


@contextmanager
def _silent_libtiff(image: Image.Image) -> Iterator[None]:
    """Keep the C library behind compressed TIFFs from printing on standard error.

    What it has to say of damage comes as an exception too, and is told in one line.
    """
    is_libtiff = any(tile[0] == "libtiff" for tile in getattr(image, "tile", ()))
    if not is_libtiff or sys.stderr is None:  # as it is where standard error is closed
        yield
        return
    with _LOCK, open(os.devnull, "wb") as nowhere:
        kept = os.dup(_STDERR)
        os.dup2(nowhere.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)


def _webp_claim(head: bytes) -> int:
    """Bytes of pixels of a WebP, by its first chunk (RFC 9649, sections 2.5 to 2.7)."""
    kind, data = head[12:16], head[20:30]
    if kind == b"VP8X" and data and not data[0] & 2:  # those that are animated are not decoded
        sides = [int.from_bytes(data[at : at + 3], "little") + 1 for at in (4, 7)]
    elif kind == b"VP8X":
        sides = [0, 0]
    elif kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        sides = [(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1]
    else:
        sides = [int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8)]
    return RGB * sides[0] * sides[1] if kind in (b"VP8X", b"VP8L", b"VP8 ") else 0


def _webp_detail(image: Image.Image, file: BinaryIO) -> str | None:
    file.seek(0)
    head = file.read(21)  # a canvas is larger than its only frame may be, and has no limit
    return "animated" if head[12:16] == b"VP8X" and head[20] & 2 else None


def _tiff_detail(image: Image.Image, _: BinaryIO) -> str | None:
    if getattr(image, "n_frames", 1) > 1:
        return "multi-page"
    if image.mode not in ("L", "RGB"):
        return None
    tags, bands = image.tag_v2, len(image.getbands())  # type: ignore[attr-defined]
    bits, samples = max(tags.get(_BITS, (1,))), tags.get(_SAMPLES, bands)
    if bits != 8:  # Pillow drops the lower half of 16 bits
        return f"{bits}-bit"
    if set(tags.get(_SAMPLE_FORMAT, ())) - {_UNSIGNED}:
        return "signed"
    if samples != bands:
        return f"{samples}-channel"
    boxes = [tile[1] for tile in image.tile if tile[0] == "raw"]  # type: ignore[attr-defined]
    covered = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes if boxes)
    planes = bands if tags.get(_PLANES) == 2 else 1
    if boxes and covered != planes * image.width * image.height:
        raise ValueError("strips are missing")  # of which Pillow makes zeros
    return None


def _bmp_detail(image: Image.Image, _: BinaryIO) -> str | None:
    arrangement = image.tile[0][3][0]  # type: ignore[attr-defined]
    if ";" in arrangement:
        return "5-bit" if image.mode == "RGB" else None
    return "4-channel" if image.mode == "RGB" and len(arrangement) == 4 else None


def _ppm_detail(image: Image.Image, file: BinaryIO) -> str | None:
    if image.mode == "I":
        return "16-bit grey"
    if image.mode not in ("L", "RGB"):
        return None
    codec, _, offset, arguments = image.tile[0]  # type: ignore[attr-defined]
    if codec != "raw" and (maximum := arguments[1]) != 255:  # Pillow would scale
        return f"0-to-{maximum}" if maximum < 256 else "16-bit"
    count = image.width * image.height * len(image.getbands())
    file.seek(offset)
    found = file.seek(0, os.SEEK_END) - offset if codec == "raw" else len(file.read().split())
    if found > count:
        raise InputError("bytes trail the picture; save several as files of their own")
    return None


def _register(
    pillow: _Pillow,
    endings: tuple[str, ...],
    matches: Callable[[bytes], bool],
    channels: tuple[int, ...] = (GREY, RGB),
) -> None:
    known = (pillow.decode, pillow.encode, channels, pillow.peek)
    register_format(PictureFormat(pillow.name, endings, matches, *known))


_register(
    _Pillow("WebP", None, _webp_claim, _webp_detail, {"lossless": True, "exact": True}),
    endings=(".webp",),
    matches=lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    channels=(RGB,),
)
_register(
    _Pillow("TIFF", max_ratio=1 << 15, detail=_tiff_detail),  # of zstd; the others expand less
    endings=(".tif", ".tiff"),
    matches=lambda head: head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
)
_register(
    _Pillow("BMP", max_ratio=128, detail=_bmp_detail),  # of run lengths, 255 pixels in 2 bytes
    endings=(".bmp",),
    matches=lambda head: head[:2] == b"BM",
)
_register(
    _Pillow("PPM", max_ratio=1, detail=_ppm_detail),
    endings=(".ppm", ".pgm", ".pnm"),
    matches=lambda head: head[:1] == b"P" and head[1:2] in tuple(b"%d" % i for i in range(1, 7)),
)
