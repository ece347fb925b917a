"""Where a file is read from: a path, bytes, or a stream, which may be a pipe."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from os import PathLike
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO

from recvae.errors import InputError
from recvae.files.errors import translate_os_errors

Source = str | PathLike[str] | bytes | BinaryIO
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
    if isinstance(source, bytes):
        return "recvae data"
    return str(getattr(source, "name", "recvae data") if hasattr(source, "read") else source)


def open_source(source: Source) -> tuple[IO[bytes], bool]:
    """Return a stream that can seek, and whether it is ours to close."""
    if isinstance(source, bytes):
        return BytesIO(source), True
    if isinstance(source, str | PathLike):
        stream = open(source, "rb")  # noqa: SIM115 the reader closes it
        if stream.seekable():
            return stream, True
        with stream:
            return _spool(stream), True
    return (source, False) if source.seekable() else (_spool(source), True)


def _spool(pipe: BinaryIO) -> IO[bytes]:
    spool = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 likewise
    shutil.copyfileobj(pipe, spool)
    return spool
