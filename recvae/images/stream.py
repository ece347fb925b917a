"""Images some at a time, in memory that does not grow with their number."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from recvae.errors import InputError
from recvae.images.names import check_names

CHUNK_BYTES = 1 << 20
Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ImageStream:
    """Grey images of one size, to be taken once and in order.

    `shape` is (n, height, width), known before the first of them; `chunks` yields uint8 (k, height,
    width), a megabyte at a time or one image if that is more; `names` are distinct bare file names
    ending in `.png`, one an image, or None. Raises `InputError` for anything else, and so does
    `chunks` where damage shows late: only at its end is what came known to be whole.
    """

    shape: Shape
    chunks: Iterator[np.ndarray]
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_pixels(np.dtype(np.uint8), self.shape)
        if self.names is not None:
            check_names(self.names, self.shape[0])


def check_pixels(dtype: np.dtype, shape: tuple[int, ...]) -> Shape:
    """Return `shape`, or raise `InputError` unless it is uint8 (n, height, width) with pixels."""
    if dtype != np.uint8:
        raise InputError(f"holds {dtype} where pixels are uint8: convert it first")
    if len(shape) != 3:
        raise InputError(f"has shape {shape}, not (n, height, width)")
    too_large = not shape[0] and max(shape) >= 1 << 31  # arrays have limits even where empty
    if 0 in shape[1:] or too_large:
        raise InputError(f"holds no pixels: its shape is {shape}")
    return (shape[0], shape[1], shape[2])


def read_chunks(
    file: BinaryIO, shape: Shape, name: str, at_once: int | None = None
) -> Iterator[np.ndarray]:
    """Yield the pixels of `shape` (n, height, width) that are the rest of a file.

    They come `at_once` images at a time or, without it, `CHUNK_BYTES` at a time. Raises
    `InputError` that names the file if bytes are missing or too many, which shows at the end.
    Memory grows with the data that is there, never with what `shape` announces.
    """
    count, height, width = shape
    step = at_once or images_at_once(shape)
    for start in range(0, count, step):
        size = min(step, count - start) * height * width
        data = bytearray()
        while piece := file.read(min(CHUNK_BYTES, size - len(data))):
            data += piece
        if len(data) < size:
            check_length(start * height * width + len(data), shape, name)
        yield np.frombuffer(data, np.uint8).reshape(-1, height, width)
    # Asking for one byte more also makes gzip compare its checksum.
    check_length(count * height * width + len(file.read(1)), shape, name)


def check_length(data_bytes: int, shape: Shape, name: str) -> None:
    """Raise `InputError` unless so many bytes are the pixels of `shape`."""
    count, height, width = shape
    expected = count * height * width
    described = f"{count} images of {height} × {width} pixels"
    if data_bytes < expected:
        raise InputError(
            f"{name}: truncated: its header announces {described}, "
            f"{expected} bytes, and {data_bytes} follow"
        )
    if data_bytes > expected:
        raise InputError(f"{name}: bytes trail the {described} that its header announces")


def images_at_once(shape: tuple[int, ...]) -> int:
    """Return how many images (n, height, width) make a chunk: one at least."""
    return max(1, CHUNK_BYTES // max(1, shape[1] * shape[2]))


def regroup(chunks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the same images as new arrays of `size` images; the last may hold fewer."""
    waiting: list[np.ndarray] = []
    missing = size
    for chunk in chunks:
        while len(chunk):
            part, chunk = chunk[:missing], chunk[missing:]
            waiting.append(part)
            missing -= len(part)
            if not missing:
                yield np.concatenate(waiting)
                waiting, missing = [], size
    if waiting:
        yield np.concatenate(waiting)
