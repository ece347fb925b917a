"""Images in chunks, in memory that does not grow with their number."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from recvae.errors import InputError
from recvae.images.names import check_names
from recvae.images.spec import GREY, KINDS, ImageSpec

CHUNK_BYTES = 1 << 20
Runs = tuple[tuple[ImageSpec, int], ...]


@dataclass(frozen=True, eq=False)
class ImageStream:
    """Images to be consumed once, in order.

    Fields:
        runs: known in advance: pairs of a spec and the number of consecutive images that have it;
            no images are one run of 0.
        chunks: uint8 (k, height, width) or (k, height, width, channels): images of one spec, up to
            a megabyte at a time, or one larger image. Raises InputError for damage found late: the
            images are known to be complete only at the end.
        names: distinct bare file names of pictures, one an image, or None.
        source: the name of the images in messages.

    Raises InputError for other names, ValueError for other runs.
    """

    runs: Runs
    chunks: Iterator[np.ndarray]
    names: tuple[str, ...] | None = None
    source: str = "images"

    def __post_init__(self) -> None:
        least = 0 if len(self.runs) == 1 else 1
        if not self.runs or min(count for _, count in self.runs) < least:
            raise ValueError(f"runs: got {self.runs}, need at least one image in each")
        if any(left == right for (left, _), (right, _) in pairwise(self.runs)):
            raise ValueError(f"runs: got {self.runs}, need consecutive specs to differ")
        if self.names is not None:
            check_names(self.names, self.count)

    @property
    def count(self) -> int:
        """The number of images."""
        return sum(count for _, count in self.runs)

    @property
    def spec(self) -> ImageSpec | None:
        """The spec of all images; None if they differ."""
        return self.runs[0][0] if len(self.runs) == 1 else None

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width) or (n, height, width, channels); InputError if images differ."""
        if self.spec is None:
            (first, count), (other, _), *_ = self.runs
            name, other_name = self.name_of(0), self.name_of(count)
            raise InputError(
                f"{self.source}: images differ in size: {name} is {first} and {other_name} is "
                f"{other}; give one folder per size"
            )
        return (self.count, *self.spec.shape)

    @property
    def raw_bytes(self) -> int:
        """Bytes of all images, uncompressed."""
        return sum(count * spec.raw_bytes for spec, count in self.runs)

    def name_of(self, index: int) -> str:
        """Return the name of an image for messages."""
        return self.names[index] if self.names else f"image {index}"


def check_pixels(
    dtype: np.dtype, shape: tuple[int, ...], channels: int = GREY
) -> tuple[ImageSpec, int]:
    """Return spec and number of the images of an array.

    Raises `InputError` unless it is non-empty uint8 (n, height, width), or (n, height, width,
    channels) for more than 1 channel.
    """
    if dtype != np.uint8:
        raise InputError(f"holds {dtype}, but pixels must be uint8: convert it first")
    last = () if channels == GREY else (channels,)
    if len(shape) != 3 + len(last) or shape[3:] != last:
        expected = ", ".join(map(str, ("n", "height", "width", *last)))
        raise InputError(f"has shape {shape}, not ({expected}){_channels_hint(shape, channels)}")
    too_large = not shape[0] and max(shape) >= 1 << 31  # arrays have limits even if empty
    if 0 in shape[1:] or too_large:
        raise InputError(f"holds no pixels: its shape is {shape}")
    return ImageSpec.of(shape, channels), shape[0]


def _channels_hint(shape: tuple[int, ...], channels: int) -> str:
    """A hint for an array whose last axis seems to hold channels."""
    found = shape[3] if len(shape) == 4 else GREY
    if found in (GREY, channels) or found not in KINDS:
        return ""
    return f": pass channels {found} (--channels {found}) if the last axis is {KINDS[found]}"


def read_chunks(
    file: BinaryIO, spec: ImageSpec, count: int, name: str, at_once: int | None = None
) -> Iterator[np.ndarray]:
    """Return the chunks of the `count` images in the rest of a file.

    They come `at_once` images at a time or, by default, `CHUNK_BYTES` at a time. Raises
    `InputError` that names the file if bytes are missing or left over: at once if the file's size
    is known, else at the end. Memory grows with the data that is there, whatever the header states.
    """
    if file.seekable():
        here = file.tell()
        _check_length(file.seek(0, io.SEEK_END) - here, spec, count, name)
        file.seek(here)
    return _read_chunks(file, spec, count, name, at_once or images_at_once(spec))


def _read_chunks(
    file: BinaryIO, spec: ImageSpec, count: int, name: str, step: int
) -> Iterator[np.ndarray]:
    for start in range(0, count, step):
        size = min(step, count - start) * spec.raw_bytes
        data = bytearray()
        while piece := file.read(min(CHUNK_BYTES, size - len(data))):
            data += piece
        if len(data) < size:
            _check_length(start * spec.raw_bytes + len(data), spec, count, name)
        yield np.frombuffer(data, np.uint8).reshape(-1, *spec.shape)
    # Asking for one byte more also makes gzip compare its checksum.
    _check_length(count * spec.raw_bytes + len(file.read(1)), spec, count, name)


def _check_length(data_bytes: int, spec: ImageSpec, count: int, name: str) -> None:
    """Raise `InputError` unless the images have exactly this many bytes."""
    expected = count * spec.raw_bytes
    described = f"{count} images of {spec} pixels"
    if data_bytes < expected:
        raise InputError(
            f"{name}: truncated: its header states {described}, {expected} bytes, but only "
            f"{data_bytes} follow"
        )
    if data_bytes > expected:
        raise InputError(f"{name}: extra bytes follow the {described} that its header states")


def images_at_once(spec: ImageSpec, num_bytes: int = CHUNK_BYTES) -> int:
    """Return the number of images in a chunk of at most `num_bytes` bytes, at least one."""
    return max(1, num_bytes // spec.raw_bytes)


def regroup(chunks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the same images as new arrays of `size` images; the last of a spec may hold fewer."""
    waiting: list[np.ndarray] = []
    missing = size
    for chunk in chunks:
        if waiting and len(chunk) and chunk.shape[1:] != waiting[0].shape[1:]:
            yield np.concatenate(waiting)
            waiting, missing = [], size
        while len(chunk):
            part, chunk = chunk[:missing], chunk[missing:]
            waiting.append(part)
            missing -= len(part)
            if not missing:
                yield np.concatenate(waiting)
                waiting, missing = [], size
    if waiting:
        yield np.concatenate(waiting)
