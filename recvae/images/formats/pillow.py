"""Shared parts of the formats that Pillow reads and writes without loss.

Colour profiles and other metadata are dropped.
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
from PIL.ImageFile import ImageFile

from recvae.images.formats.registry import PictureFormat, register_format
from recvae.images.formats.unsupported import unsupported
from recvae.images.spec import GREY, GREY_ALPHA, KINDS, RGB, RGBA, ImageSpec

_CHANNELS = {"1": GREY, "L": GREY, "LA": GREY_ALPHA, "P": RGB, "RGB": RGB, "RGBA": RGBA}
_OTHERS = {
    "PA": "palette with alpha",
    "La": "premultiplied grey with alpha",
    "I": "32-bit grey",
    "F": "float grey",
} | dict.fromkeys(("I;16", "I;16B", "I;16L", "I;16N"), "16-bit grey")
_STDERR = 2  # the file descriptor
_CLAIM_BYTES = 30
_FREE_BYTES = 1 << 26  # of pixels, which a WebP of one colour may state in a few bytes
_FREE_RATIO = 1 << 15  # bytes of pixels for each byte of a larger file
_LOCK, _LIMIT_LOCK = Lock(), Lock()
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it prints its log of damage


@dataclass(frozen=True)
class PillowFormat:
    """A format that Pillow reads and writes.

    Fields:
        name: of the format, in any case.
        end: where the picture ends within the bytes of a file that could be decoded.
        channels: as in `PictureFormat`.
        max_ratio: bounds the bytes of pixels for each byte of a file, where the format does.
        claim: the bytes of pixels that a file's beginning states, if Pillow allocates them at once.
        detail: what besides the mode makes the picture of an open file unsupported, or None. Raises
            ValueError for a damaged file.
        options: for `save`.
        finished: from Pillow's bytes and the pixels to the bytes of the file.
    """

    name: str
    end: Callable[[Image.Image, bytes], int]
    channels: tuple[int, ...] = (GREY, RGB)
    max_ratio: int | None = None
    claim: Callable[[bytes], int] = lambda head: 0
    detail: Callable[[Image.Image, BinaryIO], str | None] = lambda image, file: None
    options: dict[str, Any] = field(default_factory=dict)
    finished: Callable[[bytes, np.ndarray], bytes] = lambda data, pixels: data

    def register(self, endings: tuple[str, ...], matches: Callable[[bytes], bool]) -> None:
        """Register the format; see `PictureFormat`."""
        known = (self._decode, self._encode, self.channels, self._peek, self._end)
        register_format(PictureFormat(self.name, endings, matches, *known))

    def _decode(self, data: bytes) -> np.ndarray:
        with self._open(BytesIO(data)) as image, _silent_libtiff(image):
            with _without_limit():
                image.load_prepare()  # which checks TIFFs against the limit again
            pixels = np.array(image)
            if image.mode == "1":
                return pixels * np.uint8(255)
            if image.mode == "P":
                return by_palette(pixels, bytes(image.getpalette("RGB") or ()))
            return pixels

    def _encode(self, pixels: np.ndarray) -> bytes:
        stream = BytesIO()
        Image.fromarray(pixels).save(stream, self.name.upper(), **self.options)
        return self.finished(stream.getvalue(), pixels)

    def _peek(self, file: BinaryIO) -> ImageSpec:
        with self._open(file) as image:
            return ImageSpec(image.height, image.width, _CHANNELS[image.mode])

    def _end(self, data: bytes) -> int:
        with self._open(BytesIO(data)) as image:
            return self.end(image, data)

    @contextmanager
    def _open(self, file: BinaryIO) -> Iterator[ImageFile]:
        """Open a picture of a supported kind, without decoding it."""
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        if self.claim(file.read(_CLAIM_BYTES)) > max(_FREE_BYTES, _FREE_RATIO * num_bytes):
            raise ValueError("too short")
        file.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about bad metadata
            with open_without_limit(file, self.name) as image:
                if kind := self._unsupported_kind(image, file):
                    raise unsupported(self.name, kind, self.channels)
                size = image.width * image.height * len(image.getbands())
                if self.max_ratio and size > self.max_ratio * num_bytes:
                    raise ValueError("too short")  # before allocating that size
                yield image

    def _unsupported_kind(self, image: Image.Image, file: BinaryIO) -> str | None:
        channels = _CHANNELS.get(image.mode)
        colour = "palette" if image.mode == "P" else KINDS[channels] if channels else ""
        if detail := self.detail(image, file):
            return f"{detail} {colour}".strip()
        if channels in self.channels:
            return None
        return colour or _OTHERS.get(image.mode, image.mode)


def open_without_limit(file: BinaryIO, name: str) -> ImageFile:
    """Open a picture with Pillow, lifting its limit on pixels, which is global.

    The registry checks sizes against the caller's limit before pixels are decoded.
    """
    with _without_limit():
        return Image.open(file, formats=[name])


@contextmanager
def _without_limit() -> Iterator[None]:
    with _LIMIT_LOCK:
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = kept


def by_palette(indices: np.ndarray, colours: bytes, alpha: bytes | None = None) -> np.ndarray:
    """Return the colours of pixels, (h, w, 3), or (h, w, 4) if some entries have an alpha.

    Args:
        indices: those of the pixels, uint8 (h, w).
        colours: red, green, blue of the palette's entries, one after the other.
        alpha: that of the first entries, if any have one; others have 255.

    Raises ValueError for a pixel beyond the palette.
    """
    palette = np.frombuffer(colours, np.uint8).reshape(-1, RGB)
    if indices.size and int(indices.max()) >= len(palette):
        raise ValueError("a pixel beyond the palette")
    if alpha is not None:
        opaque = np.frombuffer(alpha[: len(palette)].ljust(len(palette), b"\xff"), np.uint8)
        palette = np.concatenate([palette, opaque[:, None]], axis=1)
    return palette[indices]


@contextmanager
def _silent_libtiff(image: Image.Image) -> Iterator[None]:
    """Keep the C library behind compressed TIFFs from printing to standard error.

    It reports damage by an exception too, which becomes one line.
    """
    is_libtiff = any(tile[0] == "libtiff" for tile in getattr(image, "tile", ()))
    if not is_libtiff or sys.stderr is None:  # None where standard error is closed
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
