"""Rate-distortion curves, each with its name beside it instead of a legend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import BLACK, BLUE, GREEN, GREY, VERMILLION, label, panels, styled
from recvae.experiments.pictures.comparisons import EFFORT, IDEAL, comparisons, curves, is_coded
from recvae.experiments.pictures.curves import Curve, curve_of, psnr_at
from recvae.experiments.pictures.images import Data
from recvae.experiments.pictures.published import ORC, PARTITIONED, SPLITS, THEORY
from recvae.experiments.store import Measured

WIDTH, HEIGHT = 7.6, 5.2  # inches
OFFSET_POINTS = 4  # of a name from its curve
RIM = withStroke(linewidth=2.5, foreground="white")  # keeps names readable over lines


@dataclass(frozen=True)
class Look:
    """How a curve is drawn, and where its name stands.

    Fields:
        label: its name.
        colour, line, marker, width: of it.
        at_db: the PSNR at which the name stands beside the curve; the nearest that it reaches.
        left: whether the name stands to the left of the curve.
        front: whether it is drawn before the others.
    """

    label: str
    colour: str
    at_db: float
    left: bool = False
    line: str = "-"
    marker: str = ""
    width: float = 1.1
    front: bool = False


@dataclass(frozen=True)
class Frame:
    """What part of the plane is shown, and how each curve looks in it."""

    rates_bpp: tuple[float, float]
    decibels: tuple[float, float]
    looks: Mapping[str, Look]


DARK, PALE = "#555555", "#8a8a8a"
OURS_LOOKS = {
    IDEAL: Look("our ideal (KL)", BLUE, 34.6, True, "--", "", 1.3, True),
    f"{EFFORT}16": Look("ours, effort 16", BLUE, 32.4, True, "-", "o", 2.0, True),
    f"{EFFORT}1": Look("effort 1", "#3f97cc", 29.3, True, "-", "o", 1.4, True),
}
PUBLISHED = {result.key: result.curve for result in (THEORY, PARTITIONED, ORC)}

CIFAR10 = Frame(
    (0, 3.5),
    (20, 36),
    OURS_LOOKS
    | {
        THEORY.key: Look("RECOMBINER, theory", VERMILLION, 33.6, True, ":", "", 1.3),
        PARTITIONED.key: Look("RECOMBINER, partitioned ORC", VERMILLION, 32.4, False, "-", "s"),
        ORC.key: Look("RECOMBINER, ORC", GREEN, 28.2, False, "-", "^"),
        "AVIF payload": Look("AVIF, payload", DARK, 34.9, False, "--"),
        "JPEG payload": Look("JPEG, scan", PALE, 25.0, False, "--"),
        "JPEG XL": Look("JPEG XL", BLACK, 24.5),
        "WebP": Look("WebP", DARK, 22.9),
        "AVIF": Look("AVIF", DARK, 26.4),
        "JPEG 2000": Look("JPEG 2000", PALE, 22.3),
        "JPEG": Look("JPEG", PALE, 24.0),
    },
)
KODAK = Frame(
    (0, 2),
    (22, 42),
    OURS_LOOKS
    | {
        "AVIF": Look("AVIF", DARK, 40.5, True),
        "JPEG XL": Look("JPEG XL", BLACK, 38.5),
        "WebP": Look("WebP", GREEN, 36.5),
        "JPEG 2000": Look("JPEG 2000", VERMILLION, 35),
        "JPEG": Look("JPEG", GREY, 33),
    },
)


def cifar10(rows: Sequence[Measured]) -> Drawing:
    """CIFAR-10: ours, ideal and coded; what is published; classical codecs on the same images."""
    title = "CIFAR-10: rate and distortion"
    found = curves(rows, "CIFAR-10")
    return Drawing("cifar10", title, _cifar10_caption(rows), _draw(found | PUBLISHED, CIFAR10))


def kodak(rows: Sequence[Measured]) -> Drawing:
    """Kodak: ours and classical codecs."""
    caption = (
        f"{_count(rows, 'Kodak')} photographs, a file each; whole files. "
        "Our model was trained on images of 32 × 32 pixels and never saw a photograph."
    )
    found = {n: c for n, c in curves(rows, "Kodak").items() if not n.endswith(" payload")}
    return Drawing("kodak", "Kodak: rate and distortion", caption, _draw(found, KODAK))


def _cifar10_caption(rows: Sequence[Measured]) -> str:
    gains = [
        f"{found.gain_db:+.2f} dB at {found.rate_bpp:g}"
        for found in comparisons(rows)
        if found.what == f"{EFFORT}16" and PARTITIONED.setting in found.against
    ]
    against = (
        f" Ours at effort 16 against its partitioned ORC: {', '.join(gains)}." if gains else ""
    )
    return (
        f"{_count(rows, 'CIFAR-10')} images; ours in one file, each image a group of its own, all "
        "bytes counted. Classical codecs make a file an image; broken lines of theirs leave "
        "headers out: of JPEG all but the entropy-coded scan, of AVIF all but what the box mdat "
        f"holds. RECOMBINER's points are published ones.{against} {SPLITS}"
    )


def _count(rows: Sequence[Measured], data: Data) -> int:
    return max((row["images"] for row in rows if row["data"] == data), default=0)


@styled
def _draw(found: Mapping[str, Curve], frame: Frame) -> Figure:
    figure, grid = panels(1, 1, WIDTH, HEIGHT)
    axes = grid[0, 0]
    axes.set_xlim(*frame.rates_bpp)
    axes.set_ylim(*frame.decibels)
    for name, curve in found.items():
        look = frame.looks.get(name) or _unforeseen(name)
        if curve:
            _plot(axes, curve, look)
            _write(axes, curve, look, frame)
    label(axes, "bits per pixel", "PSNR in dB")
    return figure


def _unforeseen(name: str) -> Look:
    """Of a curve that the frame does not know, such as another effort."""
    return Look(name, BLUE if is_coded(name) else GREY, 31.0, True, "-", "o", front=True)


def _plot(axes: Axes, curve: Curve, look: Look) -> None:
    rates, decibels = zip(*curve, strict=True)
    axes.plot(
        rates,
        decibels,
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        linewidth=look.width,
        zorder=4 if look.front else 3,
    )


def _write(axes: Axes, curve: Curve, look: Look, frame: Frame) -> None:
    """The name beside the curve, at its PSNR or as near to it as the frame shows the curve."""
    place = _place(curve, look.at_db, frame)
    if place is None:
        return
    axes.annotate(
        look.label,
        place,
        xytext=(-OFFSET_POINTS if look.left else OFFSET_POINTS, 0),
        textcoords="offset points",
        ha="right" if look.left else "left",
        va="bottom" if look.left else "top",
        color=look.colour,
        fontweight="bold" if look.width >= 2 else "normal",
        path_effects=[RIM],
        zorder=5,
    )


def _place(curve: Curve, at_db: float, frame: Frame) -> tuple[float, float] | None:
    """The point of a curve nearest to a PSNR, of those that the frame shows; None if there is none.

    A curve's PSNR rises with its rate.
    """
    by_db = curve_of((db, rate) for rate, db in curve)
    lowest, highest = max(by_db[0][0], frame.decibels[0]), min(by_db[-1][0], frame.decibels[1])
    last = psnr_at(curve, frame.rates_bpp[1])
    highest = highest if last is None else min(highest, last)
    db = min(max(at_db, lowest), highest)
    rate = psnr_at(by_db, db)
    shown = rate is not None and frame.rates_bpp[0] <= rate <= frame.rates_bpp[1]
    return (rate, db) if shown and rate is not None else None
