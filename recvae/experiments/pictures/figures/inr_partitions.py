"""Ways to partition the blocks of implicit neural representations (INR), at an equal search."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import label, panels, styled
from recvae.experiments.pictures.figures.partitions import LOOKS
from recvae.experiments.pictures.inr_rows import INR
from recvae.experiments.pictures.table import to_partition_table
from recvae.experiments.store import Measured
from recvae.experiments.tables import Table

AXES = {
    "overhead_bits_per_block": ("overhead, bits a block", ".1f"),
    "bits_per_pixel": ("bits per pixel", ".2f"),
    "psnr_db": ("PSNR in dB", ".1f"),
}
"""Heading and format of the column of each panel."""


def inr_partitions(rows: Sequence[Measured]) -> Drawing:
    """Draw overhead a block, rate and PSNR of each strategy."""
    title = "Ways to partition the blocks of INR, at equal numbers of candidates"
    table = to_partition_table(rows).where(codec=INR)
    if not table.rows:
        return Drawing("inr_partitions", title, "No such partition has been measured: pass --inr.")
    caption = (
        f"{table.column('images')[0]:.0f} images of CIFAR-10, the model of "
        f"{table.column('setting')[0]:.2f} bits per pixel, every block with "
        f"2^{table.column('log2_candidates')[0]:g} candidates. The overhead is the bits of bins "
        "and ranks of a block minus its KL when it was sent. Where it is negative, the candidates "
        "do not cover the posterior: such blocks take fewer bits than they should, and distort."
    )
    return Drawing("inr_partitions", title, caption, _draw(table))


@styled
def _draw(table: Table) -> Figure:
    figure, (grid,) = panels(1, len(AXES), 3.2, 2.6, sharey=True)
    strategies = [str(row[table.columns.index("strategy")]) for row in table.rows]
    looks = [LOOKS[strategy] for strategy in strategies]
    places = range(len(looks))
    for axes, (column, (heading, form)) in zip(grid, AXES.items(), strict=True):
        for place, look, value in zip(places, looks, table.column(column), strict=True):
            axes.plot(value, place, color=look.colour, marker=look.marker)
            axes.annotate(
                f"{value:{form}}",
                (value, place),
                (0, 5),
                textcoords="offset points",
                ha="center",
                color=look.colour,
            )
        axes.margins(x=0.2, y=0.15)
        label(axes, heading, "")
    bits = table.column("block_bits")
    names = [f"{look.label}, {size:g} bits" for look, size in zip(looks, bits, strict=True)]
    grid[0].set_yticks(places, [name.replace(", informative", ",\ninformative") for name in names])
    grid[0].invert_yaxis()
    return figure
