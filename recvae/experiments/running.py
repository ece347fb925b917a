"""Shared by all experiments: the output folder, the seed, a progress bar."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recvae.errors import InputError
from recvae.files import atomic_file, translate_os_errors

T = TypeVar("T")

LONG_SECONDS = 60.0  # longer passes are timed only once


class Track(Protocol):
    """Iterates over a sequence and shows the progress."""

    def __call__(self, steps: Sequence[T], name: Callable[[T], str] | None = None) -> Iterable[T]:
        """Yield the elements of `steps`; `name` gives the name of each."""
        ...


def check_seed(seed: int) -> None:
    """Raise InputError for a seed that torch's generators do not accept."""
    if not 0 <= seed < 1 << 63:
        raise InputError(f"--seed {seed}: need an integer in [0, 2^63)")


def output_folder(out: str) -> Path:
    """The folder, created if necessary; InputError if it is not one or not writable."""
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{out} is not a folder: choose another for --out")
    with translate_os_errors(out):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{out}: is not writable: choose another folder for --out")
    return folder


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files, each whole or not at all, replacing those of earlier runs."""
    for path, content in files.items():
        with atomic_file(path, force=True) as stream:
            stream.write(content)


@contextmanager
def progress(title: str) -> Iterator[Track]:
    """Show a bar on a terminal, elsewhere a line for each step with a name."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:

        def track(steps: Sequence[T], name: Callable[[T], str] | None = None) -> Iterable[T]:
            task = bar.add_task(title, total=len(steps))
            for number, step in enumerate(steps, 1):
                if name and not console.is_terminal:
                    print(f"{title} {number}/{len(steps)}: {name(step)}", file=sys.stderr)
                bar.update(task, description=f"{title}: {name(step)}" if name else title)
                yield step
                bar.advance(task)

        yield track


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return the result of `work` and its seconds: the lesser of two passes, or of a long one."""
    passes: list[float] = []
    while not passes or (len(passes) < 2 and passes[0] <= LONG_SECONDS):
        started = time.perf_counter()
        result = work()
        passes.append(time.perf_counter() - started)
    return result, min(passes)
