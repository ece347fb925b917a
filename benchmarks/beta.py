"""What the weights of the KL do: models trained alike except for `beta`, compared.

python benchmarks/beta.py IMAGES FIGURE.svg NAME=MODEL ...

IMAGES is a set to compress, such as MNIST's test images; each MODEL is a folder of an exported VAE.
Draws the mutual information of each latent dimension and prints a table: -ELBO and file in bits per
pixel, information, blocks and candidates of the search.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from recvae.codec import Codec, CodecModel, load_model
from recvae.codec.vae.latents import BlockLatents
from recvae.experiments.figures import (
    BLUE,
    GREEN,
    VERMILLION,
    label,
    legend_below,
    panels,
    render,
    styled,
    whole_ticks,
)
from recvae.images import read_images

COLOURS = (BLUE, VERMILLION, GREEN)


@styled
def draw(information_bits: dict[str, list[float]]) -> Figure:
    """Lines of the information of each dimension, the most informative first."""
    figure, grid = panels(1, 1, width=6.4, height=3.2)
    axes = grid[0, 0]
    for (name, bits), colour in zip(information_bits.items(), COLOURS, strict=False):
        ordered = sorted(bits, reverse=True)
        axes.plot(range(1, len(bits) + 1), ordered, "o-", markersize=3, color=colour, label=name)
    axes.set_ylim(bottom=0)
    whole_ticks(axes)
    label(axes, "latent dimension, the most informative first", "mutual information, bits")
    legend_below(figure, len(information_bits))
    return figure


def row(name: str, model: CodecModel, images: np.ndarray) -> str:
    """Compress images and return a row of the table."""
    codec = Codec(model)
    file = codec.compress(images)
    if not np.array_equal(codec.decompress(file), images):
        raise SystemExit(f"{name}: the round trip changed a byte")
    bound = model.negative_elbo_bits(images, 256, torch.Generator().manual_seed(0))
    assert isinstance(model.latents, BlockLatents)
    information = sum(model.metadata["mutual_information_bits"])
    searched = sum(block.num_candidates for block in model.latents.blocks)
    numbers = bound.mean() / images[0].size, 8 * len(file) / images.size
    return (
        f"| {name} | {numbers[0]:.4f} | {numbers[1]:.4f} | {information:.1f} | "
        f"{len(model.latents.blocks)} | 2^{math.log2(searched):.1f} |"
    )


def main() -> None:
    """Print the table and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    options = parser.parse_args()
    images = read_images(str(options.images)).pixels
    print("| weights | -ELBO | file | information, bits | blocks | candidates in all |")
    print("|---|---:|---:|---:|---:|---:|")
    information_bits = {}
    for given in options.models:
        name, _, folder = given.partition("=")
        model = load_model(Path(folder))
        if not isinstance(model, CodecModel):
            parser.error(f"{folder}: not a VAE")
        information_bits[name] = model.metadata["mutual_information_bits"]
        print(row(name, model, images), flush=True)
    options.figure.write_bytes(render(draw(information_bits), "svg"))


if __name__ == "__main__":
    main()
