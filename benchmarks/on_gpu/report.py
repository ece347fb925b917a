"""Writes the measurements as Markdown, CSV and a figure."""

import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from matplotlib.figure import Figure

from on_gpu.rows import DIFFERENT, FAILED, Row
from recvae.experiments.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    label,
    legend_below,
    panels,
    render,
    styled,
)
from recvae.experiments.running import write_files
from recvae.experiments.tables import Table, markdown_grid

DRY = "A dry run in Triton's interpreter, at toy sizes: nothing here was measured on a GPU."
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE)
BATCH, CANDIDATES = 4096, 1 << 12


@dataclass(frozen=True)
class Target:
    """A target for an H100.

    Args:
        name: the measured quantity.
        floor, goal: in `unit`.
        unit: unit of floor, goal and result.
        rows: step and name of the row with the value, and of the row that it is divided by.
    """

    name: str
    floor: float
    goal: float
    unit: str
    rows: tuple[tuple[str, str], ...]

    def reached(self, rows: Sequence[Row]) -> float | None:
        """The value reached; None if something was not measured."""
        numbers = [_number(rows, step, name) for step, name in self.rows]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            return None
        return known[0] / known[1] if len(known) == 2 else known[0]


TARGETS = (
    Target("partitioned ORC", 50, 100, "G/s", (("grid", "partitioned ORC"),)),
    Target("ORC", 150, 300, "G/s", (("grid", "ORC"),)),
    Target(
        "partitioned ORC to eager", 50, 300, "x",
        (("grid", "partitioned ORC"), ("eager", "partitioned ORC")),
    ),
    Target("ORC to eager", 50, 300, "x", (("grid", "ORC"), ("eager", "ORC"))),
    Target("compress, `mnist`", 5000, 20000, "images/s", (("codec", "compress, cuda"),)),
)  # fmt: skip


def _number(rows: Sequence[Row], step: str, name: str) -> float | None:
    """The value for batch `BATCH` and N = `CANDIDATES`, or for the codec's largest batch."""
    found = [
        row
        for row in rows
        if (row.step, row.name) == (step, name)
        and (not row.candidates or (row.batch, row.candidates) == (BATCH, CANDIDATES))
        and isinstance(row.value, float)
    ]
    return float(max(found, key=lambda row: row.batch).value) if found else None


def failures(rows: Sequence[Row]) -> list[str]:
    """A line for each step that ended early and each result that differs."""
    return [
        f"{row.step}: {row.value}" if row.name == FAILED else f"{row.step}, {row.name}: {row.value}"
        for row in rows
        if row.name == FAILED or str(row.value).startswith(DIFFERENT)
    ]


def write_report(folder: Path, card: str, rows: Sequence[Row], dry: bool) -> list[Path]:
    """Write CARD.md, .csv and .svg; return their paths."""
    path = folder / slug(card)
    columns = tuple(field.name for field in fields(Row))
    files = {
        path.with_suffix(".csv"): Table(columns, [astuple(row) for row in rows]).to_csv(),
        path.with_suffix(".svg"): render(_rates(rows), "svg"),
        path.with_suffix(".md"): _markdown(card, rows, dry, path.with_suffix(".svg").name).encode(),
    }
    write_files(files)
    return list(files)


def slug(card: str) -> str:
    """Make a file name: "NVIDIA H100 80GB HBM3" becomes nvidia-h100-80gb-hbm3."""
    return re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-") or "card"


def target_lines(rows: Sequence[Row], dry: bool) -> list[list[str]]:
    """Name, floor, goal and value reached of each target; a dry run reaches none."""
    lines = []
    for target in TARGETS:
        reached = None if dry else target.reached(rows)
        said = "not measured" if reached is None else _said(reached, target.unit)
        bounds = (_said(bound, target.unit) for bound in (target.floor, target.goal))
        lines.append([target.name, *bounds, said])
    return lines


def _said(value: float | str, unit: str = "") -> str:
    if isinstance(value, str):
        return value
    number = f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"
    return f"{number} {unit}".strip()


def _markdown(card: str, rows: Sequence[Row], dry: bool, figure: str) -> str:
    parts = [f"# The search on a GPU: {card}"]
    parts += [DRY] if dry else []
    parts.append(
        f"G/s: thousands of millions of candidate-dimensions a second; 16 dimensions, batch "
        f"{BATCH:,}, N = {CANDIDATES:,} where nothing else is said. Goals are for an H100."
    )
    parts.append(markdown_grid(("target", "floor", "goal", "reached"), target_lines(rows, dry)))
    parts += [f"- {line}" for line in failures(rows)]
    parts.append(f"![Rates over batches]({figure})")
    for step in dict.fromkeys(row.step for row in rows):
        lines = [_cells(row) for row in rows if row.step == step]
        # Empty columns are left out.
        headings = ("what", "batch", "N", "value", "note")
        kept = [n for n in range(len(headings)) if any(line[n] for line in lines)]
        grid = [[line[n].replace("|", "/") for n in kept] for line in lines]
        parts += [f"## {step}", markdown_grid([headings[n] for n in kept], grid)]
    return "\n\n".join(parts) + "\n"


def _cells(row: Row) -> list[str]:
    batch, candidates = (f"{number:,}" if number else "" for number in (row.batch, row.candidates))
    return [row.name, batch, candidates, _said(row.value, row.unit), row.note]


@styled
def _rates(rows: Sequence[Row]) -> Figure:
    """Draw G/s of the grid over batches: a panel for each algorithm, a line for each N."""
    measured = (row for row in rows if row.step == "grid" and row.name != FAILED)
    grid = sorted(measured, key=lambda row: row.batch)
    counts = sorted({row.candidates for row in grid})
    figure, axes = panels(1, 2, sharey=True)
    for panel, name in zip(axes[0], ("partitioned ORC", "ORC"), strict=True):
        for colour, candidates in zip(COLOURS, counts, strict=False):
            for shown, line in ((name, "-"), ("torch.randn", ":")):
                mine = [row for row in grid if (row.name, row.candidates) == (shown, candidates)]
                panel.plot(
                    [row.batch for row in mine],
                    [float(row.value) for row in mine],
                    color=colour if shown == name else GREY,
                    linestyle=line,
                    marker="o" if shown == name else "",
                    label=f"N = {candidates:,}" if shown == name else shown,
                )
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        label(panel, "items", "candidate-dimensions, G/s", name)
    legend_below(figure, 5)
    return figure
