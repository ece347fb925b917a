"""Runs experiments, writes what each found as soon as it is done, and prints a summary."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from recvae.data import atomic_file, translate_os_errors
from recvae.errors import InputError
from recvae.experiments.synthetic import (
    ablation,
    code_length,
    large_blocks,
    orc_bias,
    runtime,
    side_by_side,
)
from recvae.experiments.synthetic.experiment import Experiment, Findings, Track
from recvae.experiments.synthetic.figures import render

T = TypeVar("T")

EXPERIMENTS: dict[str, Experiment] = {
    "runtime": runtime.run,
    "code_length": code_length.run,
    "orc_bias": orc_bias.run,
    "ablation": ablation.run,
    "large_blocks": large_blocks.run,
    "side_by_side": side_by_side.run,
}


def run(out: str, only: Sequence[str] | None, quick: bool, seed: int) -> None:
    """Runs experiments, by default all; replaces files of earlier runs.

    Raises:
        InputError: if a name is unknown, the seed is out of range or `out` cannot be written to.
    """
    names = _selected(only)
    if not 0 <= seed < 1 << 63:
        raise InputError(f"--seed {seed}: need an integer in [0, 2^63)")
    folder = _folder(out)
    summary = Table(title="synthetic experiments", title_justify="left")
    for heading in ("measured", "published", "here"):
        summary.add_column(heading, justify="left" if heading == "measured" else "right")
    written: list[Path] = []
    for name in names:
        started = time.perf_counter()
        with _progress(name) as track:
            # Each has the same randomness whichever others run.
            findings = EXPERIMENTS[name](quick, torch.Generator().manual_seed(seed), track)
        written += _write(folder, findings)
        seconds = time.perf_counter() - started
        summary.add_section()
        heading = f"[bold]{name}[/bold]: {escape(findings.heading)}"
        summary.add_row(heading, "", f"[dim]{seconds:.0f} s[/dim]")
        for line in findings.headlines:
            summary.add_row("  " + escape(line.name), line.published, line.found)
    console = Console()
    console.print(summary)
    for path in written:
        console.print(str(path), highlight=False, soft_wrap=True)


def _selected(only: Sequence[str] | None) -> list[str]:
    for name in only or ():
        if name not in EXPERIMENTS:
            known = ", ".join(EXPERIMENTS)
            raise InputError(f"--only {name}: no such experiment, choose of {known}")
    return [name for name in EXPERIMENTS if only is None or name in only]


def _folder(out: str) -> Path:
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{out} is not a folder: choose another for --out")
    with translate_os_errors(out):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{out}: may not be written to, choose another folder for --out")
    return folder


def _write(folder: Path, findings: Findings) -> list[Path]:
    """Writes all files, each whole or not at all; returns their paths."""
    files = {folder / f"{stem}.csv": table.to_csv() for stem, table in findings.tables.items()}
    for stem, figure in findings.figures.items():
        files[folder / f"{stem}.png"] = render(figure, "png")
        files[folder / f"{stem}.svg"] = render(figure, "svg")
    for path, content in files.items():
        with atomic_file(path, force=True) as stream:
            stream.write(content)
    return list(files)


@contextmanager
def _progress(title: str) -> Iterator[Track]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:

        def track(steps: Sequence[T]) -> Iterable[T]:
            return bar.track(steps, description=title)

        yield track
