"""Sizes of general-purpose codecs for the same images."""

import bz2
import lzma
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from recvae.evaluation.image_files import pillow_file

WEBP_MAX_SIDE = 16383  # pixels; the format has 14 bits for a side
_ZLIB_STRATEGIES = range(5)  # which one is best depends on the image

Pack = Callable[[np.ndarray], int]


class ReferenceSize(NamedTuple):
    """The bytes that one codec needs for a set of images."""

    name: str
    one_file_each: int
    all_in_one: int


def reference_sizes(pixels: np.ndarray) -> list[ReferenceSize]:
    """Return the sizes of uint8 (n, h, w) by PNG, WebP, zstd, bz2 and xz at their strongest.

    For all in one, image codecs get near-square mosaics, the others the raw bytes as one stream.
    WebP is left out if an image exceeds its limit, zstd if the package zstandard is missing.
    """
    rows = [_image_row("PNG", _png_bytes, pixels)]
    if max(pixels.shape[1:]) <= WEBP_MAX_SIDE:
        rows.append(_image_row("WebP lossless", _webp_bytes, pixels))
    return rows + [_stream_row(name, pack, pixels) for name, pack in _stream_codecs().items()]


def mosaics(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Tile uint8 (n, height, width) into near-square images, none over WebP's limit if tiles allow.

    RGB, (n, height, width, 3), likewise. Images run row by row; an incomplete last row is filled
    with zeros.
    """
    height, width = pixels.shape[1:3]
    most = max(1, WEBP_MAX_SIDE // height) * max(1, WEBP_MAX_SIDE // width)
    for start in range(0, len(pixels), most):
        yield _mosaic(pixels[start : start + most])


def mosaic_grid(count: int, height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of the most nearly square mosaic within WebP's limit."""
    square = math.ceil(math.sqrt(count * height / width))
    fewest = math.ceil(count / max(1, WEBP_MAX_SIDE // height))  # or the rows exceed the limit
    columns = min(max(square, fewest), max(1, WEBP_MAX_SIDE // width))
    return math.ceil(count / columns), columns


def _mosaic(pixels: np.ndarray) -> np.ndarray:
    count, height, width, *channels = pixels.shape
    rows, columns = mosaic_grid(count, height, width)
    tiles = np.zeros((rows * columns, *pixels.shape[1:]), np.uint8)
    tiles[:count] = pixels
    grid = tiles.reshape(rows, columns, *pixels.shape[1:]).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, *channels)


def _image_row(name: str, pack: Pack, pixels: np.ndarray) -> ReferenceSize:
    return ReferenceSize(name, sum(map(pack, pixels)), sum(map(pack, mosaics(pixels))))


def _stream_row(name: str, pack: Pack, pixels: np.ndarray) -> ReferenceSize:
    return ReferenceSize(name, sum(map(pack, pixels)), pack(pixels))


def _png_bytes(pixels: np.ndarray) -> int:
    return min(
        _pillow_bytes(pixels, format="PNG", compress_level=9, compress_type=strategy)
        for strategy in _ZLIB_STRATEGIES
    )


def _webp_bytes(pixels: np.ndarray) -> int:
    return _pillow_bytes(pixels, format="WEBP", lossless=True, quality=100, method=6)


def _pillow_bytes(pixels: np.ndarray, **options: Any) -> int:
    return len(pillow_file(pixels, **options))


def _stream_codecs() -> dict[str, Pack]:
    return _zstd_codecs() | {
        "bz2 -9": lambda pixels: len(bz2.compress(pixels.tobytes(), 9)),
        "xz -9e": _xz_bytes,
    }


def _zstd_codecs() -> dict[str, Pack]:
    try:
        from zstandard import ZstdCompressor
    except ImportError:  # a development dependency
        return {}

    def pack_at(level: int) -> Pack:
        codec = ZstdCompressor(level=level)
        return lambda pixels: len(codec.compress(pixels.tobytes()))

    return {f"zstd -{level}": pack_at(level) for level in (19, 22)}


def _xz_bytes(pixels: np.ndarray) -> int:
    # A dictionary larger than the data saves nothing, but clearing it is slow for a small file.
    dictionary = min(max(4096, pixels.size), 1 << 26)
    preset = 9 | lzma.PRESET_EXTREME
    filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": dictionary}]
    return len(lzma.compress(pixels.tobytes(), filters=filters))
