"""The idea in one picture: all candidates of one search, from the prior and from weighted bins.

The Poisson functional representation codes samples of a two-dimensional target, first without
partition, then with the space cut into bins of equal prior mass that the sender weights by the
target. Of many searches each panel shows one of median length.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from recvae.exact import to_float
from recvae.experiments.figures import BLUE, GREY, VERMILLION, legend_below, panels, styled
from recvae.experiments.running import Track
from recvae.experiments.synthetic.experiment import Findings, Headline
from recvae.experiments.synthetic.targets import typical_posterior
from recvae.experiments.tables import Table
from recvae.rec import Code, DiagonalGaussian, Partition, PartitionedPFR, allocate_intervals
from recvae.rec.normal import interval_edges
from recvae.rec.proposal import propose
from recvae.rec.search import Race

INFORMATION_BITS = (3.0, 2.5)
DIM = len(INFORMATION_BITS)
PARTITIONS = {
    "standard": Partition.none(DIM),
    "partitioned": allocate_intervals(INFORMATION_BITS, sum(INFORMATION_BITS)),
}
SEARCHES, QUICK_SEARCHES = 1001, 101  # odd, so that the median is one of them
REACH = 3.2  # range of the panels, in standard deviations of the prior
CONTOURS = (1.0, 2.0)  # in standard deviations of the target
DOTS = "#444444"
SHADES = LinearSegmentedColormap.from_list("shades", ["white", "#8CC9EF"])


@dataclass(frozen=True)
class OpenPFR(PartitionedPFR):
    """A PFR coder that also returns the candidates it draws."""

    def candidates(
        self, target: DiagonalGaussian, key: int | torch.Tensor, generator: torch.Generator
    ) -> Code:
        """Codes of the first `max_candidates` candidates of each item, best first."""
        found = self._search(target, key, generator, lambda *_: Race(self.max_candidates))
        return Code(self.partition.unflatten(found.bins), found.ranks)


def run(quick: bool, generator: torch.Generator, track: Track) -> Findings:
    """Run the experiment; see the module."""
    target = typical_posterior(INFORMATION_BITS, QUICK_SEARCHES if quick else SEARCHES)
    candidates = Table(("coder", "sent", "bin_1", "bin_2", "rank", "z_1", "z_2"))
    weights = Table(("bin_1", "bin_2", "weight"))
    lines = []
    for name, partition in track(list(PARTITIONS.items())):
        key = torch.randint(1 << 62, (target.batch,), generator=generator)
        private = generator.get_state()
        coder = OpenPFR(partition)
        lengths = coder.search(target, key, generator).num_drawn
        median = int(lengths.argsort(stable=True)[target.batch // 2])
        # An item draws the same candidates alone as in its batch.
        shown = replace(coder, max_candidates=int(lengths[median]))
        item = target[median : median + 1], key[median : median + 1]
        drawn = shown.candidates(*item, generator.set_state(private))
        z = to_float(shown.decode(drawn, item[1]), torch.float64)
        rows = zip(drawn.bins[0].tolist(), drawn.ranks[0].tolist(), z[0].tolist(), strict=True)
        for n, (bins, rank, place) in enumerate(rows):
            candidates.add(name, int(n == 0), *bins, rank, *place)
        found = f"{lengths[median]}, {lengths.double().mean():.1f}"
        lines.append(Headline(f"{name} PFR", "", found))
    for (i, j), weight in np.ndenumerate(
        _bin_weights(target[:1], OpenPFR(PARTITIONS["partitioned"]))
    ):
        weights.add(i, j, float(weight))
    return Findings(
        {"search": candidates, "search_bins": weights},
        {"search": _draw(candidates, weights, target)},
        "candidates drawn, median and mean",
        lines,
    )


def _bin_weights(target: DiagonalGaussian, coder: PartitionedPFR) -> np.ndarray:
    """The sender's weight pi(b) of each bin, shape `intervals`."""
    proposal = propose(target, coder.partition, coder.weights)
    # step_bits are -log2(J_d pi_d(b)).
    parts = torch.exp2(-proposal.step_bits[0]).split(coder.partition.intervals)
    first, second = (part / len(part) for part in parts)
    return torch.outer(first, second).numpy()


@styled
def _draw(candidates: Table, weights: Table, target: DiagonalGaussian) -> Figure:
    figure, grid = panels(1, len(PARTITIONS), width=2.75, height=3.25, sharey=True)
    for axes, (name, partition) in zip(grid[0], PARTITIONS.items(), strict=True):
        drawn = candidates.where(coder=name)
        if partition.num_bins > 1:
            _draw_bins(axes, partition, weights)
        _draw_target(axes, target)
        _draw_candidates(axes, drawn)
        axes.set_title(f"{name}: {len(drawn.rows)} candidates", fontsize=11)
        axes.set_xlabel("$z_1$", fontsize=11)
        axes.grid(False)
        axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
        axes.set(xticks=(-2, 0, 2), yticks=(-2, 0, 2))
        axes.tick_params(labelsize=10)
    grid[0, 0].set_ylabel("$z_2$", fontsize=11)
    legend_below(figure, 3)
    figure.set_layout_engine("compressed", h_pad=0.08)
    return figure


def _draw_bins(axes: Axes, partition: Partition, weights: Table) -> None:
    """Draw bins, in darker shades for larger weights."""
    edges = [
        interval_edges(count, torch.device("cpu")).clamp(-2 * REACH, 2 * REACH).numpy()
        for count in partition.intervals
    ]
    shades = np.reshape(weights.column("weight"), partition.intervals).T
    axes.pcolormesh(*edges, shades, cmap=SHADES)
    axes.vlines(edges[0], -REACH, REACH, color=GREY, linewidth=0.4)
    axes.hlines(edges[1], -REACH, REACH, color=GREY, linewidth=0.4)


def _draw_target(axes: Axes, target: DiagonalGaussian) -> None:
    """Draw contours of the target's density."""
    for deviations in CONTOURS:
        width, height = (2 * deviations * target.scale[0]).tolist()
        x, y = target.mean[0].tolist()
        style: dict[str, Any] = {"fill": False, "color": BLUE, "linewidth": 1.6, "zorder": 3}
        axes.add_patch(Ellipse((x, y), width, height, **style))
    axes.add_line(Line2D([], [], color=BLUE, label="target"))


def _draw_candidates(axes: Axes, drawn: Table) -> None:
    for sent, colour, size, name in ((0, DOTS, 5, "candidate"), (1, VERMILLION, 9, "the one sent")):
        part = drawn.where(sent=sent)
        axes.plot(
            part.column("z_1"),
            part.column("z_2"),
            "o",
            color=colour,
            label=name,
            markersize=size,
            markeredgecolor="white",
            zorder=4 + sent,
        )
