"""The report of the picture experiment: figures as SVG and PNG, and one page with everything."""

from collections.abc import Sequence
from pathlib import Path

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import Kind, render
from recvae.experiments.pictures.classical import ClassicalCodec
from recvae.experiments.pictures.comparisons import Comparison
from recvae.experiments.pictures.published import RESULTS, SPLITS
from recvae.experiments.pictures.table import MARKDOWN, about, codec_notes
from recvae.experiments.report import render_page, render_svgs, write_report_files
from recvae.experiments.store import Measured

__all__ = ["write_report"]

SECONDS = ("encode_seconds", "decode_seconds")  # shown in ms


def write_report(
    folder: Path,
    rows: Sequence[Measured],
    compared: Sequence[Comparison],
    drawings: Sequence[Drawing],
    classics: Sequence[ClassicalCodec],
    notes: Sequence[str],
    command: str,
) -> list[Path]:
    """Write `figures/*.svg`, `figures/*.png` and `report.html`; return their paths.

    Args:
        folder: folder of the tables.
        rows: measured rows, any of them; the report covers what they allow.
        compared: comparisons of these.
        drawings: the figures, in order.
        classics: the classical codecs that were run.
        notes: lines about what is missing.
        command: the command that reproduces all of it.

    Raises:
        InputError: if the folder cannot be written to.
    """
    svgs = render_svgs(drawings)
    figures: dict[str, dict[Kind, bytes]] = {
        d.name: {"svg": svgs[d.name], "png": render(d.figure, "png")}
        for d in drawings
        if d.figure is not None
    }
    columns = [
        (key, heading, form, 1000 if key in SECONDS else 1)
        for key, (heading, form) in MARKDOWN.items()
        if key != "codec"
    ]
    page = render_page(
        "pictures/report/page.html",
        rows=[row for row in rows if row["kind"] != "partition"],
        compared=compared,
        drawings=drawings,
        svgs=svgs,
        notes=notes,
        command=command,
        columns=columns,
        headings=[("codec", ""), ("images", ""), *((heading, "") for _, heading, _, _ in columns)],
        published=RESULTS,
        splits=SPLITS,
        about=about(rows),
        codecs=codec_notes(classics),
    )
    return write_report_files(folder, figures, page)
