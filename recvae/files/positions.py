"""Bytes that are read by position: from several threads and forked processes at once.

A position that is shared, as that of an open file is, leads one reader to where another one is.
"""

import io
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Lock
from typing import Any, BinaryIO, TypeVar

from recvae.errors import InputError
from recvae.files.streams import read_whole

_MOST_AT_ONCE = 1 << 30  # what systems read in one call ends just below 2 GiB
_pread: Callable[[int, int, int], bytes] | None = getattr(os, "pread", None)  # not on Windows
Held = TypeVar("Held")


class UnreadableError(InputError):
    """Bytes that cannot be had, whatever they are: they are no damage."""


class Positions(ABC):
    """`size` bytes, counted once; reading leaves nothing behind that another reader could see.

    `path` is where to open them again, if anywhere.
    """

    size: int
    path: str | None = None

    def read(self, start: int, stop: int) -> bytes:
        """Return all of the bytes start .. stop - 1; InputError if they are gone, or it is closed.

        Errors of the system pass through.
        """
        data = self._read(start, stop - start)
        if len(data) < stop - start:
            raise UnreadableError(f"cut while it was read: bytes {start} to {stop - 1} are gone")
        return data

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open. Reading, then or at the same time, is an InputError."""

    def origin(self) -> str | bytes:
        """Return what opens them elsewhere, the path or the bytes.

        Raises InputError if nothing does.
        """
        self.read(0, 0)  # unless closed
        if self.path is None:
            raise UnreadableError(
                "opened from a stream, of which there is one: open a path to copy it"
            )
        return self.path

    @abstractmethod
    def _read(self, start: int, num_bytes: int) -> bytes:
        """As many bytes as there are, up to so many."""


class BytesPositions(Positions):
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data: bytes | None = data

    def close(self) -> None:
        """See `Positions`."""
        self._data = None

    def origin(self) -> bytes:
        """See `Positions`."""
        return _open(self._data)

    def _read(self, start: int, num_bytes: int) -> bytes:
        return _open(self._data)[start : start + num_bytes]


class FilePositions(Positions):
    """A file of the system's, by a descriptor of its own.

    Args:
        stream: an open file that `is_file`; it may be closed afterwards.
        warn: whether to be collected without `close` is told by a ResourceWarning.
    """

    def __init__(self, stream: Any, warn: bool) -> None:
        self.size = stream.seek(0, os.SEEK_END)  # which writes what its buffer holds
        self._warn = warn
        self._descriptor: _Descriptor | None = _Descriptor(os.dup(stream.fileno()))

    def close(self) -> None:
        """See `Positions`."""
        self._descriptor = None

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) and self._warn:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def _read(self, start: int, num_bytes: int) -> bytes:
        return _read_at(_open(self._descriptor), start, num_bytes)


class StreamPositions(Positions):
    """Anything that can seek, one read at a time. After a fork only its own process reads it.

    Args:
        stream: whose position nobody else may move meanwhile.
        ours: whether `close` closes it.
    """

    def __init__(self, stream: BinaryIO, ours: bool) -> None:
        self.size = stream.seek(0, os.SEEK_END)
        self._stream: BinaryIO | None = stream
        self._ours, self._lock, self._process = ours, Lock(), os.getpid()

    def close(self) -> None:
        """See `Positions`."""
        if os.getpid() != self._process:  # the lock may be held by a thread that is not here
            return
        with self._lock:
            stream, self._stream = self._stream, None
            if stream is not None and self._ours:
                stream.close()

    def _read(self, start: int, num_bytes: int) -> bytes:
        if os.getpid() != self._process:
            raise UnreadableError("opened from a stream in another process: open it by its path")
        with self._lock:
            stream = _open(self._stream)
            stream.seek(start)
            return read_whole(stream, num_bytes)


def positions(stream: Any, ours: bool) -> Positions:
    """Return the bytes of a binary stream that can seek; one of ours is closed, now or by them."""
    if type(stream) is io.BytesIO:
        return BytesPositions(stream.getvalue())
    if _pread is None or not _is_file(stream):
        return StreamPositions(stream, ours)
    try:
        return FilePositions(stream, warn=ours)
    finally:
        if ours:
            stream.close()


class _Descriptor:
    """Closes when the last thread that uses it is done: its number cannot come to mean another."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.number)


def _read_at(descriptor: _Descriptor, start: int, num_bytes: int) -> bytes:
    assert _pread is not None
    parts: list[bytes] = []
    while num_bytes and (part := _pread(descriptor.number, min(num_bytes, _MOST_AT_ONCE), start)):
        parts.append(part)
        start, num_bytes = start + len(part), num_bytes - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_file(stream: Any) -> bool:
    """Whether what its descriptor gives is what it gives: not so of what unpacks a file."""
    if type(stream) in (io.BufferedReader, io.BufferedRandom):
        stream = stream.raw
    return type(stream) is io.FileIO


def _open(held: Held | None) -> Held:
    if held is None:
        raise UnreadableError("is closed")
    return held
