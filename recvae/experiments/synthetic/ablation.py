"""The effect on samples of cutting the wrong dimensions: histograms with few candidates.

Three dimensions, of which one carries much, one little and one nothing: a collapsed latent.
Ordered random coding with N = 20, without partition and with 2^6 bins assigned by each strategy.
"""

from collections.abc import Iterator

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from recvae.experiments.figures import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    VERMILLION,
    label,
    legend_below,
    panels,
    styled,
)
from recvae.experiments.running import Track
from recvae.experiments.synthetic.experiment import Findings, Headline
from recvae.experiments.synthetic.published import ABLATION_CANDIDATES, ABLATION_SAMPLES
from recvae.experiments.synthetic.targets import typical_posterior
from recvae.experiments.synthetic.transmission import Transmission, transmit
from recvae.experiments.tables import Table
from recvae.rec import (
    Partition,
    PartitionedORC,
    allocate_intervals,
    collapsed_intervals,
    random_intervals,
)

INFORMATION_BITS = (4.0, 2.0, 0.0)
LOG2_BINS = 6.0
PARTITION_SEED = 0  # for the random strategy
COLOURS = {
    "no partition": BLUE,
    "collapsed dimension only": ORANGE,
    "random": GREEN,
    "by mutual information": VERMILLION,
}
SIGMAS = 6.0  # range of a histogram to either side of the target's mean
BARS = 50
QUICK_SAMPLES = 1500


def partitions() -> dict[str, Partition]:
    """The partitions, by strategy."""
    return {
        "no partition": Partition.none(len(INFORMATION_BITS)),
        "collapsed dimension only": collapsed_intervals(INFORMATION_BITS, LOG2_BINS),
        "random": random_intervals(len(INFORMATION_BITS), LOG2_BINS, PARTITION_SEED),
        "by mutual information": allocate_intervals(INFORMATION_BITS, LOG2_BINS),
    }


def run(quick: bool, generator: torch.Generator, track: Track) -> Findings:
    """Run the experiment; see the module."""
    target = typical_posterior(INFORMATION_BITS, QUICK_SAMPLES if quick else ABLATION_SAMPLES)
    table = Table(
        (
            "strategy",
            "dimension",
            "information_bits",
            "intervals",
            "candidates",
            "samples",
            "ks_statistic",
            "mean_error_scales",
            "scale_ratio",
            "bits_of_all_dimensions",
        )
    )
    bars = Table(("strategy", "dimension", "from_z", "to_z", "sampled_density", "target_density"))
    for name, partition in track(list(partitions().items())):
        sent = transmit(PartitionedORC(partition, ABLATION_CANDIDATES), target, generator)
        bits = float(sent.fitted_bits().mean())
        for d, information_bits in enumerate(INFORMATION_BITS):
            x = sent.standardised[:, d]
            statistics = _ks_statistic(x), float(x.mean()), float(x.std())
            place = information_bits, partition.intervals[d], ABLATION_CANDIDATES, target.batch
            table.add(name, d, *place, *statistics, bits)
            for bar in _histogram(sent, d):
                bars.add(name, d, *bar)
    return Findings(
        {"ablation": table, "ablation_histogram": bars},
        {"ablation": _draw(table, bars)},
        *_summary(table),
    )


def _ks_statistic(x: Tensor) -> float:
    """Maximum distance of the empirical CDF of (n,) samples from that of N(0, 1)."""
    cdf = torch.special.ndtr(x.sort().values)
    steps = torch.arange(len(x) + 1, dtype=torch.float64) / len(x)
    return float(torch.maximum(steps[1:] - cdf, cdf - steps[:-1]).max())


def _histogram(sent: Transmission, d: int) -> Iterator[tuple[float, float, float, float]]:
    """Ends of each bar, density of the samples and of the target at its middle, per unit of z."""
    mean, scale = float(sent.target.mean[0, d]), float(sent.target.scale[0, d])
    edges = mean + scale * np.linspace(-SIGMAS, SIGMAS, BARS + 1)
    counts, _ = np.histogram(sent.z[:, d].numpy(), edges)
    middles = ((edges[:-1] + edges[1:]) / 2 - mean) / scale
    density = np.exp(-np.square(middles) / 2) / (scale * np.sqrt(2 * np.pi))
    sampled = counts / (sent.target.batch * np.diff(edges))
    return zip(*(x.tolist() for x in (edges[:-1], edges[1:], sampled, density)), strict=True)


@styled
def _draw(table: Table, bars: Table) -> Figure:
    dims = len(INFORMATION_BITS)
    figure, grid = panels(len(COLOURS), dims, width=2.9, height=1.75, sharex="col", sharey="col")
    for row, (name, colour) in zip(grid, COLOURS.items(), strict=True):
        for d, axes in enumerate(row):
            part = bars.where(strategy=name, dimension=d)
            low, high = part.column("from_z"), part.column("to_z")
            sampled, target = part.column("sampled_density"), part.column("target_density")
            middles = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
            edges = [*low, high[-1]]
            axes.stairs(sampled, edges, fill=True, color=colour, alpha=0.55, label=name)
            axes.plot(middles, target, color=BLACK, linewidth=1.1, label="target density")
            statistics = table.where(strategy=name, dimension=d)
            intervals, distance = (statistics.column(f)[0] for f in ("intervals", "ks_statistic"))
            label(axes, "", "", f"$J_d$ = {intervals:.0f}, KS {distance:.3f}")
        row[0].set_ylabel("density")
    for axes, bits in zip(grid[-1], INFORMATION_BITS, strict=True):
        axes.set_xlabel(f"z, dimension of {bits:g} bits")
    legend_below(figure, 3)
    return figure


def _summary(table: Table) -> tuple[str, list[Headline]]:
    lines = []
    for name in COLOURS:
        part = table.where(strategy=name)
        worst, bits = max(part.column("ks_statistic")), part.column("bits_of_all_dimensions")[0]
        lines.append(Headline(name, "histograms", f"{worst:.3f}, {bits:.1f}"))
    return f"worst KS distance and bits at N = {ABLATION_CANDIDATES}", lines
