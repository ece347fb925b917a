"""Where a file is read from: a path, bytes, or a stream, which may be a pipe."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, TextIOBase
from mmap import mmap
from os import PathLike
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, cast

from recvae.errors import InputError
from recvae.files.errors import translate_os_errors

Data = bytes | bytearray | memoryview | mmap
Source = str | PathLike[str] | Data | BinaryIO
_SPOOL_BYTES = 1 << 24  # what a pipe may hold in memory; more goes to a temporary file


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the file's name before the message of an error."""
    with translate_os_errors(name):
        try:
            yield
        except InputError as error:
            raise InputError(f"{name}: {error}") from error


def source_name(source: Source) -> str:
    """Return what messages call a source."""
    if isinstance(source, str | PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "recvae data"))


def to_bytes(data: Data) -> bytes:
    """Return what holds bytes as such, a copy if it is of another type.

    Raises `InputError` for what holds none.
    """
    if isinstance(data, bytes):
        return data
    try:
        return memoryview(data).tobytes()
    except TypeError:
        raise InputError(f"{type(data).__name__} holds no bytes of a .recvae file") from None


def open_source(source: Source) -> tuple[IO[bytes], bool]:
    """Return a stream that can seek, and whether it is ours to close.

    Raises `InputError` for what is neither a path nor bytes nor a binary stream.
    """
    if isinstance(source, TextIOBase):
        raise InputError('is open as text: open it with "rb"')
    if isinstance(source, str | PathLike):
        stream = open(source, "rb")  # noqa: SIM115 the reader closes it
        if stream.seekable():
            return stream, True
        with stream:
            return _spool(stream), True
    if isinstance(source, bytes | bytearray | memoryview | mmap) or not hasattr(source, "read"):
        return BytesIO(to_bytes(cast(Data, source))), True
    return (source, False) if source.seekable() else (_spool(source), True)


def _spool(pipe: BinaryIO) -> IO[bytes]:
    spool = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 likewise
    shutil.copyfileobj(pipe, spool)
    return spool
