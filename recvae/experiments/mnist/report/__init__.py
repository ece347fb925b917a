"""The report of the MNIST experiment: figures as SVG, and one page that holds everything."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from recvae.experiments.figures import render
from recvae.experiments.mnist.figures import Drawing
from recvae.experiments.mnist.goals import verdicts
from recvae.experiments.mnist.report.machine import machine
from recvae.experiments.mnist.report.page import Contents, page
from recvae.experiments.mnist.store import Measured
from recvae.experiments.mnist.table import sorted_rows
from recvae.experiments.running import write_files
from recvae.files import translate_os_errors

__all__ = ["write_report"]


def write_report(
    folder: Path,
    rows: Sequence[Measured],
    drawings: Iterable[Drawing],
    notes: Sequence[str],
    command: str,
) -> list[Path]:
    """Write `figures/*.svg` and `report.html` below a folder; returns their paths.

    Args:
        folder: that holds the tables.
        rows: as measured, any of them: a part gives a part of the report.
        drawings: the figures, in their order.
        notes: on what is missing, a line each.
        command: that makes all of it again.

    Raises:
        InputError: if the folder cannot be written to.
    """
    drawings = list(drawings)
    svgs = {d.name: render(d.figure, "svg") for d in drawings if d.figure is not None}
    contents = Contents(
        sorted_rows(rows), verdicts(rows), drawings, svgs, notes, machine(), command
    )
    files = {folder / "figures" / f"{name}.svg": svg for name, svg in svgs.items()}
    files[folder / "report.html"] = page(contents).encode()
    with translate_os_errors(folder):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    write_files(files)
    return list(files)
