"""Steps of the Poisson functional representation against D_inf[Q||P], with and without partition.

Targets are random posteriors with various information contents, sorted by their D_inf. The search
ends after 2^D_inf[Q||P'] steps on average, where P' is the sender's proposal.
"""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from recvae.experiments.figures import (
    BLACK,
    BLUE,
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
from recvae.experiments.synthetic.published import DIM, STEPS
from recvae.experiments.synthetic.targets import even_shares, random_posteriors
from recvae.experiments.synthetic.transmission import standard_error, transmit
from recvae.experiments.tables import Table
from recvae.rec import PFR, DiagonalGaussian, PartitionedPFR, allocate_intervals
from recvae.rec.proposal import log2_sup_ratio, propose

SERIES = {
    "standard PFR": Series("standard PFR", BLUE, "o"),
    "partitioned PFR": Series("partitioned PFR", VERMILLION, "s"),
}
FEWEST_ITEMS = 5  # of a row
COLUMNS = (
    "coder",
    "d_inf_bits",
    "items",
    "mean_d_inf_bits",
    "mean_steps",
    "standard_error_steps",
    "quartile_1_steps",
    "quartile_3_steps",
    "predicted_mean_steps",
    "capped_share",
    "published_mean_steps",
)


@dataclass(frozen=True)
class Effort:
    """The extent of the measurement: targets at each I, in steps up to the largest D_inf."""

    items: int
    information_step_bits: float
    largest_d_inf_bits: int


FULL = Effort(items=300, information_step_bits=0.25, largest_d_inf_bits=18)
QUICK = Effort(items=100, information_step_bits=0.5, largest_d_inf_bits=11)


def run(quick: bool, generator: torch.Generator, track: Track) -> Findings:
    """Run the experiment; see the module."""
    effort = QUICK if quick else FULL
    step = effort.information_step_bits
    levels = np.arange(step, effort.largest_d_inf_bits, step).tolist()
    parts: dict[str, list[Tensor]] = {name: [] for name in SERIES}
    for information_bits in track(levels):
        shares = even_shares(information_bits, DIM)
        target = random_posteriors(shares, effort.items, generator)
        target = _up_to(target, effort.largest_d_inf_bits + 0.5)
        coders = {
            "standard PFR": PFR(DIM, max_candidates=1 << 25),
            "partitioned PFR": PartitionedPFR(allocate_intervals(shares, information_bits)),
        }
        for name, coder in coders.items():
            sent = transmit(coder, target, generator)
            predicted = torch.exp2(_d_inf_bits(target, coder))
            columns = _d_inf_bits(target, PFR(DIM)), sent.num_drawn, predicted, sent.capped
            parts[name].append(torch.stack([column.double() for column in columns], dim=1))
    table = _tabulate({name: torch.cat(part) for name, part in parts.items()}, effort)
    return Findings({"runtime": table}, {"runtime": _draw(table)}, *_summary(table))


def _d_inf_bits(target: DiagonalGaussian, coder: PartitionedPFR) -> Tensor:
    """D_inf[Q||P'] of a coder's search, (batch,) bits; P' is P for standard PFR."""
    return log2_sup_ratio(target, propose(target, coder.partition, coder.weights))


def _up_to(target: DiagonalGaussian, d_inf_bits: float) -> DiagonalGaussian:
    kept = _d_inf_bits(target, PFR(target.dim)) < d_inf_bits
    return DiagonalGaussian(target.mean[kept], target.scale[kept])


def _tabulate(measured: dict[str, Tensor], effort: Effort) -> Table:
    """Rows by coder and D_inf, rounded; measured: (n, 4) of D_inf, steps, prediction, capped."""
    table = Table(COLUMNS)
    for name, items in measured.items():
        for level in range(1, effort.largest_d_inf_bits + 1):
            here = items[items[:, 0].round() == level]
            if len(here) < FEWEST_ITEMS:
                continue
            d_inf_bits, steps, predicted, capped = here.T
            quartiles = torch.quantile(steps, torch.tensor([0.25, 0.75], dtype=torch.float64))
            means = (float(column.mean()) for column in (predicted, capped))
            middle = float(d_inf_bits.mean()), float(steps.mean()), standard_error(steps)
            published = STEPS[name].get(level)
            table.add(name, level, len(here), *middle, *quartiles.tolist(), *means, published)
    return table


@styled
def _draw(table: Table) -> Figure:
    figure, grid = panels(1, 1, width=6, height=4.2)
    axes = grid[0, 0]
    for name, series in SERIES.items():
        coder_rows = table.where(coder=name)
        d_inf_bits = coder_rows.column("mean_d_inf_bits")
        low, high = (coder_rows.column(f"quartile_{q}_steps") for q in (1, 3))
        axes.fill_between(d_inf_bits, low, high, color=series.colour, alpha=0.18, linewidth=0)
        series.plot(axes, d_inf_bits, coder_rows.column("mean_steps"))
        series.plot_published(axes, list(STEPS[name]), list(STEPS[name].values()), name)
    ends = np.array([1.0, max(table.column("d_inf_bits"))])
    axes.plot(ends, 2**ends, color=BLACK, linestyle="--", linewidth=1, label="$2^{D_\\infty}$")
    axes.set_yscale("log")
    axes.fill_between([], [], [], color=GREY, alpha=0.3, linewidth=0, label="quartiles")
    label(axes, "$D_\\infty[Q\\|P]$ (bits)", "steps (candidates)", f"{DIM}-dimensional Gaussian")
    whole_ticks(axes)
    legend_below(figure, 3)
    return figure


def _summary(table: Table) -> tuple[str, list[Headline]]:
    lines = []
    levels: list[float] = []
    for name in SERIES:
        rows = [row for row in table.where(coder=name).rows if row[-1] is not None]
        part = Table(table.columns, rows)
        published, found = (
            " / ".join(f"{steps:,.0f}" for steps in part.column(column))
            for column in ("published_mean_steps", "mean_steps")
        )
        lines.append(Headline(name, published, found))
        levels = part.column("d_inf_bits")
    return f"steps at D_inf {' / '.join(f'{level:.0f}' for level in levels)}", lines
