"""Tables as CSV: one row per measurement, units in the names of the columns."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Cell: TypeAlias = str | int | float | None
"""None is an empty cell: not measured or not published."""


@dataclass(frozen=True)
class Table:
    """Named columns and rows of cells."""

    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        """Append a row; raise ValueError unless it has one cell for each column."""
        if len(cells) != len(self.columns):
            raise ValueError(f"cells: got {len(cells)}, need {len(self.columns)}, one a column")
        self.rows.append(cells)

    def where(self, **cells: Cell) -> "Table":
        """The rows with these cells, by column."""
        wanted = [(self.columns.index(name), cell) for name, cell in cells.items()]
        rows = [row for row in self.rows if all(row[i] == cell for i, cell in wanted)]
        return Table(self.columns, rows)

    def column(self, name: str) -> list[float]:
        """Numbers of a column; empty cells become nan."""
        cells = (row[self.columns.index(name)] for row in self.rows)
        return [math.nan if cell is None else float(cell) for cell in cells]

    def to_csv(self) -> bytes:
        """RFC 4180 with LF; numbers with 6 significant digits."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(_formatted(row) for row in self.rows)
        return text.getvalue().encode()


def markdown_grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in GitHub's Markdown, the first column aligned left, the others right."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows))


def markdown_text(cell: Cell, form: str = "") -> str:
    """A cell of Markdown: text unchanged, numbers by a format, empty for None."""
    if cell is None:
        return ""
    return cell.replace("*", r"\*") if isinstance(cell, str) else format(cell, form)


def _formatted(row: Iterable[Cell]) -> list[str]:
    return [
        "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell)
        for cell in row
    ]
