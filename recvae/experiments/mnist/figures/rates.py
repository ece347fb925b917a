"""Rate against candidates and against time."""

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import BLACK, GREY, label, legend_below, panels, styled, whole_ticks
from recvae.experiments.mnist.figures.series import (
    FAMILIES,
    block_series,
    blocks_label,
    bound_bpp,
    cheapest,
    cheapest_by_family,
    rates_bpp,
    sweep,
)
from recvae.experiments.mnist.published import GREEDY_REJECTION, RESULTS, Published
from recvae.experiments.tables import Table

NEAR = 0.001  # relative distance to a rate that counts as near
MARGIN = 0.08  # of the rates' range, left free above and below


def rates(rows: Table, model: str) -> Drawing:
    """Draw rate against candidates per block and against encoding time, for a model's rows."""
    model_rows = rows.where(model=model)
    swept = sweep(rows, model)
    title = "What candidates and time buy"
    if not swept.rows:
        return Drawing("rates", title, f"No row of partitioned ORC with {model} so far.")
    name, latent_dim = GREEDY_REJECTION, swept.column("latent_dim")[0]
    published = [p for p in RESULTS if (p.name, p.latent_dim) == (name, latent_dim)]
    return Drawing("rates", title, _caption(model_rows, swept), _draw(model_rows, swept, published))


def _caption(rows: Table, swept: Table) -> str:
    best, bound = cheapest(swept), bound_bpp(rows)
    enough = ", ".join(
        f"{blocks_label(n)} from 2^{_enough(swept.where(blocks=n), bound):g}"
        for n in block_series(swept)
    )
    times = ", ".join(
        f"{family} {bound + row['overhead_bpp']:.4f} in {1000 * row['encode_seconds']:,.1f} ms"
        for family, row in cheapest_by_family(rows).items()
    )
    return (
        "Left: files of partitioned ORC. With too few candidates the samples are biased, which "
        "the pixels pay for. Each block adds an overhead, but more blocks need fewer candidates. A "
        "block has at most 2^62 bins; the search has to supply the rest. "
        f"Within {NEAR:.1%} of their lowest rate are {enough} candidates. Lowest of all: "
        f"{bound + best['overhead_bpp']:.4f} bits per pixel with {blocks_label(best['blocks'])} of "
        f"2^{best['log2_candidates']:g} candidates, {best['overhead_bpp'] / bound:.2%} over −ELBO, "
        f"{bound:.4f}. Right: all algorithms against the time to encode an image; lower left is "
        f"better. Each at its lowest rate: {times}. Rows of fewer images are drawn at the −ELBO of "
        "all images plus their own overhead."
    )


def _enough(rows: Table, bound: float) -> float:
    """log2 of the fewest candidates that come near the lowest rate."""
    rates = rates_bpp(rows, bound)
    points = zip(rows.column("log2_candidates"), rates, strict=True)
    return min(candidates for candidates, rate in points if rate <= (1 + NEAR) * min(rates))


@styled
def _draw(rows: Table, swept: Table, published: list[Published]) -> Figure:
    figure, grid = panels(1, 2, width=4.9, height=4.3)
    left, right = grid[0]
    bound, families = bound_bpp(rows), cheapest_by_family(rows)
    for number, series in block_series(swept).items():
        part = swept.where(blocks=number)
        series.plot(left, part.column("log2_candidates"), rates_bpp(part, bound))
    for family in families:
        part, series = rows.where(family=family), FAMILIES[family]
        milliseconds = [1000 * seconds for seconds in part.column("encode_seconds")]
        series.plot(right, milliseconds, rates_bpp(part, bound), linestyle="none")
    for axes in (left, right):
        axes.axhline(bound, color=BLACK, linestyle="--", linewidth=1.1, label="−ELBO")
    for known in published:
        name, rate = f"{known.name}, published", known.bits_per_pixel
        above = rate > left.get_ylim()[1]  # a line there would leave no room for the others
        for axes in (right,) if above else (left, right):
            axes.axhline(rate, color=GREY, linestyle=":", linewidth=1.4, label=name)
        if above:
            text = f"↑ published for {known.latent_dim} latents: {rate:.3f}"
            left.text(0.98, 0.97, text, transform=left.transAxes, ha="right", va="top", color=GREY)
    # Searches far too short of candidates are cut off above.
    cheapest = [bound + row["overhead_bpp"] for row in families.values()]
    top = max([*cheapest, *(known.bits_per_pixel for known in published)])
    bottom = min([bound, *cheapest])  # min-cost selection falls below -ELBO
    room = MARGIN * (top - bottom)
    right.set_ylim(bottom - room, top + room)
    whole_ticks(left)
    right.set_xscale("log")
    right.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    right.xaxis.set_minor_formatter(NullFormatter())
    label(left, "log$_2$ candidates per block", "bits per pixel", "partitioned ORC")
    label(right, "milliseconds per image to encode", "bits per pixel", "all algorithms")
    legend_below(figure, 4)
    return figure
