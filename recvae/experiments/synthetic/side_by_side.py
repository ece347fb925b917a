"""All algorithms side by side: bits over KL, candidates and seconds, by KL.

Targets are random posteriors that share one scale, which dithered quantisation needs. Algorithms
that take 2^D_inf steps get fewer items where that is large, and stop at a cap; capped searches are
counted. Few items dominate the means: over random posteriors the mean of 2^D_inf[Q||P] is infinite
without the cap. Ranks of MRC have a fixed length, those of the others a bucket code fitted to other
items.
"""

import math
from dataclasses import dataclass, replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

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
from recvae.experiments.running import Track
from recvae.experiments.synthetic.experiment import Findings, Headline
from recvae.experiments.synthetic.published import DIM
from recvae.experiments.synthetic.targets import even_shares, random_posteriors
from recvae.experiments.synthetic.transmission import Transmission, standard_error, transmit
from recvae.experiments.tables import Table
from recvae.rec import (
    ALGORITHMS,
    Coder,
    DiagonalGaussian,
    Partition,
    PartitionedORC,
    PartitionedPFR,
    Setting,
    allocate_intervals,
    fixed_length_code,
)

KL_BITS = (2, 5, 10, 15, 20)
BINS_PER_KL = 0.75
PROBES, FEWEST_ITEMS = 10, 50
SPARE_BITS = 5  # log2 N over the search's KL, for coders with a fixed number of candidates
FAIR_SHARE, FAIR_BITS = 0.05, 0.5  # capped, and of bias: up to these, samples count as exact
COLUMNS = (
    "algorithm",
    "kl_bits",
    "items",
    "log2_bins",
    "bits_over_kl",
    "bits_over_kl_standard_error",
    "mean_candidates",
    "seconds_per_sample",
    "capped_share",
    "shortfall_bits",
    "shortfall_standard_error_bits",
)


@dataclass(frozen=True)
class Effort:
    """The extent of the measurement: limits on candidates, for one item and for all."""

    kl_bits: tuple[int, ...]
    log2_cap: int
    log2_all_candidates: int
    most_items: int


FULL = Effort(KL_BITS, log2_cap=23, log2_all_candidates=29, most_items=500)
QUICK = Effort(KL_BITS[:3], log2_cap=16, log2_all_candidates=21, most_items=50)

SERIES = {
    "PFR": Series("PFR", BLUE, "o"),
    "partitioned PFR, sup": Series("partitioned PFR, $\\pi \\propto \\sup r$", VERMILLION, "s"),
    "partitioned PFR, mass": Series("partitioned PFR, $\\pi = Q(B)$", ORANGE, "D"),
    "GPRS": Series("GPRS", SKY, "P"),
    "ORC": Series("ORC*", GREEN, "^"),
    "MRC": Series("MRC*", GREY, "v"),
    "partitioned ORC": Series("partitioned ORC*", PURPLE, "X"),
    "A*": Series("A*, each dimension", BLACK, "<"),
    "1-D GPRS": Series("GPRS, each dimension", BLACK, ">", ":"),
    "dithered": Series("dithered quantisation", GREY, "d", ":"),
}
"""The algorithms; a star after the label: approximate, with a fixed number of candidates."""

LONG_NAMES = {"1-D GPRS": "branch-and-bound GPRS", "dithered": "dithered quantisation"}
"""Names in `rec.ALGORITHMS`, where the table uses a shorter one."""


def coders(target: DiagonalGaussian, information_bits: float, log2_cap: int) -> dict[str, Coder]:
    """Make the algorithms for targets of one scale.

    Exact ones stop at 2^log2_cap candidates. Approximate ones draw 2^(KL of their search + 5), up
    to the same cap.
    """
    cap = 1 << log2_cap
    partition = allocate_intervals(
        even_shares(information_bits, DIM), BINS_PER_KL * information_bits
    )

    def candidates(search_kl_bits: float) -> int:
        return min(1 << math.ceil(search_kl_bits + SPARE_BITS), cap)

    search_kl_bits = float(PartitionedORC(partition, 1).search_kl_bits(target).mean())
    made = {}
    for name in SERIES:
        algorithm = ALGORITHMS[LONG_NAMES.get(name, name)]
        setting = Setting(
            partition if algorithm.partitioned else Partition.none(DIM),
            candidates(search_kl_bits if algorithm.partitioned else information_bits),
            scale=tuple(target.scale[0].tolist()),
        )
        if algorithm.exact:
            setting = replace(setting, num_candidates=None if algorithm.per_dimension else cap)
        made[name] = algorithm.coder(setting)
    return made


