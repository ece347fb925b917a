"""The distribution of block KL over images, for random and balanced splits."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from recvae.codec import CodecModel
from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import (
    BLUE,
    GREEN,
    ORANGE,
    VERMILLION,
    label,
    panels,
    styled,
)
from recvae.rec import balanced_blocks
from recvae.vae import posterior

NUM_BLOCKS = 1, 2, 4
COLOURS = BLUE, VERMILLION, GREEN, ORANGE
BARS = 40
SPLIT_SEED = 0  # of the shared permutation


def random_blocks(num_dimensions: int, num_blocks: int) -> list[tuple[int, ...]]:
    """Split dimensions by a random permutation into blocks of similar size, as in the paper."""
    generator = torch.Generator().manual_seed(SPLIT_SEED)
    permutation = torch.randperm(num_dimensions, generator=generator)
    return [tuple(sorted(part.tolist())) for part in permutation.tensor_split(num_blocks)]


def block_kl(model: CodecModel, train_images: Tensor) -> Drawing:
    """Draw histograms of the KL of each block over training images (n, h, w) uint8."""
    kl_bits = posterior(model.encoder, train_images).kl_bits().cpu()
    information_bits = kl_bits.mean(0)
    splits = {
        "random": {n: random_blocks(len(information_bits), n) for n in NUM_BLOCKS},
        "balanced": {n: balanced_blocks(information_bits, n) for n in NUM_BLOCKS},
    }
    sums = {
        kind: {n: _sums(kl_bits, blocks) for n, blocks in by_number.items()}
        for kind, by_number in splits.items()
    }
    return Drawing(
        "block_kl",
        "KL of each block, split at random and balanced",
        _caption(model.name, sums),
        _draw(sums),
    )


def _sums(kl_bits: Tensor, blocks: Sequence[Sequence[int]]) -> Tensor:
    """KL of each block, (n, blocks)."""
    return torch.stack([kl_bits[:, list(block)].sum(1) for block in blocks], dim=1)


def _caption(name: str, sums: dict[str, dict[int, Tensor]]) -> str:
    whole = sums["random"][1]
    most = NUM_BLOCKS[-1]
    random, balanced = (sums[kind][most].mean(0) for kind in ("random", "balanced"))
    spread = sums["balanced"][most].std(0).mean()
    return (
        f"{name}, {len(whole):,} training images; dashed: means. The candidates of a block and the "
        f"code of its rank are constants of the model, so they must suit the block's whole spread. "
        f"An image takes {float(whole.mean()):.1f} ± {float(whole.std()):.1f} bits (standard "
        f"deviation). Of {most} blocks split at random the means range from "
        f"{float(random.min()):.1f} to {float(random.max()):.1f} bits, balanced ones from "
        f"{float(balanced.min()):.1f} to {float(balanced.max()):.1f}: no block needs more "
        f"candidates than the others. A balanced block spreads by {float(spread):.1f} bits."
    )


@styled
def _draw(sums: dict[str, dict[int, Tensor]]) -> Figure:
    figure, grid = panels(2, len(NUM_BLOCKS), width=3.3, height=2.4, sharex="col", sharey="col")
    # For one block both splits agree: it gets the whole first column.
    grid[1, 0].remove()
    grid[0, 0].set_subplotspec(grid[0, 0].get_gridspec()[:, 0])
    grid[0, 0].tick_params(labelbottom=True)
    for row, (kind, by_number) in zip(grid, sums.items(), strict=True):
        for axes, (n, kl_bits) in zip(row, by_number.items(), strict=True):
            if n > 1:
                _histograms(axes, kl_bits)
                label(axes, "", "", f"{n} blocks, {kind}")
    _histograms(grid[0, 0], sums["random"][1])
    label(grid[0, 0], "KL of the block (bits)", "share of the images per bit", "1 block")
    for axes in grid[1, 1:]:
        axes.set_xlabel("KL of the block (bits)")
    return figure


def _histograms(axes: Axes, kl_bits: Tensor) -> None:
    edges = np.linspace(float(kl_bits.min()), float(kl_bits.max()), BARS + 1)
    for block, colour in zip(kl_bits.T, COLOURS, strict=False):
        density, _ = np.histogram(block.numpy(), edges, density=True)
        axes.stairs(density, edges, fill=True, color=colour, alpha=0.2)
        axes.stairs(density, edges, color=colour, linewidth=1.2)
        axes.axvline(float(block.mean()), color=colour, linewidth=1.1, linestyle="--")
