"""Implicit neural representations (INR): ways to code their blocks, beside published points."""

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Series,
    label,
    legend_below,
    panels,
    styled,
)
from recvae.experiments.pictures.comparisons import INR_IDEAL, curves
from recvae.experiments.pictures.curves import Curve, psnr_at
from recvae.experiments.pictures.inr_findings import conditions, partitioning_gains
from recvae.experiments.pictures.inr_rows import (
    CODED,
    INR_DATA,
    PARTITIONED_BLOCKS,
    UNPARTITIONED_BLOCKS,
    Blocks,
)
from recvae.experiments.pictures.published import ORC, PARTITIONED, SPLITS, THEORY
from recvae.experiments.store import Measured

COLOURS = {
    PARTITIONED_BLOCKS.block_bits: BLUE,
    32: SKY,
    24: PURPLE,
    UNPARTITIONED_BLOCKS.block_bits: GREEN,
}
MARKERS = {True: "o", False: "X"}  # with and without fine-tuning
PUBLISHED = (
    (THEORY, Series("RECOMBINER, theory", GREY, "")),
    (PARTITIONED, Series("RECOMBINER, partitioned ORC", VERMILLION, "s", ":")),
    (ORC, Series("RECOMBINER, ORC", ORANGE, "^", ":")),
)


def inr_blocks(rows: Sequence[Measured]) -> Drawing:
    """Draw PSNR against rate, and what it is above the published ideal curve."""
    title = "CIFAR-10: implicit neural representations"
    found = curves(rows, INR_DATA)
    if not found:
        return Drawing("cifar10_inr", title, "No such model has been measured: pass --inr.")
    caption = " ".join(
        [
            conditions(rows),
            "Right: PSNR minus that of RECOMBINER's published ideal curve (theory) at the same "
            "rate, within its ends.",
            *partitioning_gains(rows),
            SPLITS,
        ]
    )
    return Drawing("cifar10_inr", title, caption, _draw(found))


@styled
def _draw(found: dict[str, Curve]) -> Figure:
    figure, ((left, right),) = panels(1, 2, 4.6, 4.4)
    own = [(found[name], series) for name, series in _looks().items() if name in found]
    for curve, series in (*((result.curve, look) for result, look in PUBLISHED), *own):
        series.plot(left, *zip(*curve, strict=True))
        apart = [
            (rate, db - ideal)
            for rate, db in curve
            if (ideal := psnr_at(THEORY.curve, rate)) is not None
        ]
        if apart:
            series.plot(right, *zip(*apart, strict=True))
    label(left, "bits per pixel", "PSNR in dB")
    label(right, "bits per pixel", "dB above RECOMBINER, theory")
    legend_below(figure, 2)
    return figure


def _looks() -> dict[str, Series]:
    """The look of each of our curves, by name; one of one point has a marker in any case."""
    ideal = Series(INR_IDEAL, BLACK, "D", "--")
    return {INR_IDEAL: ideal} | {blocks.codec: _look(blocks) for blocks in CODED}


def _look(blocks: Blocks) -> Series:
    look = Series(blocks.codec, COLOURS[blocks.block_bits], MARKERS[blocks.tuned])
    return look if blocks.tuned else replace(look, line="--")
