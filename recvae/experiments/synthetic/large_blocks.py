"""Blocks of up to 48 bits by partitioned ordered random coding: bias and code length by log J.

N is constant while the bins' share of the information goes from none to more than all. With too few
bins, the search is left more bits than N candidates provide, and samples are biased.
"""

import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from recvae.experiments.figures import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    Series,
    label,
    legend_below,
    panels,
    styled,
)
from recvae.experiments.running import Track
from recvae.experiments.synthetic.experiment import Findings, Headline
from recvae.experiments.synthetic.targets import even_shares, random_posteriors
from recvae.experiments.synthetic.transmission import standard_error, transmit
from recvae.experiments.tables import Table
from recvae.rec import PartitionedORC, allocate_intervals

BLOCKS = {
    (5, 10): Series("5 dims x 2 bits", BLUE, "o"),
    (12, 25): Series("12 dims x 2.1 bits", GREEN, "^"),
    (24, 24): Series("24 dims x 1 bit", ORANGE, "v"),
    (12, 48): Series("12 dims x 4 bits", VERMILLION, "s"),
    (24, 48): Series("24 dims x 2 bits", PURPLE, "D"),
}
"""Blocks of (dim, I in bits)."""

RATIOS = tuple(k / 10 for k in range(13))
LITTLE_BITS = 0.5  # of bias; with more, the code length is not that of the target
COLUMNS = (
    "dim",
    "information_bits",
    "log2_candidates",
    "log2_bins_over_information",
    "log2_bins",
    "items",
    "search_kl_bits",
    "shortfall_bits",
    "shortfall_standard_error_bits",
    "mean_squared_error_scales2",
    "bits_over_kl",
    "bits_over_kl_standard_error",
    "rank_bits",
)


@dataclass(frozen=True)
class Effort:
    """The extent of the measurement: items for each log2 N."""

    items: dict[int, int]
    ratios: tuple[float, ...]


FULL = Effort(items={12: 1000, 14: 400}, ratios=RATIOS)
QUICK = Effort(items={10: 150}, ratios=RATIOS[::3])


def run(quick: bool, generator: torch.Generator, track: Track) -> Findings:
    """Run the experiment; see the module."""
    effort = QUICK if quick else FULL
    table = Table(COLUMNS)
    grid = [
        (block, log2_candidates, ratio)
        for block in BLOCKS
        for log2_candidates in effort.items
        for ratio in effort.ratios
    ]
    for (dim, information_bits), log2_candidates, ratio in track(grid):
        shares = even_shares(information_bits, dim)
        target = random_posteriors(shares, effort.items[log2_candidates], generator)
        partition = allocate_intervals(shares, ratio * information_bits)
        coder = PartitionedORC(partition, 1 << log2_candidates)
        sent = transmit(coder, target, generator)
        bits = sent.fitted_bits()
        over = bits - sent.kl_bits
        table.add(
            dim,
            information_bits,
            log2_candidates,
            ratio,
            partition.log2_bins,
            target.batch,
            float(coder.search_kl_bits(target).mean()),
            float(sent.shortfall_bits.mean()),
            standard_error(sent.shortfall_bits),
            float(sent.standardised.square().mean()),
            float(over.mean()),
            standard_error(over),
            float((bits - sent.bin_bits).mean()),
        )
    return Findings({"large_blocks": table}, {"large_blocks": _draw(table)}, *_summary(table))


@styled
def _draw(table: Table) -> Figure:
    sizes = sorted(set(table.column("log2_candidates")))
    figure, grid = panels(2, len(sizes), width=4.4, height=3.3, sharex=True, sharey="row")
    for column, size in enumerate(sizes):
        top, bottom = grid[:, column]
        for (dim, information_bits), series in BLOCKS.items():
            part = table.where(dim=dim, information_bits=information_bits, log2_candidates=size)
            ratios = part.column("log2_bins_over_information")
            shortfall, over = part.column("shortfall_bits"), part.column("bits_over_kl")
            pairs = zip(over, shortfall, strict=True)
            fair = [bits if bias < LITTLE_BITS else math.nan for bits, bias in pairs]
            series.plot(top, ratios, shortfall)
            series.plot(bottom, ratios, over, marker="", linewidth=0.7, alpha=0.5, label="_")
            series.plot(bottom, ratios, fair)
        top.axhline(LITTLE_BITS, color=BLACK, linestyle=":", linewidth=1)
        top.set_yscale("symlog", linthresh=LITTLE_BITS)
        bottom.set_ylim(-4, 13)
        label(top, "", "", f"$N = 2^{{{size:.0f}}}$")
        label(bottom, "$\\log J\\,/\\,I$", "")
    grid[0, 0].set_ylabel("bias: KL - E[log r(z)] (bits)")
    grid[1, 0].set_ylabel(f"bits over KL (bold: bias < {LITTLE_BITS} bits)")
    legend_below(figure, 3)
    return figure


def _summary(table: Table) -> tuple[str, list[Headline]]:
    """The cheapest log J / I with little bias for each block, at the largest N."""
    size = max(table.column("log2_candidates"))
    names = "log2_bins_over_information", "bits_over_kl", "shortfall_bits"
    lines = []
    for (dim, information_bits), series in BLOCKS.items():
        part = table.where(dim=dim, information_bits=information_bits, log2_candidates=size)
        rows = list(zip(*(part.column(name) for name in names), strict=True))
        fair = [row for row in rows if row[2] < LITTLE_BITS] or [min(rows, key=lambda row: row[2])]
        ratio, over, bias = min(fair, key=lambda row: row[1])
        lines.append(Headline(series.label, "", f"{ratio:.1f}, {over:.2f}, {bias:.2f}"))
    return f"best log J / I, bits over KL, bias in bits, at N = 2^{size:.0f}", lines
