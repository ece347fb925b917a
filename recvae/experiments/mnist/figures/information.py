"""The information in each latent dimension: on average, and for single images."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from recvae.codec import CodecModel
from recvae.experiments.drawing import Drawing
from recvae.experiments.figures import (
    BLUE,
    GREY,
    VERMILLION,
    label,
    legend_below,
    panels,
    styled,
    whole_ticks,
)
from recvae.rec.layout import MIN_INFORMATION_BITS
from recvae.vae import mutual_information_bits, posterior

BANDS = {(0.05, 0.95): 0.18, (0.25, 0.75): 0.35}  # quantiles of the images, and their opacity
SINGLE_IMAGES = 60  # drawn as points


def information(model: CodecModel, train_images: Tensor, test_images: Tensor) -> Drawing:
    """Draw the mutual information of each dimension and the KL of test images in it.

    Args:
        model: the model of the latents.
        train_images: (n, h, w) uint8, to estimate mutual information on.
        test_images: (m, h, w) uint8, whose KL is shown.
    """
    information_bits = mutual_information_bits(posterior(model.encoder, train_images))
    kl_bits = posterior(model.encoder, test_images).kl_bits()
    order = information_bits.argsort(descending=True)
    return Drawing(
        "information",
        "Mutual information of each dimension, and the KL of single images in it",
        _caption(model.name, information_bits, kl_bits, len(train_images)),
        _draw(information_bits[order].cpu(), kl_bits[:, order].cpu()),
    )


def _caption(name: str, information_bits: Tensor, kl_bits: Tensor, num_train: int) -> str:
    active = int((information_bits > MIN_INFORMATION_BITS).sum())
    low, high = kl_bits.sum(1).quantile(torch.tensor([0.05, 0.95]).to(kl_bits)).tolist()
    return (
        f"Latent dimensions of {name}, the most informative first. {active} of "
        f"{len(information_bits)} carry more than {MIN_INFORMATION_BITS} bits: "
        f"{float(information_bits.sum()):.1f} bits together, up to "
        f"{float(information_bits.max()):.1f} in one; the others have collapsed onto the prior and "
        f"get no intervals. The block layout depends only on the line, mutual information "
        f"estimated on {num_train:,} training images. Single test images ({len(kl_bits):,}; dots "
        f"are {min(SINGLE_IMAGES, len(kl_bits))} of them) scatter widely around it in every "
        f"dimension, their sums far less: {low:.0f} to {high:.0f} bits for nine images in ten."
    )


@styled
def _draw(information_bits: Tensor, kl_bits: Tensor) -> Figure:
    figure, grid = panels(1, 1, width=8.4, height=4)
    axes = grid[0, 0]
    rank = torch.arange(1, len(information_bits) + 1)
    for ends, opacity in BANDS.items():
        low, high = kl_bits.quantile(torch.tensor(ends).to(kl_bits), dim=0)
        name = f"{ends[0]:.0%} to {ends[1]:.0%} of the test images"
        axes.fill_between(rank, low, high, color=BLUE, alpha=opacity, linewidth=0, label=name)
    shown = kl_bits[:SINGLE_IMAGES]
    axes.scatter(
        rank.expand_as(shown),
        shown,
        s=3,
        color=GREY,
        alpha=0.6,
        linewidths=0,
        rasterized=True,
        label="single test images",
    )
    axes.plot(rank, information_bits, color=VERMILLION, linewidth=2, label="mutual information")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    whole_ticks(axes)
    label(axes, "latent dimension, the most informative first", "bits")
    legend_below(figure, 4)
    return figure
