"""The report of the MNIST experiment: figures as SVG, and one page that holds everything."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from recvae.experiments.figures import Kind
from recvae.experiments.mnist.figures import Drawing
from recvae.experiments.mnist.report.page import Contents, page
from recvae.experiments.mnist.table import sorted_rows
from recvae.experiments.report import render_svgs, write_report_files
from recvae.experiments.store import Measured

__all__ = ["write_report"]


def write_report(
    folder: Path,
    rows: Sequence[Measured],
    drawings: Iterable[Drawing],
    notes: Sequence[str],
    command: str,
) -> list[Path]:
    """Write `figures/*.svg` and `report.html` below a folder; return their paths.

    Args:
        folder: folder of the tables.
        rows: measured rows, any of them; the report covers what they allow.
        drawings: the figures, in order.
        notes: lines about what is missing.
        command: the command that reproduces all of it.

    Raises:
        InputError: if the folder cannot be written to.
    """
    drawings = list(drawings)
    svgs = render_svgs(drawings)
    contents = Contents(sorted_rows(rows), drawings, svgs, notes, command)
    figures: dict[str, dict[Kind, bytes]] = {name: {"svg": svg} for name, svg in svgs.items()}
    return write_report_files(folder, figures, page(contents))
