"""One style for all figures: colours distinguishable by the colour-blind, legends beside the data.

Figures are made without pyplot: no global state changes and no display is needed. Their SVGs hold
neither dates nor random names: equal drawings give equal files.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Kind: TypeAlias = Literal["png", "svg"]
"""The format of a figure's file."""

# Okabe & Ito, "Color universal design" (2008).
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, GREY, BLACK = "#56B4E9", "#CC79A7", "#777777", "#000000"

RC: Any = {
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.dpi": 160,
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "svg.hashsalt": "recvae",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}

styled = matplotlib.rc_context(RC)
"""Decorates functions that draw or write to use this module's style."""


@dataclass(frozen=True)
class Series:
    """The look of one coder in all panels of a figure."""

    label: str
    colour: str
    marker: str
    line: str = "-"

    def plot(self, axes: Axes, x: Sequence[float], y: Sequence[float], **options: Any) -> None:
        """Plot a line with markers."""
        style = {"label": self.label, "color": self.colour, "marker": self.marker}
        axes.plot(x, y, **(style | {"linestyle": self.line} | options))

    def plot_published(self, axes: Axes, x: Sequence[float], y: Sequence[float], name: str) -> None:
        """Plot large hollow markers, in the colour of the series they are compared with."""
        hollow = {"linestyle": "none", "fillstyle": "none", "markersize": 9, "markeredgewidth": 1.3}
        self.plot(axes, x, y, label=f"{name}, published", **hollow)


def panels(
    rows: int, columns: int, width: float = 4.2, height: float = 3.2, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of (rows, columns) axes, each of width x height inches."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def whole_ticks(axes: Axes) -> None:
    """Put ticks of the x axis at integers only."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def label(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Label the axes, with units, and the panel."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)


def legend_below(figure: Figure, columns: int) -> None:
    """Add one legend for all panels, each label once, outside the data."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, names = axes.get_legend_handles_labels()
        entries.update(zip(names, handles, strict=True))
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)


@styled
def render(figure: Figure, kind: Kind) -> bytes:
    """Render the figure to a file."""
    stream = io.BytesIO()
    metadata = {"svg": {"Date": None}, "png": {"Software": None}}[kind]
    figure.savefig(stream, format=kind, metadata=metadata)
    return stream.getvalue()
