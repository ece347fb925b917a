"""The source of a file: a path, bytes, or a stream, which may be a pipe."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOBase
from mmap import mmap
from os import PathLike
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from recvae.errors import InputError
from recvae.files.errors import translate_os_errors
from recvae.files.positions import BytesPositions, Positions, positions
from recvae.files.streams import whole_reads

Data = bytes | bytearray | memoryview | mmap
Source = str | PathLike[str] | Data | BinaryIO
_SPOOL_BYTES = 1 << 24  # of a pipe, kept in memory; more goes to a temporary file


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put the file's name before the message of an error, keeping its type."""
    with translate_os_errors(name):
        try:
            yield
        except InputError as error:
            raise type(error)(f"{name}: {error}") from error


def source_name(source: Source) -> str:
    """Return the name of a source for messages."""
    if isinstance(source, str | PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "recvae data"))


def to_bytes(data: Data) -> bytes:
    """Return the bytes of a bytes-like object, copied if of another type.

    Raises `InputError` if it is not bytes-like.
    """
    if isinstance(data, bytes):
        return data
    try:
        return memoryview(data).tobytes()
    except TypeError:
        raise InputError(f"{type(data).__name__} does not hold bytes of a .recvae file") from None


def open_source(source: Source) -> Positions:
    """Open a source for reading by position; a pipe is read to its end.

    Raises `InputError` unless it is a path, bytes or a binary stream.
    """
    if isinstance(source, TextIOBase):
        raise InputError('is open in text mode: open it with "rb"')
    if isinstance(source, str | PathLike):
        stream: BinaryIO = open(source, "rb")  # noqa: SIM115 closed by what is returned
        if stream.seekable():
            opened = positions(stream, ours=True)
            opened.path = os.path.abspath(source)
            return opened
        with stream:
            return _spool(stream)
    if isinstance(source, bytes | bytearray | memoryview | mmap) or not hasattr(source, "read"):
        return BytesPositions(to_bytes(cast(Data, source)))
    return positions(source, ours=False) if source.seekable() else _spool(source)


def _spool(pipe: BinaryIO) -> Positions:
    whole = whole_reads(pipe)
    beginning = whole.read(_SPOOL_BYTES + 1)
    if len(beginning) <= _SPOOL_BYTES:
        return BytesPositions(beginning)
    spool = TemporaryFile()  # noqa: SIM115 likewise
    try:
        spool.write(beginning)
        shutil.copyfileobj(whole, spool)
        return positions(spool, ours=True)
    except BaseException:
        spool.close()
        raise
