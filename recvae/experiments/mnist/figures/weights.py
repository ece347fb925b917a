"""The effect of each dimension's weight in the training objective on the search.

The same network, trained with beta = 1 (after a warm-up) and with the controller, which drives weak
dimensions out and holds strong ones near a target.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from recvae.codec import CodecModel
from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import (
    BLUE,
    VERMILLION,
    Series,
    label,
    legend_below,
    panels,
    styled,
)
from recvae.experiments.mnist.figures.series import blocks_label, bound_bpp, rates_bpp, sweep
from recvae.experiments.mnist.rows import VARIANTS
from recvae.experiments.tables import Table
from recvae.rec.layout import MIN_INFORMATION_BITS
from recvae.vae import mutual_information_bits, posterior

PLAIN, CONTROLLED = VARIANTS["beta 1"], VARIANTS["controlled"]
MODELS = {
    PLAIN: Series("$\\beta = 1$", BLUE, "o"),
    CONTROLLED: Series("controlled $\\beta_d$", VERMILLION, "s"),
}


def weights(rows: Table, models: Mapping[str, CodecModel], train_images: Tensor) -> Drawing:
    """Draw information, −ELBO and rate of both models.

    Args:
        rows: rows of partitioned ORC with both models.
        models: by name, including both.
        train_images: (n, h, w) uint8, to estimate mutual information on.
    """
    title = "What the weights of the dimensions do"
    swept = {name: sweep(rows, name) for name in MODELS}
    blocks = _common_blocks(swept)
    missing = [name for name in MODELS if name not in models]
    if missing or blocks is None:
        needed = f"the models {' and '.join(MODELS)}, each with rows of partitioned ORC"
        caption = f"Left out: this needs {needed}. --train, without --quick, makes both."
        return Drawing("weights", title, caption)
    curves = {name: part.where(blocks=blocks) for name, part in swept.items()}
    information_bits = {
        name: mutual_information_bits(posterior(models[name].encoder, train_images)).cpu()
        for name in MODELS
    }
    caption = _caption(curves, information_bits, blocks)
    return Drawing("weights", title, caption, _draw(curves, information_bits, blocks))


def _common_blocks(swept: Mapping[str, Table]) -> int | None:
    """The number of blocks with the most measurements of both; of several, the smallest."""
    counts = [Counter(part.column("blocks")) for part in swept.values()]
    common = sorted(set.intersection(*map(set, counts)))
    return int(max(common, key=lambda n: min(c[n] for c in counts))) if common else None


def _caption(
    curves: Mapping[str, Table], information_bits: Mapping[str, Tensor], blocks: int
) -> str:
    words = []
    for name, bits in information_bits.items():
        active = int((bits > MIN_INFORMATION_BITS).sum())
        share = float(bits[bits > MIN_INFORMATION_BITS].mean()) if active else 0.0
        words.append(
            f"{name}: {float(bits.sum()):.1f} bits in {active} dimensions, {share:.2f} each; "
            f"−ELBO {bound_bpp(curves[name]):.4f} bits per pixel; smallest overhead "
            f"{min(curves[name].column('overhead_bits')):.1f} bits per image."
        )
    level_bits = max(min(curve.column("overhead_bits")) for curve in curves.values())
    needed = [needed_log2_candidates(curves[name], level_bits) for name in (PLAIN, CONTROLLED)]
    return (
        "The same network and training except for beta. A few dimensions with many bits each are "
        f"easier to search than many with few. {' '.join(words)} For an overhead of "
        f"{level_bits:.1f} bits per image, the smallest that both reach with "
        f"{blocks_label(blocks)}, the model of beta = 1 needs 2^{needed[0]:.1f} candidates "
        f"per block, the controlled one 2^{needed[1]:.1f}."
    )


def needed_log2_candidates(rows: Table, overhead_bits: float) -> float:
    """log2 of the fewest candidates a block for an overhead, interpolated linearly between rows.

    Args:
        rows: rows of one model and number of blocks, by ascending candidates.
        overhead_bits: bits an image; some row must reach it.
    """
    candidates = np.array(rows.column("log2_candidates"))
    reached = np.array(rows.column("overhead_bits"))
    first = int(np.flatnonzero(reached <= overhead_bits)[0])
    if first == 0:
        return float(candidates[0])
    pair = slice(first, first - 2 if first > 1 else None, -1)
    return float(np.interp(overhead_bits, reached[pair], candidates[pair]))


@styled
def _draw(
    curves: Mapping[str, Table], information_bits: Mapping[str, Tensor], blocks: int
) -> Figure:
    figure, grid = panels(1, 3, width=3.4, height=3.2)
    first, second, third = grid[0]
    for name, series in MODELS.items():
        bits = information_bits[name].sort(descending=True).values
        series.plot(first, range(1, len(bits) + 1), bits.tolist(), markersize=3)
        curve, bound = curves[name], bound_bpp(curves[name])
        candidates = curve.column("log2_candidates")
        series.plot(second, candidates, rates_bpp(curve, bound))
        bound_name = f"{series.label}, −ELBO"
        second.axhline(bound, color=series.colour, linestyle="--", linewidth=1.1, label=bound_name)
        series.plot(third, candidates, curve.column("overhead_bits"))
    third.set_ylim(bottom=0)
    label(first, "dimension, the most informative first", "mutual information (bits)", "latents")
    label(second, "log$_2$ candidates per block", "bits per pixel", f"rate, {blocks_label(blocks)}")
    label(third, "log$_2$ candidates per block", "bits per image", "overhead over −ELBO")
    legend_below(figure, 4)
    return figure
