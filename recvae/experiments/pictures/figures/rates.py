"""Rate-distortion curves, labelled directly instead of by a legend."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILLION,
    label,
    panels,
    styled,
)
from recvae.experiments.pictures.comparisons import (
    EFFORT,
    IDEAL,
    INR_BINS,
    INR_IDEAL,
    INR_NO_BINS,
    comparisons,
    curves,
    is_coded,
)
from recvae.experiments.pictures.curves import Curve, curve_of, psnr_at, rate_at
from recvae.experiments.pictures.images import SIDE, Data
from recvae.experiments.pictures.inr_findings import conditions
from recvae.experiments.pictures.inr_rows import INR_DATA
from recvae.experiments.pictures.published import ORC, PARTITIONED, SPLITS, THEORY
from recvae.experiments.store import Measured

WIDTH, HEIGHT = 7.6, 5.2  # inches
BOLD_FROM = 2.0  # width of a curve whose name is bold
ROUNDING = 1e-6  # relative error of a rate converted there and back
OFFSET_POINTS = 4  # distance of a name from its curve
LONE_MARKER = "D"  # of a point without a curve
RIM = withStroke(linewidth=2.5, foreground="white")  # keeps names readable over lines


EDGE = math.inf  # for a name at the end of its curve or at the frame
Side: TypeAlias = Literal["upper left", "lower left", "lower right", "right"]


@dataclass(frozen=True)
class Look:
    """The look of a curve, and the place of its name.

    Fields:
        label: its name.
        colour: colour of both.
        at_db: PSNR at which the name is placed beside the curve; the nearest the curve reaches.
        side: side of the curve for the name.
        apart: place of the name instead, in bits per pixel and dB, with a line to the curve,
        start: which starts here: from (0, 0), the name's lower left, to (1, 1).
        line, marker, width: style of the curve.
        front: whether it is drawn in front of the others.
    """

    label: str
    colour: str
    at_db: float
    side: Side = "upper left"
    line: str = "-"
    marker: str = ""
    width: float = 1.1
    front: bool = False
    apart: tuple[float, float] | None = None
    start: tuple[float, float] = (0.5, 0.5)


@dataclass(frozen=True)
class Frame:
    """The part of the plane that is shown, and the look of each curve in it."""

    rates_bpp: tuple[float, float]
    decibels: tuple[float, float]
    looks: Mapping[str, Look]


DARK, PALE = "#555555", "#8a8a8a"
OURS_LOOKS = {
    IDEAL: Look("our ideal (KL)", BLUE, 33.6, line="--", width=1.3, front=True),
    f"{EFFORT}16": Look("ours, effort 16", BLUE, 31.2, marker="o", width=2.0, front=True),
    f"{EFFORT}1": Look(
        "effort 1", "#3f97cc", 20.0, "lower left", marker="o", width=1.4, front=True
    ),
}
LEFT = 0.0, 0.6  # of a name
INR_LOOKS = {
    INR_IDEAL: Look(
        "INR, ideal", PURPLE, 31.0, line="--", width=1.3, apart=(2.25, 28.6), start=LEFT
    ),
    INR_BINS: Look("INR, 48-bit blocks", PURPLE, 31.8, marker="o", apart=(2.25, 29.3), start=LEFT),
    INR_NO_BINS: Look(
        "INR, 16-bit, no partition", PURPLE, 30.0, marker="^", apart=(2.25, 27.9), start=LEFT
    ),
}
PUBLISHED = {result.key: result.curve for result in (THEORY, PARTITIONED, ORC)}

CIFAR10 = Frame(
    (0, 3.5),
    (20, 36),
    OURS_LOOKS
    | INR_LOOKS
    | {
        THEORY.key: Look("theory", VERMILLION, 33.0, line=":", width=1.3),
        PARTITIONED.key: Look("RECOMBINER,\npartitioned ORC", VERMILLION, 33.6, marker="s"),
        ORC.key: Look("RECOMBINER, ORC", GREEN, 29.77, marker="^", apart=(1.66, 26.1)),
        "AVIF payload": Look("AVIF, payload", DARK, 35.2, "lower right", "--"),
        "JPEG payload": Look("JPEG,\nscan", PALE, 22.5, "lower right", "--"),
        "JPEG XL": Look("JPEG XL", BLACK, 24.5, "lower right"),
        "WebP": Look("WebP", DARK, 23.3),
        "AVIF": Look("AVIF", DARK, 26.4, "lower right"),
        "JPEG 2000": Look("JPEG 2000", PALE, 22.3, "lower right"),
        "JPEG": Look("JPEG", PALE, 24.0, "lower right"),
    },
)
KODAK = Frame(
    (0, 2),
    (24, 42),
    OURS_LOOKS
    | {
        IDEAL: Look(
            "our ideal (KL)", BLUE, 34.0, line="--", width=1.3, front=True, apart=(0.3, 38.0)
        ),
        f"{EFFORT}1": Look(
            "ours, effort 1", BLUE, 33.0, "lower right", marker="o", width=2.0, front=True
        ),
        "AVIF": Look("AVIF", DARK, EDGE, "right"),
        "JPEG XL": Look("JPEG XL", BLACK, EDGE, "right"),
        "WebP": Look("WebP", GREEN, EDGE, "right"),
        "JPEG 2000": Look("JPEG 2000", VERMILLION, EDGE, "right"),
        "JPEG": Look("JPEG", GREY, EDGE, "right"),
    },
)


def cifar10(rows: Sequence[Measured]) -> Drawing:
    """Draw CIFAR-10: ours, ideal and coded; published points; classical codecs."""
    title = "CIFAR-10: rate and distortion"
    found = curves(rows, "CIFAR-10") | PUBLISHED
    found |= {name: c for name, c in curves(rows, INR_DATA).items() if name in INR_LOOKS}
    return Drawing("cifar10", title, _cifar10_caption(rows), _draw(found, CIFAR10))


def kodak(rows: Sequence[Measured]) -> Drawing:
    """Draw Kodak: ours and classical codecs."""
    caption = (
        f"The middle {SIDE} × {SIDE} pixels of {_count(rows, 'Kodak')} photographs, one file "
        "each; whole files. Our model was trained on images of 32 × 32 pixels and never saw a "
        "photograph."
    )
    found = {n: c for n, c in curves(rows, "Kodak").items() if not n.endswith(" payload")}
    return Drawing("kodak", "Kodak: rate and distortion", caption, _draw(found, KODAK))


def _cifar10_caption(rows: Sequence[Measured]) -> str:
    gains = [
        f"{found.gain_db:+.2f} dB at {found.rate_bpp:g}"
        for found in comparisons(rows)
        if found.what == f"{EFFORT}16" and PARTITIONED.setting in found.against
    ]
    inr = conditions(rows)
    gained = f" Ours at effort 16 against its partitioned ORC: {', '.join(gains)}."
    return (
        f"{_count(rows, 'CIFAR-10')} images; ours in one file, each image in a group of its own, "
        "all bytes counted. Classical codecs make one file per image; their broken lines leave out "
        "headers: they count the entropy-coded scan of JPEG and the content of AVIF's box mdat. "
        f"RECOMBINER's points are the published ones.{gained * bool(gains)} {SPLITS}"
        f"{' ' * bool(inr)}{inr}"
    )


def _count(rows: Sequence[Measured], data: Data) -> int:
    return max((row["images"] for row in rows if row["data"] == data), default=0)


@styled
def _draw(found: Mapping[str, Curve], frame: Frame) -> Figure:
    figure, grid = panels(1, 1, WIDTH, HEIGHT)
    axes = grid[0, 0]
    axes.set_xlim(*frame.rates_bpp)
    axes.set_ylim(*frame.decibels)
    axes.yaxis.set_major_locator(MultipleLocator(2))
    for name, curve in found.items():
        look = frame.looks.get(name) or _unforeseen(name)
        if curve:
            _plot(axes, curve, look)
            _write(axes, curve, look, frame)
    label(axes, "bits per pixel", "PSNR in dB")
    return figure


def _unforeseen(name: str) -> Look:
    """The look of a curve that the frame does not list, such as another effort."""
    return Look(name, BLUE if is_coded(name) else GREY, 31.0, marker="o", front=True)


def _plot(axes: Axes, curve: Curve, look: Look) -> None:
    rates, decibels = zip(*curve, strict=True)
    axes.plot(
        rates,
        decibels,
        color=look.colour,
        linestyle=look.line,
        marker=look.marker or LONE_MARKER * (len(curve) == 1),
        linewidth=look.width,
        zorder=4 if look.front else 3,
    )


def _write(axes: Axes, curve: Curve, look: Look, frame: Frame) -> None:
    """Write the name beside the curve, as near to its PSNR as the visible curve allows."""
    place = _place(curve, look.at_db, frame)
    if place is None:
        return
    style: dict[str, Any] = {"color": look.colour, "path_effects": [RIM], "zorder": 5}
    if look.apart is not None:
        line = {"arrowstyle": "-", "color": look.colour, "linewidth": 0.6, "relpos": look.start}
        axes.annotate(look.label, place, look.apart, va="top", arrowprops=line, **style)
        return
    axes.annotate(
        look.label,
        place,
        xytext=(-OFFSET_POINTS if look.side.endswith("left") else OFFSET_POINTS, 0),
        textcoords="offset points",
        ha="right" if look.side.endswith("left") else "left",
        va={"upper": "bottom", "lower": "top"}.get(look.side.split()[0], "center"),
        fontweight="bold" if look.width >= BOLD_FROM else "normal",
        **style,
    )


def _place(curve: Curve, at_db: float, frame: Frame) -> tuple[float, float] | None:
    """The visible point of a curve nearest to a PSNR; None if no point is visible.

    A curve's PSNR increases with its rate.
    """
    by_db = curve_of((db, rate) for rate, db in curve)
    lowest, highest = max(by_db[0][0], frame.decibels[0]), min(by_db[-1][0], frame.decibels[1])
    last = psnr_at(curve, frame.rates_bpp[1])
    highest = highest if last is None else min(highest, last)
    db = min(max(at_db, lowest), highest)
    rate = rate_at(curve, db)
    if rate is None or not frame.rates_bpp[0] <= rate <= frame.rates_bpp[1] * (1 + ROUNDING):
        return None
    return rate, db
