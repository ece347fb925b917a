"""Where the bits of each setting go."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SKY,
    label,
    legend_below,
    panels,
    styled,
)
from recvae.experiments.mnist.figures.series import (
    FAMILIES,
    block_series,
    blocks_label,
    cheapest,
    cheapest_by_family,
    sweep,
)
from recvae.experiments.tables import Table

PARTS = {
    "pixels_bpp": ("pixels given the latents", SKY),
    "bins_bpp": ("bins", BLUE),
    "ranks_bpp": ("ranks", ORANGE),
    "container_bpp": ("container", GREY),
}
"""Columns that add up to a file, bottom first: their names and colours."""

SHORT = {"min-cost selection": "min-cost", "fitted bin prior": "bin prior", "standard ORC": "ORC"}


def bits(rows: Table, model: str) -> Drawing:
    """Draw the bits per pixel of a model's rows, split by part."""
    title = "Where the bits go"
    family = rows.columns.index("family")
    model_rows = rows.where(model=model).rows
    files = Table(rows.columns, [row for row in model_rows if row[family] in FAMILIES])
    if not files.rows:
        return Drawing("bits", title, f"No file was made with {model} so far.")
    return Drawing("bits", title, _caption(files), _draw(files, model))


def _caption(rows: Table) -> str:
    best = cheapest(rows)
    parts = ", ".join(f"{name} {best[column]:.4f}" for column, (name, _) in PARTS.items())
    biases = rows.column("bias_bits")
    least, most = (rows.rows[biases.index(end(biases))] for end in (min, max))
    name = rows.columns.index("name")
    return (
        "Top: the whole file; bottom, enlarged: everything but pixels. A search with too few "
        "candidates may save bits of the latents, but the pixels lose more. The bias, the "
        "additional cost of the pixels compared with samples of the posterior, ranges from "
        f"{min(biases):.1f} bits per image ({least[name]}) to {max(biases):.1f} ({most[name]}). "
        f"Smallest overhead: {best['name']}, {best['bits_per_pixel']:.4f} bits per pixel, of which "
        f"{parts}; −ELBO of the same images is {best['negative_elbo_bpp']:.4f}."
    )


@styled
def _draw(rows: Table, model: str) -> Figure:
    groups = _groups(rows, model)
    figure, grid = panels(2, len(groups), width=2.4, height=2.5, sharex="col", sharey="row")
    for (top, bottom), (name, (part, names)) in zip(grid.T, groups.items(), strict=True):
        _stack(top, part, list(PARTS))
        _stack(bottom, part, [column for column in PARTS if column != "pixels_bpp"])
        bounds = part.column("negative_elbo_bpp")
        top.scatter(range(len(names)), bounds, marker="_", color=BLACK, label="−ELBO", zorder=3)
        words = max(map(len, names)) > 2
        bottom.set_xticks(range(len(names)), names, rotation=90 if words else 0)
        label(top, "", "", name)
        bottom.set_xlabel("" if words else "log$_2$ candidates")
    for axes in grid[:, 0]:
        axes.set_ylabel("bits per pixel")
    legend_below(figure, 5)
    return figure


def _groups(rows: Table, model: str) -> dict[str, tuple[Table, list[str]]]:
    """The columns of panels: rows, and the names below their bars."""
    groups = {}
    swept = sweep(rows, model)
    for n in block_series(swept):
        part = swept.where(blocks=n)
        groups[blocks_label(n)] = part, [f"{x:g}" for x in part.column("log2_candidates")]
    others = cheapest_by_family(rows)
    others.pop("partitioned ORC", None)
    if others:
        part = Table(rows.columns, [tuple(row.values()) for row in others.values()])
        groups["others at their best"] = part, [SHORT.get(family, family) for family in others]
    return groups


def _stack(axes: Axes, rows: Table, columns: Sequence[str]) -> None:
    places = range(len(rows.rows))
    heights = [0.0] * len(rows.rows)
    for column in columns:
        name, colour = PARTS[column]
        values = rows.column(column)
        axes.bar(places, values, bottom=heights, width=0.8, color=colour, label=name)
        heights = [a + b for a, b in zip(heights, values, strict=True)]
    axes.grid(axis="x", visible=False)