def run(quick: bool, generator: torch.Generator, track: Track) -> Findings:
    """Run the experiment; see the module."""
    effort = QUICK if quick else FULL
    table = Table(COLUMNS)
    _warm_up(generator)
    targets = {
        kl_bits: random_posteriors(even_shares(kl_bits, DIM), effort.most_items, generator)
        for kl_bits in effort.kl_bits
    }
    for kl_bits, name in track([(kl_bits, name) for kl_bits in targets for name in SERIES]):
        target = targets[kl_bits]
        coder = coders(target, kl_bits, effort.log2_cap)[name]
        items = _affordable_items(coder, target, effort)
        sent = transmit(coder, target[:items], generator)
        over = _bits(name, coder, sent) - sent.kl_bits
        table.add(
            name,
            kl_bits,
            items,
            _log2_bins(coder),
            float(over.mean()),
            standard_error(over),
            float(sent.num_drawn.double().mean()),
            sent.seconds / items,
            float(sent.capped.double().mean()),
            float(sent.shortfall_bits.mean()),
            standard_error(sent.shortfall_bits),
        )
    return Findings({"side_by_side": table}, {"side_by_side": _draw(table)}, *_summary(table))


def _warm_up(generator: torch.Generator) -> None:
    """Compile the search, so that no time in the table includes it."""
    target = random_posteriors(even_shares(1, DIM), 2, generator)
    for coder in coders(target, 1, log2_cap=10).values():
        transmit(coder, target, generator)


def _affordable_items(coder: Coder, target: DiagonalGaussian, effort: Effort) -> int:
    """Number of items within the budget of candidates, estimated from a few."""
    key = torch.arange(PROBES)
    found = coder.search(target[:PROBES], key, torch.Generator().manual_seed(0))
    mean = float(found.num_drawn.double().sum() / PROBES)
    items = int(2**effort.log2_all_candidates / mean)
    return min(max(items, FEWEST_ITEMS), effort.most_items)


def _log2_bins(coder: Coder) -> float | None:
    if isinstance(coder, PartitionedORC | PartitionedPFR):
        return coder.partition.log2_bins
    return None


def _bits(name: str, coder: Coder, sent: Transmission) -> Tensor:
    """Bits of each item: a uniform code for ranks of MRC, a fitted code for others."""
    if name == "MRC" and isinstance(coder, PartitionedORC):
        return sent.bits(fixed_length_code(coder.num_candidates))
    return sent.fitted_bits()


@styled
def _draw(table: Table) -> Figure:
    figure, grid = panels(1, 3, width=4, height=4.4)
    quantities = {
        "bits_over_kl": "bits over KL",
        "mean_candidates": "candidates drawn, mean",
        "seconds_per_sample": "seconds per sample",
    }
    for axes, (column, text) in zip(grid[0], quantities.items(), strict=True):
        for name, series in SERIES.items():
            part = table.where(algorithm=name)
            kl_bits, values = part.column("kl_bits"), part.column(column)
            series.plot(axes, kl_bits, values)
            unfair = [
                value if flawed else math.nan
                for value, flawed in zip(values, _flawed(part), strict=True)
            ]
            series.plot(axes, kl_bits, unfair, label="_", linestyle="none", markerfacecolor="white")
        if column != "bits_over_kl":
            axes.set_yscale("log")
        axes.set_xticks(kl_bits)
        label(axes, "KL$[Q\\|P]$ (bits)", text)
    figure.suptitle(
        f"{DIM}-dimensional Gaussian. *: a fixed number of candidates, approximate. Hollow: more "
        f"than {FAIR_SHARE:.0%} of the searches capped, or a bias above {FAIR_BITS} bits",
        fontsize=10,
    )
    legend_below(figure, 5)
    return figure


def _flawed(part: Table) -> list[bool]:
    """Whether samples are inexact: often capped, or biased by two standard errors."""
    names = "capped_share", "shortfall_bits", "shortfall_standard_error_bits"
    rows = zip(*(part.column(name) for name in names), strict=True)
    return [share > FAIR_SHARE or bias - 2 * error > FAIR_BITS for share, bias, error in rows]


def _summary(table: Table) -> tuple[str, list[Headline]]:
    kl_bits = int(max(table.column("kl_bits")))
    lines = []
    for row in table.where(kl_bits=kl_bits).rows:
        cells = dict(zip(table.columns, row, strict=True))
        found = (
            f"{cells['bits_over_kl']:.1f}, {cells['mean_candidates']:,.0f}, "
            f"{cells['seconds_per_sample']:.1g}, {cells['capped_share']:.0%}"
        )
        lines.append(Headline(str(cells["algorithm"]), "", found))
    return f"bits over KL, candidates, seconds, capped at KL {kl_bits}", lines
