"""Candidates that ordered random coding needs for little bias, against KL, with and without bins.

The target is the posterior with exactly I_d bits in each dimension. N increases until the squared
MMD of decoded samples to the target falls below the lowest threshold; between two N it is
interpolated in logarithms.

The published kernel and estimator are not known. Here: the unbiased estimate of MMD^2, without a
root, in coordinates where the target is N(0, I), and a Gaussian kernel with the median distance of
two true samples as its width. This gives the "several hundred" published for the standard form at
KL 7; with the root it would be several thousand. The published numbers of the partitioned form
match a partition with log J near 0.6 KL; log J = KL needs far fewer.
"""

import itertools
import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from recvae.experiments.figures import (
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
from recvae.experiments.synthetic.mmd import SquaredMMD, median_bandwidth, squared_mmd
from recvae.experiments.synthetic.published import DIM, ORC_CANDIDATES, ORC_STANDARD
from recvae.experiments.synthetic.targets import even_shares, typical_posterior
from recvae.experiments.synthetic.transmission import transmit
from recvae.experiments.tables import Table
from recvae.rec import Partition, PartitionedORC, allocate_intervals

THRESHOLDS = (0.006, 0.009, 0.012)
BINS_PER_KL = {"standard ORC": 0.0, "partitioned ORC, 0.6": 0.6, "partitioned ORC": 1.0}
SERIES = {
    "standard ORC": Series("standard ORC", BLUE, "o"),
    "partitioned ORC, 0.6": Series("partitioned ORC, $\\log J = 0.6\\,$KL", GREEN, "^"),
    "partitioned ORC": Series("partitioned ORC, $\\log J =$ KL", VERMILLION, "s"),
}
LINES = {0.006: "-", 0.009: "--", 0.012: ":"}
SHOWN_KL_BITS = 7


@dataclass(frozen=True)
class Effort:
    """The extent of the measurement: samples for each MMD, and the KLs."""

    samples: int
    kl_bits: tuple[int, ...]


FULL = Effort(samples=5000, kl_bits=(1, 2, 3, 4, 5, 6, 7, 8))
QUICK = Effort(samples=1000, kl_bits=(1, 4, 7))


def run(quick: bool, generator: torch.Generator, track: Track) -> Findings:
    """Run the experiment; see the module."""
    effort = QUICK if quick else FULL
    curves = Table(
        ("coder", "kl_bits", "log2_bins", "candidates", "squared_mmd", "standard_error", "samples")
    )
    needed = Table(
        ("coder", "kl_bits", "log2_bins", "threshold_squared_mmd", "candidates", "published")
    )
    for kl_bits in track(effort.kl_bits):
        for name, ratio in BINS_PER_KL.items():
            partition = allocate_intervals(even_shares(kl_bits, DIM), ratio * kl_bits)
            place = name, kl_bits, partition.log2_bins
            curve = _curve(partition, kl_bits, effort.samples, generator)
            for candidates, found in curve.items():
                curves.add(*place, candidates, found.value, found.standard_error, effort.samples)
            for threshold in THRESHOLDS:
                published = ORC_CANDIDATES.get((name, kl_bits, threshold))
                needed.add(*place, threshold, _crossing(curve, threshold), published)
    figure = _draw(needed, curves)
    tables = {"orc_bias": needed, "orc_bias_mmd": curves}
    return Findings(tables, {"orc_bias": figure}, *_summary(needed))


def _curve(
    partition: Partition, kl_bits: float, samples: int, generator: torch.Generator
) -> dict[int, SquaredMMD]:
    """MMD^2 by N, up to the first N at which it is below all thresholds."""
    target = typical_posterior(even_shares(kl_bits, DIM), samples)
    bandwidth = median_bandwidth(DIM)
    curve: dict[int, SquaredMMD] = {}
    candidates = 1
    while True:
        sent = transmit(PartitionedORC(partition, candidates), target, generator)
        curve[candidates] = squared_mmd(sent.standardised, bandwidth)
        if curve[candidates].value <= min(THRESHOLDS):
            return curve
        candidates *= 2


def _crossing(curve: dict[int, SquaredMMD], threshold: float) -> float:
    """N at which MMD^2 meets the threshold, linear in logarithms between measured N."""
    points = [(math.log2(n), math.log2(max(found.value, 1e-6))) for n, found in curve.items()]
    goal = math.log2(threshold)
    for (n, high), (next_n, low) in itertools.pairwise(points):
        if low <= goal < high:
            return 2 ** (n + (next_n - n) * (high - goal) / (high - low))
    return 1.0


@styled
def _draw(needed: Table, curves: Table) -> Figure:
    figure, grid = panels(1, 2, width=4.4, height=4.2)
    left, right = grid[0]
    for name, series in SERIES.items():
        for threshold, line in LINES.items():
            part = needed.where(coder=name, threshold_squared_mmd=threshold)
            options = {} if line == "-" else {"label": "_"}
            x, y = part.column("kl_bits"), part.column("candidates")
            series.plot(left, x, y, linestyle=line, **options)
        curve = curves.where(coder=name, kl_bits=SHOWN_KL_BITS)
        candidates, values = curve.column("candidates"), curve.column("squared_mmd")
        errors = curve.column("standard_error")
        series.plot(right, candidates, values)
        right.errorbar(candidates, values, errors, fmt="none", ecolor=series.colour)
    for threshold, line in LINES.items():
        right.axhline(threshold, color=GREY, ls=line, lw=1, label=f"MMD$^2$ = {threshold}")
    kl_bits = [kl_bits for _, kl_bits, _ in ORC_CANDIDATES]
    SERIES["partitioned ORC"].plot_published(
        left, kl_bits, list(ORC_CANDIDATES.values()), "partitioned ORC"
    )
    left.annotate(
        f"standard ORC, published: {ORC_STANDARD}",
        (SHOWN_KL_BITS, 500),
        (0.04, 0.93),
        textcoords="axes fraction",
        color=BLUE,
        arrowprops={"arrowstyle": "-", "color": BLUE, "linewidth": 0.7},
    )
    for axis in (left.set_yscale, right.set_xscale, right.set_yscale):
        axis("log")
    label(left, "KL$[Q\\|P]$ (bits)", "candidates needed", f"{DIM}-dimensional Gaussian")
    whole_ticks(left)
    label(right, "candidates $N$", "MMD$^2$", f"KL = {SHOWN_KL_BITS} bits")
    legend_below(figure, 2)
    return figure


def _summary(needed: Table) -> tuple[str, list[Headline]]:
    lines = []
    for name in SERIES:
        part = needed.where(coder=name, kl_bits=SHOWN_KL_BITS)
        found = " / ".join(f"{candidates:.0f}" for candidates in part.column("candidates"))
        published = {
            "standard ORC": ORC_STANDARD,
            "partitioned ORC": " / ".join(f"{n:.0f}" for n in ORC_CANDIDATES.values()),
        }.get(name, "")
        lines.append(Headline(name, published, found))
    thresholds = " / ".join(map(str, THRESHOLDS))
    return f"candidates at KL {SHOWN_KL_BITS} for MMD^2 < {thresholds}", lines
