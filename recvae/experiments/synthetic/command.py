"""Runs experiments, writes the results of each when it is done, and prints a summary."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recvae.errors import InputError
from recvae.experiments.figures import render
from recvae.experiments.running import check_seed, output_folder, progress, write_files
from recvae.experiments.synthetic import (
    ablation,
    code_length,
    large_blocks,
    orc_bias,
    runtime,
    search,
    side_by_side,
)
from recvae.experiments.synthetic.experiment import Experiment, Findings

EXPERIMENTS: dict[str, Experiment] = {
    "search": search.run,
    "runtime": runtime.run,
    "code_length": code_length.run,
    "orc_bias": orc_bias.run,
    "ablation": ablation.run,
    "large_blocks": large_blocks.run,
    "side_by_side": side_by_side.run,
}


def run(out: str, only: Sequence[str] | None, quick: bool, seed: int) -> None:
    """Run experiments, by default all, replacing files of earlier runs.

    Raises:
        InputError: if a name is unknown, the seed is out of range or `out` cannot be written to.
    """
    names = _selected(only)
    check_seed(seed)
    folder = output_folder(out)
    summary = Table(title="synthetic experiments", title_justify="left")
    for heading in ("measured", "published", "here"):
        summary.add_column(heading, justify="left" if heading == "measured" else "right")
    written: list[Path] = []
    for name in names:
        started = time.perf_counter()
        with progress(name) as track:
            # Each has the same randomness, whichever others run.
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
            raise InputError(f"--only {name}: no such experiment, choose from {known}")
    return [name for name in EXPERIMENTS if only is None or name in only]


def _write(folder: Path, findings: Findings) -> list[Path]:
    """Write all files, each whole or not at all; return their paths."""
    files = {folder / f"{stem}.csv": table.to_csv() for stem, table in findings.tables.items()}
    for stem, figure in findings.figures.items():
        files[folder / f"{stem}.png"] = render(figure, "png")
        files[folder / f"{stem}.svg"] = render(figure, "svg")
    write_files(files)
    return list(files)
