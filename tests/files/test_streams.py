"""Streams that others opened: raw ones, and those that do not block."""

import io
import os
import threading
import time
from typing import Any

import pytest

from recvae.files.streams import whole_reads, whole_writes

DATA = os.urandom(500_000)  # more than pipes and buffers hold


@pytest.fixture
def pipe() -> tuple[int, int]:
    """Both ends of a pipe, which do not block."""
    receiver, sender = os.pipe()
    for end in (receiver, sender):
        os.set_blocking(end, False)
    return receiver, sender


def read_slowly(receiver: int, into: bytearray) -> threading.Thread:
    def read() -> None:
        os.set_blocking(receiver, True)
        with open(receiver, "rb", 0) as stream:
            time.sleep(0.05)
            while piece := stream.read(50_000):
                into.extend(piece)

    thread = threading.Thread(target=read)
    thread.start()
    return thread


@pytest.mark.parametrize("buffering", [0, 8192])
def test_a_pipe_that_does_not_block_gets_all_bytes(pipe, buffering: int) -> None:
    receiver, sender = pipe
    got = bytearray()
    thread = read_slowly(receiver, got)
    with open(sender, "wb", buffering) as stream:
        whole = whole_writes(stream)
        assert whole.write(memoryview(DATA[:400_000]).cast("B", (400, 1000))) == 400_000
        assert whole.write(DATA[400_000:]) == 100_000
        assert whole.write(b"") == 0
        whole.flush()
        thread.join(0.3)  # all is on its way without a close
    thread.join()
    assert got == DATA


def test_raw_streams_that_take_a_part() -> None:
    class Small(io.RawIOBase):
        def __init__(self) -> None:
            self.got = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.got += bytes(data[:1000])
            return min(len(data), 1000)

    small = Small()
    whole_writes(small).write(DATA)
    assert small.got == DATA


def test_streams_that_say_nothing_took_all() -> None:
    class Silent:
        def __init__(self) -> None:
            self.got = bytearray()

        def write(self, data: bytes) -> None:
            self.got += data

    silent = Silent()
    whole_writes(silent).write(DATA)
    assert silent.got == DATA


@pytest.mark.parametrize("taken", [None, 0])
def test_a_stream_that_takes_nothing_and_cannot_be_waited_for(taken: int | None) -> None:
    class Stuck(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int | None:
            return taken

    with pytest.raises(BlockingIOError, match="accepts or returns no bytes"):
        whole_writes(Stuck()).write(DATA)


def test_errors_pass(pipe) -> None:
    receiver, sender = pipe
    os.close(receiver)
    with open(sender, "wb", 0) as stream, pytest.raises(BrokenPipeError):
        whole_writes(stream).write(DATA)
    with open("/dev/full", "wb", 0) as full, pytest.raises(OSError, match="No space"):
        whole_writes(full).write(DATA)


@pytest.mark.parametrize("buffering", [0, 8192])
def test_reads_from_a_pipe_that_does_not_block_are_whole(pipe, buffering: int) -> None:
    receiver, sender = pipe

    def write() -> None:
        os.set_blocking(sender, True)
        with open(sender, "wb", 0) as stream:
            for start in range(0, len(DATA), 30_000):
                time.sleep(0.002)
                stream.write(DATA[start : start + 30_000])

    thread = threading.Thread(target=write)
    thread.start()
    with open(receiver, "rb", buffering) as stream:
        whole = whole_reads(stream)
        assert [whole.read(400_000), whole.read(), whole.read(1)] == [
            DATA[:400_000],
            DATA[400_000:],
            b"",
        ]
    thread.join()
