"""Bytes read by position: from several threads and forked processes at once.

With a shared position, as open files have, readers would disturb one another.
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

_MOST_AT_ONCE = 1 << 30  # systems read just below 2 GiB in one call
_pread: Callable[[int, int, int], bytes] | None = getattr(os, "pread", None)  # not on Windows
Held = TypeVar("Held")


class UnreadableError(InputError):
    """Bytes that cannot be read, which says nothing about damage."""


class Positions(ABC):
    """`size` bytes, fixed at opening; reading has no effect that another reader could see.

    `path` is where they can be opened again, if anywhere.
    """

    size: int
    path: str | None = None

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes start .. stop - 1; InputError if some are gone, or after `close`.

        System errors pass through.
        """
        data = self._read(start, stop - start)
        if len(data) < stop - start:
            raise UnreadableError(f"cut while being read: bytes {start} to {stop - 1} are gone")
        return data

    @abstractmethod
    def close(self) -> None:
        """Release what is open. Concurrent and later reads raise InputError."""

    def origin(self) -> str | bytes:
        """Return the path or the bytes, to open a copy elsewhere.

        Raises InputError if there is neither.
        """
        self.read(0, 0)  # unless closed
        if self.path is None:
            raise UnreadableError(
                "opened from a stream, which cannot be copied: open it by its path"
            )
        return self.path

    @abstractmethod
    def _read(self, start: int, num_bytes: int) -> bytes:
        """Up to `num_bytes` bytes; fewer only at the end."""


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
    """A file, read through a file descriptor of its own.

    Args:
        stream: an open file that `is_file`; it may be closed afterwards.
        warn: whether being collected without `close` gives a ResourceWarning.
    """

    def __init__(self, stream: Any, warn: bool) -> None:
        self.size = stream.seek(0, os.SEEK_END)  # also flushes its buffer
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
    """Any seekable stream, one read at a time. After a fork, only the original process reads it.

    Args:
        stream: its position must not be moved by anyone else meanwhile.
        ours: whether `close` closes it.
    """

    def __init__(self, stream: BinaryIO, ours: bool) -> None:
        self.size = stream.seek(0, os.SEEK_END)
        self._stream: BinaryIO | None = stream
        self._ours, self._lock, self._process = ours, Lock(), os.getpid()

    def close(self) -> None:
        """See `Positions`."""
        if os.getpid() != self._process:  # a thread of the parent may hold the lock
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
    """Return the bytes of a seekable binary stream; if `ours`, it is closed now or later."""
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
    """Closes once the last thread is done with it, so its number is not reused under a reader."""

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
    """Whether its descriptor gives the same bytes as the stream, unlike that of a decompressor."""
    if type(stream) in (io.BufferedReader, io.BufferedRandom):
        stream = stream.raw
    return type(stream) is io.FileIO


def _open(held: Held | None) -> Held:
    if held is None:
        raise UnreadableError("is closed")
    return held
