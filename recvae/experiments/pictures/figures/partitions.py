"""Ways to partition latents, at equal numbers of candidates."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import (
    BLUE,
    GREEN,
    ORANGE,
    VERMILLION,
    Series,
    label,
    legend_below,
    panels,
    styled,
)
from recvae.experiments.pictures.rows import OURS, STRATEGIES
from recvae.experiments.pictures.table import to_partition_table
from recvae.experiments.store import Measured
from recvae.experiments.tables import Table

LOOKS = dict(
    zip(
        STRATEGIES,
        (
            Series("by mutual information", BLUE, "o"),
            Series("evenly, informative dimensions only", GREEN, "s"),
            Series("at random", ORANGE, "D"),
            Series("no partition", VERMILLION, "^"),
        ),
        strict=True,
    )
)


def partitions(rows: Sequence[Measured]) -> Drawing:
    """Draw overhead a block and PSNR against the bits of a block, a line for each strategy."""
    title = "Ways to partition, at equal numbers of candidates"
    table = to_partition_table(rows).where(codec=OURS)
    if not table.rows:
        return Drawing("partitions", title, "No partition has been measured so far.")
    return Drawing("partitions", title, _caption(table), _draw(table))


def _caption(table: Table) -> str:
    (images,), (candidates,) = set(table.column("images")), set(table.column("log2_candidates"))
    best: dict[str, int] = {}
    sizes = sorted(set(table.column("block_bits")))
    for bits in sizes:
        at_size = table.where(block_bits=int(bits))
        decibels = at_size.column("psnr_db")
        row = at_size.rows[decibels.index(max(decibels))]
        strategy = LOOKS[str(row[table.columns.index("strategy")])].label
        best[strategy] = best.get(strategy, 0) + 1
    wins = ", ".join(f"{name} at {count}" for name, count in best.items())
    return (
        f"{images:.0f} images of CIFAR-10 at one quality; every block has 2^{candidates:g} "
        "candidates, so a strategy that leaves more to the search loses PSNR. "
        f"Highest PSNR among {len(sizes)} block sizes: {wins}. The overhead is the bits of bins "
        "and ranks of a block minus the KL of its posteriors."
    )


@styled
def _draw(table: Table) -> Figure:
    figure, ((left, right),) = panels(1, 2, 4.2, 3.6)
    for strategy, series in LOOKS.items():
        part = table.where(strategy=strategy)
        order = sorted(range(len(part.rows)), key=part.column("block_bits").__getitem__)
        bits = [part.column("block_bits")[k] for k in order]
        for axes, column in ((left, "overhead_bits_per_block"), (right, "psnr_db")):
            series.plot(axes, bits, [part.column(column)[k] for k in order])
    for axes in (left, right):
        axes.set_xticks(sorted(set(table.column("block_bits"))))
    label(left, "bits a block", "overhead, bits a block")
    label(right, "bits a block", "PSNR in dB")
    legend_below(figure, 4)
    return figure
