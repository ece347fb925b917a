"""Reads images from every kind of input."""

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from recvae.errors import InputError
from recvae.files.errors import translate_os_errors
from recvae.files.streams import read_whole, whole_reads
from recvae.images.formats.folder import Skip, folder_images
from recvae.images.formats.gz import GZIP_MAGIC, unpacked
from recvae.images.formats.registry import (
    FORMATS,
    HEAD_BYTES,
    PictureFormat,
    format_by_head,
    pixel_spec,
    with_article,
)
from recvae.images.names import check_names
from recvae.images.spec import GREY, KINDS, MAX_PIXELS, RGBA, ImageSpec
from recvae.images.stream import ImageStream, Runs, check_pixels

Source = str | PathLike[str] | BinaryIO
_RECVAE_MAGIC = b"\x89REC"  # these files hold images, but are not read here


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one spec, all in memory.

    `pixels` is uint8 (n, height, width) or, for 2 to 4 channels, (n, height, width, channels),
    height and width at least 1; `names` are distinct bare file names of pictures, one an image, or
    None. Raises `InputError` for anything else.
    """

    pixels: np.ndarray
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_pixels(self.pixels.dtype, self.pixels.shape, self._channels)
        if self.names is not None:
            check_names(self.names, len(self.pixels))

    @property
    def spec(self) -> ImageSpec:
        """The spec of all images."""
        return ImageSpec.of(self.pixels.shape, self._channels)

    @property
    def _channels(self) -> int:
        last = self.pixels.shape[-1] if self.pixels.ndim == 4 else GREY
        return last if last in KINDS else GREY


def read_images(source: Source, channels: int = GREY) -> Images:
    """Read all images of an input for `image_stream`; memory grows with the data actually there.

    Raises `InputError` as it does, and if the images differ in size or channels.
    """
    with image_stream(source, channels) as images:
        shape = images.shape
        data = bytearray()
        for chunk in images.chunks:
            data += np.ascontiguousarray(chunk).data
        return Images(np.frombuffer(data, np.uint8).reshape(shape), images.names)


@contextmanager
def image_stream(
    source: Source,
    channels: int = GREY,
    max_pixels: int = MAX_PIXELS,
    skip: Skip | None = None,
) -> Iterator[ImageStream]:
    """Open an array of images, idx or .npy, a picture of a registered format, or a folder of such.

    A source is a path or a binary stream, which may be a pipe and stays open. The first bytes tell
    the kind; gzip around arrays is decompressed. `channels` states what an array holds: with 1,
    grey images (n, height, width), with 2 to 4, (n, height, width, channels), where 2 and 4 end in
    alpha; a .npy array without n is one image. Pictures state their channels themselves. A folder
    gives its images in the order of their names, and the names. An open file is read to its end
    even if its name is reused meanwhile. Metadata of pictures, such as EXIF and colour profiles,
    are dropped.

    Raises `InputError` for anything that is not entirely such an input, at the end of the chunks
    at the latest, and for a picture of more than `max_pixels`. With `skip`, files of a folder that
    cannot be read are skipped, and `skip` is called with each at the beginning; this decodes all
    files twice, and needs a folder.
    """
    if channels not in KINDS:
        raise InputError(f"channels: {channels}, must be {GREY} to {RGBA}")
    if max_pixels < 1:
        raise InputError(f"max_pixels: {max_pixels}, must be at least 1")
    if isinstance(source, PathLike):
        source = os.fspath(source)
    with ExitStack() as stack:
        name = source_name(source)
        is_folder = isinstance(source, str) and os.path.isdir(source)
        is_missing = isinstance(source, str) and not os.path.exists(source)  # reported below
        if skip and not (is_folder or is_missing):
            raise InputError(f"{name}: files can be skipped in a folder only (--skip-bad)")
        with _tell_damage(name):
            names = None
            if not isinstance(source, str):
                runs, chunks = _steady_images(source, name, channels, max_pixels)
            elif os.path.isdir(source):
                runs, chunks, names = folder_images(Path(source), max_pixels, skip)
            else:
                file = stack.enter_context(_open(source))
                runs, chunks = _steady_images(file, name, channels, max_pixels)
            try:
                images = ImageStream(runs, _told(chunks, name), names, name)
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        yield images


def holds_images(path: str | PathLike[str]) -> bool:
    """Return whether `image_stream` accepts the input, judged by what precedes the pixels.

    False for a pipe, from which nothing is read.
    """
    with suppress(InputError):
        if os.path.isfile(path) or os.path.isdir(path):
            with image_stream(path):
                return True
    return False


def source_name(source: object) -> str:
    """Return the name of a path or a stream for messages."""
    return str(getattr(source, "name", "image data") if hasattr(source, "read") else source)


def _open(path: str | PathLike[str]) -> BinaryIO:
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise InputError(f"{path}: neither a regular file nor a folder")
    return open(path, "rb")


def _steady_images(
    file: BinaryIO, name: str, channels: int, max_pixels: int
) -> tuple[Runs, Iterator[np.ndarray]]:
    """As `_file_images`; raise InputError if the file changes meanwhile."""
    version = _version(file)
    runs, chunks = _file_images(file, name, channels, max_pixels)

    def checked() -> Iterator[np.ndarray]:
        yield from chunks
        if _version(file) != version:
            raise InputError(f"{name}: changed while being read: try again when it is complete")

    return runs, checked()


def _version(file: BinaryIO) -> tuple[int, int] | None:
    """A value that changes when a file is written to; None if it is not a regular file."""
    with suppress(OSError, AttributeError):
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode):
            return found.st_size, found.st_mtime_ns
    return None


def _file_images(
    file: BinaryIO, name: str, channels: int, max_pixels: int
) -> tuple[Runs, Iterator[np.ndarray]]:
    head, file = _peek(file)
    known = format_by_head(head)
    if isinstance(known, PictureFormat):
        pixels = known.read(file.read(), name, max_pixels)
        return ((pixel_spec(pixels), 1),), iter([pixels[None]])
    if head.startswith(GZIP_MAGIC):
        head, file = _peek(unpacked(file))
        known = format_by_head(head)
    if not head:
        raise InputError(f"{name}: empty file")
    if head.startswith(_RECVAE_MAGIC):
        raise InputError(f"{name}: is a .recvae file: decompress it to get images")
    if known is None or isinstance(known, PictureFormat):
        kinds = ", ".join(map(with_article, FORMATS))
        raise InputError(f"{name}: unknown kind of file; pass {kinds} or a folder of pictures")
    if channels not in known.channels:
        raise InputError(f"{name}: {with_article(known.name)} has no {KINDS[channels]} images")
    spec, count, chunks = known.read(file, name, channels)
    return ((spec, count),), chunks


def _peek(file: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first bytes of a stream, and the stream from its beginning."""
    if not file.seekable():
        file = whole_reads(file)
    head = read_whole(file, HEAD_BYTES)
    if file.seekable() and not isinstance(file, gzip.GzipFile):  # which seeks by starting over
        file.seek(-len(head), io.SEEK_CUR)
        return head, file
    return head, cast(BinaryIO, io.BufferedReader(_Rewound(head, file)))


class _Rewound(io.RawIOBase):
    """A stream from its beginning, whose first bytes were already read."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)


def _told(chunks: Iterator[np.ndarray], name: str) -> Iterator[np.ndarray]:
    with _tell_damage(name):
        yield from chunks


@contextmanager
def _tell_damage(name: str) -> Iterator[None]:
    """Turn errors of reading into an `InputError` that names the input."""
    with translate_os_errors(name):
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{name}: incomplete or damaged gzip file ({error})") from error
