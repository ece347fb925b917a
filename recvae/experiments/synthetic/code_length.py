"""Code length against mutual information: the Poisson functional representation and its partitions.

The published setting codes the rank with a zeta distribution whose exponent follows from the KL;
this adds a fitted code, and a partition with log J = 0.75 I. How the published targets distribute
their information over the dimensions is not known. Partitions gain if few carry it: with all of it
in two of the five, the published lengths result.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from recvae.experiments.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    Series,
    label,
    legend_below,
    panels,
    styled,
    whole_ticks,
)
from recvae.experiments.running import Track
from recvae.experiments.synthetic.experiment import Findings, Headline
from recvae.experiments.synthetic.published import CODE_LENGTH_BITS, DIM
from recvae.experiments.synthetic.targets import even_shares, random_posteriors
from recvae.experiments.synthetic.transmission import standard_error, transmit
from recvae.experiments.tables import Table
from recvae.rec import PartitionedPFR, allocate_intervals, zeta_code, zeta_exponent

MAX_RANKS = 1 << 40  # of a zeta code: practically infinite, as published
BINS_PER_INFORMATION = {"standard PFR": 0.0, "partitioned PFR": 1.0, "partitioned PFR, 3/4": 0.75}
SERIES = {
    "standard PFR": Series("standard PFR", BLUE, "o"),
    "partitioned PFR": Series("partitioned PFR, $\\log J = I$", VERMILLION, "s"),
    "partitioned PFR, 3/4": Series("partitioned PFR, $\\log J = 0.75\\,I$", GREEN, "^"),
}
CODES = {"zeta": "-", "fitted": ":"}
INFORMATIVE = (DIM, 2)
"""Number of dimensions that carry information, in even shares."""

COLUMNS = (
    "informative_dimensions",
    "coder",
    "information_bits",
    "log2_bins",
    "index_code",
    "zeta_exponent",
    "items",
    "code_length_bits",
    "standard_error_bits",
    "capped_share",
    "published_code_length_bits",
)


@dataclass(frozen=True)
class Effort:
    """The extent of the measurement: items at each I, and the cap on candidates."""

    items: int
    most_information_bits: int
    max_candidates: int


FULL = Effort(items=2000, most_information_bits=12, max_candidates=1 << 20)
QUICK = Effort(items=400, most_information_bits=8, max_candidates=1 << 16)


def run(quick: bool, generator: torch.Generator, track: Track) -> Findings:
    """Run the experiment; see the module."""
    effort = QUICK if quick else FULL
    table = Table(COLUMNS)
    levels = range(1, effort.most_information_bits + 1)
    for dims, information_bits in track([(d, bits) for d in INFORMATIVE for bits in levels]):
        shares = even_shares(information_bits, dims) + [0.0] * (DIM - dims)
        target = random_posteriors(shares, effort.items, generator)
        for name, ratio in BINS_PER_INFORMATION.items():
            partition = allocate_intervals(shares, ratio * information_bits)
            coder = PartitionedPFR(partition, max_candidates=effort.max_candidates)
            sent = transmit(coder, target, generator)
            exponent = zeta_exponent(information_bits - partition.log2_bins)
            published = CODE_LENGTH_BITS.get(name, {}).get(information_bits)
            place = dims, name, information_bits, partition.log2_bins
            capped_share = float(sent.capped.double().mean())
            for code, bits in (
                ("zeta", sent.bits(zeta_code(exponent, MAX_RANKS))),
                ("fitted", sent.fitted_bits()),
            ):
                # The mean KL is I: the deviation of the drawn items from it is subtracted.
                over = bits - sent.kl_bits
                length = information_bits + float(over.mean()), standard_error(over)
                exact = (exponent, published) if code == "zeta" else (None, None)
                table.add(*place, code, exact[0], target.batch, *length, capped_share, exact[1])
    return Findings({"code_length": table}, {"code_length": _draw(table)}, *_summary(table))


@styled
def _draw(table: Table) -> Figure:
    figure, grid = panels(2, len(INFORMATIVE), width=4.4, sharex=True, sharey="row")
    for (top, bottom), dims in zip(grid.T, INFORMATIVE, strict=True):
        for name, series in SERIES.items():
            for code, line in CODES.items():
                part = table.where(informative_dimensions=dims, coder=name, index_code=code)
                information_bits = part.column("information_bits")
                lengths = part.column("code_length_bits")
                options = {} if code == "zeta" else {"label": "_", "marker": ""}
                series.plot(top, information_bits, lengths, linestyle=line, **options)
                over = _over(information_bits, lengths)
                series.plot(bottom, information_bits, over, linestyle=line, **options)
        for name, points in CODE_LENGTH_BITS.items():
            x, y = list(points), list(points.values())
            SERIES[name].plot_published(top, x, y, name)
            SERIES[name].plot_published(bottom, x, _over(x, y), name)
        for code, line in CODES.items():
            top.plot([], [], linestyle=line, color=GREY, label=f"{code} code")
        top.plot(information_bits, information_bits, "--", color=BLACK, linewidth=1, label="$I$")
        label(top, "", "", f"information in {dims} of {DIM} dimensions")
        label(bottom, "mutual information $I$ (bits)", "")
        whole_ticks(bottom)
    grid[0, 0].set_ylabel("mean code length (bits)")
    grid[1, 0].set_ylabel("bits over $I$")
    legend_below(figure, 3)
    return figure


def _over(information_bits: Sequence[float], lengths: Sequence[float]) -> list[float]:
    return [length - bits for bits, length in zip(information_bits, lengths, strict=True)]


def _summary(table: Table) -> tuple[str, list[Headline]]:
    lines = []
    zeta = table.where(index_code="zeta")
    for name, points in CODE_LENGTH_BITS.items():
        published = " / ".join(f"{bits:.1f}" for bits in points.values())
        for dims in INFORMATIVE:
            part = zeta.where(informative_dimensions=dims, coder=name)
            found = (
                part.where(information_bits=information_bits).column("code_length_bits")
                for information_bits in points
            )
            lengths = " / ".join(f"{bits:.1f}" for (bits,) in found)
            name_here = f"{name}, information in {dims} dimensions"
            lines.append(Headline(name_here, published, lengths))
    return f"bits at I = {' / '.join(map(str, points))}, zeta code", lines
