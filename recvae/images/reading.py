"""Images of one size, and reading them from every kind of input."""

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from recvae.errors import InputError
from recvae.files.errors import translate_os_errors
from recvae.images.formats.folder import folder_images
from recvae.images.formats.idx import IDX_MAGIC, idx_images
from recvae.images.formats.npy import NPY_MAGIC, npy_images
from recvae.images.formats.png import PNG_MAGIC, decode_png
from recvae.images.names import check_names
from recvae.images.stream import ImageStream, Shape, check_length, check_pixels

GZIP_MAGIC = b"\x1f\x8b"
_MAGIC_BYTES = 8  # enough to tell every kind

Source = str | PathLike[str] | BinaryIO


@dataclass(frozen=True, eq=False)
class Images:
    """Grey images of one size, all in memory.

    `pixels` is uint8 (n, height, width), height and width at least 1; `names` are distinct bare
    file names ending in `.png`, one an image, or None. Raises `InputError` for anything else.
    """

    pixels: np.ndarray
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_pixels(self.pixels.dtype, self.pixels.shape)
        if self.names is not None:
            check_names(self.names, len(self.pixels))


def read_images(source: Source) -> Images:
    """Read all images of what `image_stream` takes, in memory that grows with the data there is."""
    with image_stream(source) as images:
        data = bytearray()
        for chunk in images.chunks:
            data += np.ascontiguousarray(chunk).data
        return Images(np.frombuffer(data, np.uint8).reshape(images.shape), images.names)


@contextmanager
def image_stream(source: Source) -> Iterator[ImageStream]:
    """Open an idx file, a .npy array, an 8-bit grey PNG, or a folder of such PNGs.

    A source is a path or a binary stream, which may be a pipe and stays open. The kind is told by
    the first bytes; gzip around idx and .npy is undone. An array of shape (height, width) is one
    image. A folder gives its images in the order of their names, and their names. What is open is
    read on, whatever takes its name meanwhile. Raises `InputError` for everything that is not
    entirely such an input, at the end of the chunks at the latest.
    """
    with ExitStack() as stack:
        name = source_name(source)
        with _tell_damage(name):
            if not isinstance(source, str | PathLike):
                shape, chunks, names = *_file_images(source, name), None
            elif os.path.isdir(source):
                shape, chunks, names = folder_images(Path(source))
            else:
                file = stack.enter_context(_open(source))
                shape, chunks, names = *_file_images(file, name), None
            try:
                images = ImageStream(shape, _told(chunks, name), names)
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        yield images


def source_name(source: object) -> str:
    """Return what messages call a path or a stream."""
    return str(getattr(source, "name", "image data") if hasattr(source, "read") else source)


def _open(path: str | PathLike[str]) -> BinaryIO:
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise InputError(f"{path}: neither a regular file nor a folder")
    return open(path, "rb")


def _file_images(file: BinaryIO, name: str) -> tuple[Shape, Iterator[np.ndarray]]:
    head, file = _peek(file)
    if head.startswith(PNG_MAGIC):
        pixels = decode_png(file.read(), name)
        return (1, *pixels.shape), iter([pixels[None]])
    if head.startswith(GZIP_MAGIC):
        head, file = _peek(cast(BinaryIO, gzip.GzipFile(fileobj=file)))
    if not head:
        raise InputError(f"{name}: empty file")
    if head.startswith(NPY_MAGIC):
        shape, chunks = npy_images(file, name)
    elif head.startswith(IDX_MAGIC[: len(head)]):
        shape, chunks = idx_images(file, name)
    else:
        raise InputError(
            f"{name}: unknown kind of file; give an idx file, a .npy array, a PNG or a folder of "
            "PNGs"
        )
    if file.seekable():  # a wrong length need not wait for the end to show
        here = file.tell()
        check_length(file.seek(0, io.SEEK_END) - here, shape, name)
        file.seek(here)
    return shape, chunks


def _peek(file: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first bytes of a stream, and the stream from its beginning."""
    head = file.read(_MAGIC_BYTES)
    if file.seekable() and not isinstance(file, gzip.GzipFile):  # which seeks by starting anew
        file.seek(-len(head), io.SEEK_CUR)
        return head, file
    return head, cast(BinaryIO, io.BufferedReader(_Rewound(head, file)))


class _Rewound(io.RawIOBase):
    """A stream, from its beginning, of which the first bytes were read."""

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
    """Turn what reading may raise into an `InputError` that names the input."""
    with translate_os_errors(name):
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{name}: not a whole gzip file ({error})") from error
