"""Many processes and threads on the same files, stopped at random moments, on disks that run full.

    python tests/stress.py FOLDER [--small FOLDER] [--seconds 60] [--seed 0]

What has a final name is whole and right at every moment; what was stopped goes on to the same
bytes; whoever fails says so in one line. FOLDER is empty; the one of `--small` is on a disk that is
too small for most outputs. The processes are forked from this one, which has coded once and has one
thread: see `codec/processes.py`.
"""

import argparse
import io
import os
import random
import resource
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import recvae
from recvae.cli import main
from recvae.images import sample_images, write_idx

AT_ONCE = 5
NUM_IMAGES = 120
GENTLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BUSY = (
    "exists: pass --force",
    "another process is writing it",
    "an interrupted run left its progress",
)
FULL = ("No space left on device", "File too large")
OPTIONS = ("--group-size=4", "--batch-size=4", "--quiet")


@dataclass
class Job:
    """A process: what it does, what may keep it from that, and where its errors go."""

    kind: str
    errors: Path
    may_fail: tuple[str, ...]
    stopped_by: int = 0


class World:
    """Inputs, and what every output must be."""

    def __init__(self, folder: Path, small: Path | None) -> None:
        self.inputs, self.errors = folder / "inputs", folder / "errors"
        self.outputs, self.small = folder / "outputs", small
        for path in (self.inputs, self.errors, self.outputs):
            path.mkdir()
        self.images = sample_images()[:NUM_IMAGES]
        self.source, self.packed = self.inputs / "images.idx", self.inputs / "x.recvae"
        self.damaged = self.inputs / "damaged.recvae"
        write_idx(self.source, self.images)
        self.run_quietly("compress", self.source, self.packed, *OPTIONS)
        data = bytearray(self.packed.read_bytes())
        data[len(data) // 2] ^= 1
        self.damaged.write_bytes(data)
        self.run_quietly("salvage", self.damaged, self.inputs / "saved.recvae", "--quiet", status=1)
        for name in ("back.idx", "back.npy.gz", "back"):
            self.run_quietly("decompress", self.packed, self.inputs / name, "--quiet")
        self.right = {
            name: (self.inputs / name).read_bytes()
            for name in ("x.recvae", "saved.recvae", "back.idx", "back.npy.gz")
        } | {path.name: path.read_bytes() for path in (self.inputs / "back").iterdir()}
        assert self.right["back.idx"] == self.source.read_bytes()
        self.stored = recvae.open(self.packed)  # shared by all that are forked from here on

    @staticmethod
    def run_quietly(*arguments: object, status: int = 0) -> None:
        assert main([str(argument) for argument in arguments]) == status, arguments

    def check(self, folder: Path) -> None:
        """Whatever can be seen is whole and right."""
        for path in folder.iterdir():
            if path.name.startswith(".") or path.is_dir():
                continue
            with suppress(FileNotFoundError):
                assert path.read_bytes() == self.right[path.name.partition("-")[2]], path

    def check_folders(self, folder: Path) -> None:
        """The same of folders, when nobody writes any more."""
        for path in filter(Path.is_dir, folder.iterdir()):
            if not path.name.startswith("."):
                names = {entry.name for entry in path.iterdir()}
                assert names == {entry.name for entry in (self.inputs / "back").iterdir()}
                assert all((path / name).read_bytes() == self.right[name] for name in names)


class Stress:
    """Starts jobs, stops some, and judges how each ends."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.jobs: dict[int, Job] = {}
        self.ends: Counter[tuple[str, str]] = Counter()
        self.started = 0

    def start(self, kind: str, work: Callable[[], int], may_fail: tuple[str, ...], limit: int = 0):
        """Fork a process that does the work, with a limit on the size of files if there is one."""
        self.started += 1
        errors = self.world.errors / str(self.started)
        if pid := os.fork():
            self.jobs[pid] = Job(kind, errors, may_fail)
            return
        status = 99
        try:
            descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            status = work()
        except KeyboardInterrupt:  # before or after the command itself
            status = 130
        finally:
            os._exit(status)

    def reap(self, wait: bool = False) -> None:
        """Judge the jobs that have ended."""
        for pid in list(self.jobs):
            ended, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
            if ended:
                self.judge(self.jobs.pop(pid), os.waitstatus_to_exitcode(status))

    def judge(self, job: Job, status: int) -> None:
        told = job.errors.read_text() if job.errors.exists() else ""
        case = (job, status, told)
        assert told.count("\n") <= 1, case
        assert "Traceback" not in told, case
        job.errors.unlink(missing_ok=True)
        number = job.stopped_by
        if number and status in (-number, 128 + number):
            assert told in ("", *(line for line in [told] if line.startswith("recvae: "))), case
            self.ends[job.kind, "stopped"] += 1
        elif status == 2:
            reasons = [reason for reason in job.may_fail if reason in told]
            assert reasons, case
            self.ends[job.kind, reasons[0]] += 1
        else:
            assert (status, told) == (1 if job.kind == "salvage" else 0, ""), case
            self.ends[job.kind, "done"] += 1

    def stop_one(self, signals: tuple[int, ...]) -> None:
        if self.jobs:
            pid, job = self.rng.choice(list(self.jobs.items()))
            if job.errors.exists() and not job.stopped_by:  # it has begun
                job.stopped_by = self.rng.choice(signals)
                os.kill(pid, job.stopped_by)

    def start_any(self) -> None:
        rng, world = self.rng, self.world
        folder, reasons, limit = world.outputs, BUSY, 0
        if rng.random() < 0.2:
            limit, reasons = rng.choice((600, 5000, 12000)), BUSY + FULL
        elif world.small and rng.random() < 0.4:
            folder, reasons = world.small, BUSY + FULL
        name = f"{folder}/{rng.randrange(3)}-"
        force = ["--force"] * rng.randrange(2)
        kind = rng.choice(("compress", "compress", "decompress", "salvage", "read", "pipe"))
        if kind == "read":
            self.start(kind, lambda: self.read(rng.random()), (), limit)
        elif kind == "pipe":
            self.start(kind, self.pipe, FULL)
        else:
            given, target = {
                "compress": (world.source, "x.recvae"),
                "decompress": (world.packed, rng.choice(("back.idx", "back.npy.gz", "back"))),
                "salvage": (world.damaged, "saved.recvae"),
            }[kind]
            options = (
                OPTIONS[1:] if kind != "compress" else (*OPTIONS, *["--resume"] * rng.randrange(2))
            )
            arguments = [kind, str(given), name + target, *force, *options]
            self.start(kind, lambda: main(arguments), reasons, limit)

    def read(self, seed: float) -> int:
        """Three threads read the file that all processes share."""
        wrong = []

        def read_some(number: int) -> None:
            rng = random.Random(seed + number)
            for _ in range(15):
                index = rng.randrange(NUM_IMAGES)
                if not np.array_equal(self.world.stored[index], self.world.images[index]):
                    wrong.append(index)

        threads = [threading.Thread(target=read_some, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return 3 if wrong else 0

    def pipe(self) -> int:
        """Standard output as under PYTHONUNBUFFERED, a pipe that does not block, read slowly."""
        receiver, sender = os.pipe()
        os.set_blocking(sender, False)
        got = bytearray()

        def read_slowly() -> None:
            while piece := os.read(receiver, 5000):
                got.extend(piece)
                time.sleep(0.001)

        reader = threading.Thread(target=read_slowly, daemon=True)
        reader.start()
        with io.TextIOWrapper(io.FileIO(sender, "w"), write_through=True) as sys.stdout:  # type: ignore[type-var]
            status = main(["decompress", str(self.world.packed), "-", "--quiet"])
        reader.join()
        return status or 3 * (got != self.world.right["back.idx"])

    def run(self, seconds: float, signals: tuple[int, ...]) -> None:
        """Start and stop for a while, then let the rest end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.reap()
            while len(self.jobs) < AT_ONCE:
                self.start_any()
            if self.rng.random() < 0.02:
                self.stop_one(signals)
            self.look()
            time.sleep(0.02)
        self.reap(wait=True)
        self.look()

    def look(self) -> None:
        for folder in self.folders():
            self.world.check(folder)

    def folders(self) -> Iterator[Path]:
        yield from filter(None, (self.world.outputs, self.world.small))

    def finish(self, may_be_left: bool) -> None:
        """Resume what was stopped; hidden files are left only by processes that were killed."""
        for folder in self.folders():
            self.world.check_folders(folder)
            for path in folder.iterdir():
                if path.is_dir() and not path.name.startswith("."):
                    shutil.rmtree(path)
        for folder in self.folders():
            for number in range(3):
                target = folder / f"{number}-x.recvae"
                for path in folder.iterdir():
                    if folder == self.world.small and not path.name.startswith(f".{target.name}"):
                        path.unlink()  # room for one
                again = ["compress", str(self.world.source), str(target), *OPTIONS]
                assert main([*again, "--resume", "--force"]) == 0
            self.world.check(folder)
            left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
            assert all(name.startswith(".recvae-") for name in left), left
            assert may_be_left or not left, left

    def race(self) -> None:
        """Of several that write one new file, one does."""
        target = self.world.outputs / "9-x.recvae"
        arguments = ["compress", str(self.world.source), str(target), *OPTIONS]
        before = self.ends["race", "done"]
        for _ in range(AT_ONCE):
            self.start("race", lambda: main(arguments), BUSY)
        self.reap(wait=True)
        assert self.ends["race", "done"] == before + 1
        assert target.read_bytes() == self.world.right["x.recvae"]
        target.unlink()


def code_once() -> None:
    with recvae.open(io.BytesIO(recvae.load().compress(sample_images()[:1]))) as stored:
        assert len(stored[:]) == 1
    assert threading.active_count() == 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored under nohup
    code_once()
    stress = Stress(World(options.folder, options.small), random.Random(options.seed))
    for signals in (GENTLE, (*GENTLE, signal.SIGKILL)):
        stress.run(options.seconds / 2, signals)
        stress.finish(may_be_left=signal.SIGKILL in signals)
    for _ in range(5):
        stress.race()
    for (kind, end), times in sorted(stress.ends.items()):
        print(f"{kind}: {end}: {times}")
    kinds = ("compress", "decompress", "salvage", "read", "pipe")
    missing = {(kind, end) for kind in kinds for end in ("done", "stopped")} - stress.ends.keys()
    assert not missing, missing
    assert options.small is None or stress.ends["compress", FULL[0]]
    print("all as it should be")
