"""Commands in separate processes that are killed, interrupted or left alone.

They are forked from this process, which has coded once: loading torch and compiled code would take
seconds each time. It has a single thread, so that no child waits for a thread it does not have.
"""

import fcntl
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import torch

from recvae.cli import main
from recvae.images import sample_images, write_idx

RNG = random.Random(0)


def start(folder: Path, *arguments: object, stdout: int | None = None) -> int:
    """Start a command; its stderr goes to the file `err`."""
    if pid := os.fork():
        return pid
    status = 99
    try:
        err = os.open(folder / "err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(err, 2)
        os.dup2(err if stdout is None else stdout, 1)
        os.closerange(3, 256)  # including the other end of the pipe
        status = main([str(argument) for argument in arguments])
        sys.stdout.flush()
    finally:
        os._exit(status)


def finish(pid: int) -> int:
    """Wait: the exit status, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def visible(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}


def stop_soon(pid: int, number: int, has_begun) -> int:
    """Send a signal at a random moment after some progress."""
    while not has_begun():
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it ended before it was stopped"
        time.sleep(0.005)
    time.sleep(RNG.random() / 10)
    os.kill(pid, number)
    return finish(pid)


def compress_and_stop(folder: Path) -> None:
    """After kills and signals the run is completed; its bytes are those of a quiet one."""
    source, packed = folder / "images.idx", folder / "x.recvae"
    journal = folder / ".x.recvae.journal"
    options = ["--group-size=2", "--batch-size=2", "--quiet"]
    assert finish(start(folder, "compress", source, folder / "whole.recvae", *options)) == 0
    before, done = visible(folder), 0
    words = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
    for number in (signal.SIGKILL, *words, signal.SIGKILL):
        pid = start(folder, "compress", source, packed, *options, "--resume")
        status = stop_soon(pid, number, lambda old=done: _lines(journal) > old)
        done = _lines(journal)
        assert visible(folder) == before
        if number in words:
            assert status == 128 + number
            told = f"recvae: {words[number]}; progress is kept, --resume continues\n"
            assert (folder / "err").read_text() == told
        else:
            assert status == -number
    assert finish(start(folder, "compress", source, packed, *options, "--resume")) == 0
    assert packed.read_bytes() == (folder / "whole.recvae").read_bytes()
    assert not journal.exists()


def _lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def decompress_and_stop(folder: Path) -> None:
    """There is nothing under the final name; a signal leaves nothing at all."""
    signals = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number, output in zip(signals, ("back.idx", "back", "back", "back.npy"), strict=True):
        before, hidden = visible(folder), set(folder.iterdir())
        pid = start(folder, "decompress", folder / "x.recvae", folder / output, "--batch-size=2")
        stop_soon(pid, number, lambda old=hidden: set(folder.iterdir()) - old)
        assert visible(folder) == before
    assert set(folder.iterdir()) == hidden


def read_together(folder: Path) -> None:
    """Two processes decode one read-only file at once, in a read-only folder."""
    packed = folder / "x.recvae"
    packed.chmod(0o400)
    folder.chmod(0o500)
    readers = [start(folder, "verify", packed, "--against", folder / "images.idx") for _ in "ab"]
    assert [finish(reader) for reader in readers] == [0, 0]
    folder.chmod(0o700)


def stop_reading(folder: Path) -> None:
    """As `recvae decompress FILE - | head -c 16` does."""
    receiver, sender = os.pipe()
    fcntl.fcntl(sender, fcntl.F_SETPIPE_SZ, 4096)  # else all of it fits
    pid = start(folder, "decompress", folder / "x.recvae", "-", "--batch-size=2", stdout=sender)
    os.close(sender)
    assert os.read(receiver, 16)[:4] == b"\0\0\x08\x03"
    os.close(receiver)
    assert finish(pid) == 141
    assert (folder / "err").read_text() == ""


def code_once(folder: Path) -> None:
    write_idx(folder / "one.idx", sample_images()[:1])
    for command, *files in (("compress", "one.idx", "one"), ("decompress", "one", "two.idx")):
        assert main([command, *(str(folder / file) for file in files), "--quiet"]) == 0
    for file in ("one.idx", "one", "two.idx"):
        (folder / file).unlink()
    assert threading.active_count() == 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored under nohup
    folder = Path(sys.argv[1])
    code_once(folder)
    write_idx(folder / "images.idx", sample_images()[:160])
    (folder / "err").touch()
    compress_and_stop(folder)
    decompress_and_stop(folder)
    read_together(folder)
    stop_reading(folder)
    print("all as it should be")
