"""Other lossless codecs for pictures, one file a picture, with a check of the pixels.

Each runs in one thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recvae.evaluation.image_files import is_installed, left_out, pillow_file, pillow_pixels

Picture: TypeAlias = NDArray[np.uint8]
"""Grey (height, width) or RGB (height, width, 3)."""


@dataclass(frozen=True)
class LosslessCodec:
    """A codec for single pictures.

    Fields:
        name: the codec's name.
        package: the package whose version determines its files.
        feature: feature that the package must be built with; None if it always is.
        options: its options in words.
        encode: from a picture to the bytes of a file.
        decode: from these bytes to a picture with this number of channels, 1 or 3.
        max_side: largest side of a picture, in pixels.
    """

    name: str
    package: str
    feature: str | None
    options: str
    encode: Callable[[Picture], bytes]
    decode: Callable[[bytes, int], Picture] = pillow_pixels
    max_side: int = 1 << 31

    @property
    def version(self) -> str:
        """Version of its package, such as "pillow 13.0.0"."""
        return f"{self.package} {version(self.package)}"

    @property
    def installed(self) -> bool:
        """Whether it is available here."""
        return self.feature is None or is_installed(self.package, self.feature)


def lossless_codecs() -> list[LosslessCodec]:
    """The installed codecs; see `missing_lossless_codecs` for the others."""
    return [codec for codec in LOSSLESS_CODECS if codec.installed]


def missing_lossless_codecs() -> list[str]:
    """A line about each codec that is not installed."""
    missing = [codec for codec in LOSSLESS_CODECS if not codec.installed]
    return [left_out(codec.name, codec.package) for codec in missing]


def _indexed_png(picture: Picture) -> bytes:
    """The smaller of a plain PNG and, for at most 256 colours, one with a palette."""
    files = [pillow_file(picture, format="PNG", optimize=True)]
    weights = [0x010101] if picture.ndim == 2 else [1, 1 << 8, 1 << 16]
    values = np.atleast_3d(picture) @ np.array(weights, np.uint32)
    colours, indices = np.unique(values, return_inverse=True)
    if len(colours) <= 256:
        size = picture.shape[1], picture.shape[0]
        indexed = Image.frombytes("P", size, indices.astype(np.uint8).tobytes())
        indexed.putpalette(colours.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
        files.append(pillow_file(indexed, format="PNG", optimize=True))
    return min(files, key=len)


def _imagecodecs(function: str, data: Picture | bytes, **options: Any) -> Any:
    import imagecodecs

    return getattr(imagecodecs, function)(data, **options)


def _encode(function: str, **options: Any) -> Callable[[Picture], bytes]:
    return lambda picture: bytes(_imagecodecs(function, np.ascontiguousarray(picture), **options))


def _decode(function: str, **options: Any) -> Callable[[bytes, int], Picture]:
    return lambda file, channels: np.asarray(_imagecodecs(function, file, **options))


def _qoi(picture: Picture) -> bytes:
    as_rgb = picture if picture.ndim == 3 else picture[..., None].repeat(3, 2)
    return _encode("qoi_encode")(as_rgb)


def _decode_qoi(file: bytes, channels: int) -> Picture:
    picture = _decode("qoi_decode")(file, channels)
    return picture if channels == 3 else picture[..., 0]


def _jpeg_xl(effort: int) -> LosslessCodec:
    return LosslessCodec(
        f"JPEG XL {effort}",
        "imagecodecs",
        "JPEGXL",
        f"Effort {effort}, bare codestream.",
        _encode("jpegxl_encode", lossless=True, effort=effort, numthreads=1),
        _decode("jpegxl_decode", numthreads=1),
    )


PNG = LosslessCodec(
    "PNG",
    "pillow",
    None,
    "optimize.",
    partial(pillow_file, format="PNG", optimize=True),
)
LOSSLESS_CODECS = (
    PNG,
    LosslessCodec(
        "PNG, palette",
        "pillow",
        None,
        "The same, or with a palette where colours are few enough and that is smaller.",
        _indexed_png,
    ),
    LosslessCodec(
        "WebP",
        "pillow",
        "webp",
        "Lossless, quality 100, method 6.",
        partial(pillow_file, format="WEBP", lossless=True, quality=100, method=6),
        max_side=16383,
    ),
    *map(_jpeg_xl, (3, 7, 9)),
    LosslessCodec(
        "JPEG 2000",
        "imagecodecs",
        "JPEG2K",
        "Reversible wavelet and colour transform, bare codestream.",
        _encode("jpeg2k_encode", level=0, reversible=True, codecformat="j2k", numthreads=1),
        _decode("jpeg2k_decode", numthreads=1),
    ),
    LosslessCodec(
        "JPEG-LS",
        "imagecodecs",
        "JPEGLS",
        "CharLS, without a colour transform.",
        _encode("jpegls_encode"),
        _decode("jpegls_decode"),
    ),
    LosslessCodec(
        "QOI",
        "imagecodecs",
        "QOI",
        "Grey pictures as RGB, it knows no other.",
        _qoi,
        _decode_qoi,
    ),
)
