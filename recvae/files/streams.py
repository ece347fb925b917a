"""Streams opened by others, made to read and write completely.

A raw stream may read or write fewer bytes than asked for, as standard output does under
PYTHONUNBUFFERED; a non-blocking one, such as the end of a pipe, may transfer nothing at all.
"""

import errno
import io
import selectors
from typing import Any, BinaryIO, cast


def whole_writes(stream: Any) -> BinaryIO:
    """Wrap a stream for writing: all bytes reach `stream`, or OSError is raised."""
    return cast(BinaryIO, stream if isinstance(stream, _Writes) else _Writes(stream))


def whole_reads(stream: Any) -> BinaryIO:
    """Wrap a stream for reading: `read(n)` gives fewer than n bytes only at its end."""
    return cast(BinaryIO, io.BufferedReader(_Reads(stream)))


def read_whole(stream: Any, num_bytes: int) -> bytes:
    """Read `num_bytes` bytes of a stream, fewer only at its end."""
    parts: list[bytes] = []
    while num_bytes and (part := _read(stream, num_bytes)):
        parts.append(part)
        num_bytes -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _Writes:
    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.name = getattr(stream, "name", "a stream")

    def write(self, data: Any) -> int:
        num_bytes, written = memoryview(data).nbytes, 0
        while written < num_bytes:
            written += self._write(memoryview(data).cast("B")[written:] if written else data)
        return num_bytes

    def flush(self) -> None:
        while True:
            try:
                self._stream.flush()
                return
            except BlockingIOError:
                self._wait()

    def _write(self, data: Any) -> int:
        """Write some bytes, waiting if need be; return their number."""
        try:
            taken = self._stream.write(data)
        except BlockingIOError as error:
            taken = error.characters_written
        else:
            if taken is None and not isinstance(self._stream, io.RawIOBase):
                return memoryview(data).nbytes  # from a class whose write returns nothing
        if not taken:
            self._wait()
        return taken or 0

    def _wait(self) -> None:
        _wait(self._stream, selectors.EVENT_WRITE)


class _Reads(io.RawIOBase):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = _read(self._stream, len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _read(stream: Any, num_bytes: int) -> bytes:
    """Wait for some bytes; none at the end."""
    while (data := stream.read(num_bytes)) is None:
        _wait(stream, selectors.EVENT_READ)
    return data


def _wait(stream: Any, event: int) -> None:
    """Wait until a non-blocking stream is ready."""
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(stream, event)
        except (ValueError, OSError) as error:  # it has no descriptor, or a regular file's
            raise BlockingIOError(errno.EAGAIN, "the stream accepts or returns no bytes") from error
        selector.select()
