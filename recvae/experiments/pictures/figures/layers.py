"""Bits by layer, coarse to fine, for each quality."""

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure

from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import label, panels, styled
from recvae.experiments.store import Measured

MAP = "viridis"
LIGHT = 0.6  # position in the colour map from which colours are light
NAMED = 0.04  # share of the highest bar from which layers are numbered


def layers(rows: Sequence[Measured]) -> Drawing:
    """Draw bits per pixel of each layer's streams against quality, stacked; at the least effort."""
    title = "Bits of each layer"
    coded = [row for row in rows if row["kind"] == "coded" and row["data"] == "CIFAR-10"]
    least = min((row["effort"] for row in coded), default=None)
    shown = sorted(
        (row for row in coded if row["effort"] == least), key=lambda row: float(row["setting"])
    )
    if not shown:
        return Drawing("layers", title, "No file of ours has been measured so far.")
    return Drawing("layers", title, _caption(shown), _draw(shown))


def _caption(rows: Sequence[Measured]) -> str:
    first, last = rows[0], rows[-1]
    told = [
        f"{row['layer_bpp'][-1] / sum(row['layer_bpp']):.0%} at quality {row['setting']:g}"
        for row in (first, last)
        if sum(row["layer_bpp"])
    ]
    return (
        f"{first['images']} images of CIFAR-10, effort {first['effort']}: bytes of the streams of "
        "each layer in the file, coarse to fine from dark to light; the rest of the file is grey. "
        f"The finest layer takes {' and '.join(told)}."
    )


@styled
def _draw(rows: Sequence[Measured]) -> Figure:
    figure, ((axes,),) = panels(1, 1, 7.6, 3.8)
    places = range(len(rows))
    count = max(len(row["layer_bpp"]) for row in rows)
    colours = matplotlib.colormaps[MAP]
    highest = max(row["bits_per_pixel"] for row in rows)
    below = [0.0] * len(rows)
    for layer in range(count):
        heights = [row["layer_bpp"][layer] for row in rows]
        colour = colours(layer / max(count - 1, 1) * 0.95)
        axes.bar(places, heights, bottom=below, color=colour, width=0.7)
        for place, bottom, height in zip(places, below, heights, strict=True):
            if height >= NAMED * highest:
                ink = "black" if layer > LIGHT * (count - 1) else "white"
                middle = bottom + height / 2
                axes.text(place, middle, str(layer + 1), ha="center", va="center", color=ink)
        below = [a + b for a, b in zip(below, heights, strict=True)]
    rest = [max(row["bits_per_pixel"] - sum(row["layer_bpp"]), 0.0) for row in rows]
    axes.bar(places, rest, bottom=below, color="#bbbbbb", width=0.7)
    for place, row in zip(places, rows, strict=True):
        above = f"{row['psnr_db']:.1f} dB"
        axes.text(place, row["bits_per_pixel"], above, ha="center", va="bottom", fontsize=8)
    axes.set_xticks(list(places), [f"{row['setting']:g}" for row in rows])
    axes.margins(y=0.1)
    axes.set_axisbelow(True)
    axes.grid(visible=False, axis="x")
    label(axes, "quality", "bits per pixel")
    return figure
