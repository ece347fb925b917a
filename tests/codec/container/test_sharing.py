"""One open file for several threads and processes, and copies of it.

All groups are of one length: what is read from the wrong place may look right.
"""

import copy
import gzip
import io
import os
import pickle
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from codec.container.files import HASH, container
from codec.forks import fork, in_processes, in_threads
from recvae.codec.container import ContainerReader, Header, source
from recvae.errors import InputError

RNG = random.Random(0)
PAYLOADS = [RNG.randbytes(700) for _ in range(100)]
DATA = container(PAYLOADS, Header(HASH, 28, 28, 1))
OTHERS = container([RNG.randbytes(700) for _ in range(100)], Header(HASH, 28, 28, 1))


class Views(io.BytesIO):
    """Of a class of its own, which might do anything; it gives less than it is asked for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 300))


def pipe(data: bytes) -> Any:
    receiver, sender = os.pipe()

    def send() -> None:
        with open(sender, "wb") as stream:  # which holds less than the data
            stream.write(data)

    threading.Thread(target=send).start()
    return open(receiver, "rb")


def unflushed(data: bytes) -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(data)
    return file


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "bytes": lambda path: DATA,
    "memory": lambda path: io.BytesIO(DATA),
    "file": lambda path: path.open("rb"),
    "raw file": lambda path: path.open("rb", 0),
    "unflushed file": lambda path: unflushed(DATA),
    "pipe": lambda path: pipe(DATA),
    "long pipe": lambda path: pipe(DATA),
    "gzip": lambda path: gzip.GzipFile(path.with_suffix(".gz")),
    "class": lambda path: Views(DATA),
}
ONE_PROCESS, COPIED = ("gzip", "class"), ("path", "bytes", "memory", "pipe")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.recvae"
    path.write_bytes(DATA)
    path.with_suffix(".gz").write_bytes(gzip.compress(DATA, 1))
    return path


@pytest.fixture(params=SOURCES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def reader(kind: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContainerReader]:
    if kind == "long pipe":
        monkeypatch.setattr(source, "_SPOOL_BYTES", 1000)
    with ExitStack() as stack:
        given = SOURCES[kind](path)
        if hasattr(given, "close"):
            stack.enter_context(given)
        yield stack.enter_context(ContainerReader(given))


def reading(reader: ContainerReader, seed: int, times: int) -> Callable[[], None]:
    rng = random.Random(seed)

    def read() -> None:
        for _ in range(times):
            group = rng.randrange(len(PAYLOADS))
            assert reader.payload(group) == PAYLOADS[group]

    return read


def test_threads(kind: str, reader: ContainerReader) -> None:
    times = 20 if kind == "gzip" else 300  # which unpacks anew to go back
    in_threads(*(reading(reader, seed, times) for seed in range(4)))


def test_forked_processes(kind: str, reader: ContainerReader) -> None:
    if kind not in ONE_PROCESS:
        in_processes(*(reading(reader, seed, 3000) for seed in range(2)))
        return

    def refused() -> None:
        with pytest.raises(InputError, match="in another process: open it by its path"):
            reader.payload(0)
        reader.close()

    for _ in range(3):  # while a thread of this process reads
        thread = threading.Thread(target=reading(reader, 0, 30))
        thread.start()
        in_processes(refused)
        thread.join()


def test_copies(
    kind: str, reader: ContainerReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind not in COPIED:
        for make in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(InputError, match=r"opened from a stream.* open it by its path"):
                make(reader)
        return
    packed = pickle.dumps(reader)
    monkeypatch.chdir(tmp_path.parent)
    for copied in (pickle.loads(packed), copy.copy(reader), copy.deepcopy(reader)):
        with copied:
            assert copied.name == reader.name
            assert list(copied.payloads()) == PAYLOADS
    assert list(reader.payloads()) == PAYLOADS


def test_a_copy_opens_a_relative_path_from_any_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with ContainerReader(path.name) as reader:
        monkeypatch.chdir("/")
        with pickle.loads(pickle.dumps(reader)) as copied:
            assert copied.payload(7) == PAYLOADS[7]


@pytest.mark.parametrize("change", [lambda path: os.remove(path), lambda path: replace(path)])
def test_a_copy_of_another_file_is_refused(path: Path, change: Callable[[Path], None]) -> None:
    with ContainerReader(path) as reader:
        packed = pickle.dumps(reader)
        change(path)
        with pytest.raises(InputError, match=r"has changed since it was opened|No such file"):
            pickle.loads(packed)
        assert reader.payload(7) == PAYLOADS[7]  # what is open is read on


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(OTHERS)
    other.replace(path)


def test_nothing_is_read_after_close(reader: ContainerReader) -> None:
    reader.payload(0)
    reader.close()
    reader.close()
    with pytest.raises(InputError, match="is closed"):
        reader.payload(0)
    with pytest.raises(InputError, match=r"is closed|opened from a stream"):
        pickle.dumps(reader)


def test_a_descriptor_that_is_closed_never_means_another_file(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(OTHERS)
    for _ in range(30):
        reader = ContainerReader(path)
        began = threading.Event()

        def read(reader: ContainerReader = reader, began: threading.Event = began) -> None:
            for group in range(1_000_000):
                assert reader.payload(group % 100) == PAYLOADS[group % 100]
                began.set()

        def close(reader: ContainerReader = reader, began: threading.Event = began) -> None:
            began.wait()
            reader.close()
            for _ in range(20):
                with open(other, "rb"):  # takes the lowest number that is free
                    pass

        with pytest.raises(InputError, match=r"a\.recvae: is closed"):
            in_threads(read, close)


def test_the_caller_may_close_a_file_first(path: Path) -> None:
    with path.open("rb") as file:
        reader = ContainerReader(file)
    with reader, open(path.with_suffix(".gz"), "rb"):
        assert list(reader.payloads()) == PAYLOADS


def test_nothing_stays_open(path: Path) -> None:
    before = os.listdir("/dev/fd")
    with path.open("rb") as file, ContainerReader(path) as by_path, ContainerReader(file) as given:
        pickle.loads(pickle.dumps(by_path)).close()
        assert by_path.payload(1) == given.payload(1)
    with pytest.raises(InputError, match="truncated"):
        ContainerReader(io.BytesIO(DATA[:50]))
    path.write_bytes(DATA[:100])
    with pytest.raises(InputError, match="truncated"):
        ContainerReader(path)
    assert os.listdir("/dev/fd") == before


def test_a_pipe_that_does_not_block_is_read_to_its_end() -> None:
    receiver, sender = os.pipe()
    os.set_blocking(receiver, False)

    def send() -> None:
        os.close(receiver)
        with open(sender, "wb", 0) as stream:
            for start in range(0, len(DATA), 20_000):
                stream.write(DATA[start : start + 20_000])
                threading.Event().wait(0.01)

    child = fork(send)
    os.close(sender)
    with open(receiver, "rb", 0) as stream, ContainerReader(stream) as reader:
        assert list(reader.payloads()) == PAYLOADS
    os.waitpid(child, 0)
