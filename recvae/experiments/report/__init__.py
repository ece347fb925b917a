"""Reports: figures as files, and one HTML page that holds everything and needs no other file.

A report's page extends `base.html`; `macros.html` provides sortable tables, figures and notes.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import Kind, render
from recvae.experiments.report.machine import machine
from recvae.experiments.report.markup import inline_svg, prose
from recvae.experiments.running import write_files
from recvae.files import translate_os_errors

__all__ = ["render_page", "render_svgs", "write_report_files"]


def render_svgs(drawings: Iterable[Drawing]) -> dict[str, bytes]:
    """Render the figures of drawings that have one as SVG, by name."""
    return {d.name: render(d.figure, "svg") for d in drawings if d.figure is not None}


def render_page(template: str, **contents: Any) -> str:
    """Fill a template, given by its path below this package's parent."""
    environment = Environment(
        loader=PackageLoader("recvae.experiments", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["prose"] = prose
    environment.globals |= {"format": format, "inline_svg": inline_svg}
    return environment.get_template(template).render(contents, machine=machine())


def write_report_files(
    folder: Path, figures: dict[str, dict[Kind, bytes]], page: str
) -> list[Path]:
    """Write `figures/NAME.KIND` and, last, `report.html` below a folder; return their paths.

    Raises InputError if the folder cannot be written to.
    """
    files = {
        folder / "figures" / f"{name}.{kind}": content
        for name, kinds in figures.items()
        for kind, content in kinds.items()
    }
    files[folder / "report.html"] = page.encode()
    with translate_os_errors(folder):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    write_files(files)
    return list(files)
