"""From pictures to codes: layer by layer, each posterior given the latents sent before."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.hierarchy.draws import draw_latents, latents_to_float
from recvae.codec.hierarchy.layout import cut_blocks
from recvae.codec.hierarchy.payload import LayerCode
from recvae.codec.hierarchy.refine import Offsets, find_offsets, shifted
from recvae.codec.hierarchy.search import Search, SearchEffort
from recvae.codec.hierarchy.streams import PictureCode
from recvae.codec.hierarchy.tables import Tables
from recvae.errors import InputError
from recvae.hierarchy.network import Hierarchy
from recvae.hierarchy.quality import position_of
from recvae.vae.objective import NATS_PER_BIT, kl_nats

Draw = Callable[[int, Tensor, Tensor], Tensor]
"""From a layer's index and the mean and log scale of its posterior to its latents."""


@dataclass(frozen=True, eq=False)
class Sent:
    """A sender's result for some pictures.

    Fields:
        codes: one for each picture.
        kl_bits: KL of each picture's posteriors, (n,).
    """

    codes: list[PictureCode]
    kl_bits: NDArray[np.float64]


def send(
    network: Hierarchy,
    tables: Tables,
    key: int,
    pixels: Tensor,
    quality: int,
    effort: SearchEffort,
) -> Sent:
    """Find codes for pictures (n, 3, h, w) in [0, 1], h and w multiples of the stride.

    Raises InputError for networks that overflow.
    """
    count = len(pixels)
    position = torch.full((count,), position_of(quality), device=pixels.device)
    offsets = find_offsets(network, pixels, position, effort.refinements)
    region_bits = region_kl_bits(network, pixels, position, offsets)
    if not np.isfinite(region_bits).all():
        raise InputError("the model's networks give numbers that are not finite: it is unusable")
    classes = tables.classes.choose(region_bits)
    layers: list[LayerCode] = []
    kl_bits = np.zeros(count)

    def draw(index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
        nonlocal kl_bits
        mean, log_scale = shifted(mean, log_scale, offsets[index])
        kl = kl_nats(mean, log_scale).sum((1, 2, 3)) / NATS_PER_BIT
        kl_bits += kl.double().cpu().numpy()
        layout, shape = tables.layers[index].layout, (mean.shape[2], mean.shape[3])
        blocks = cut_blocks(layout, layout.at_positions(classes, *shape))
        posteriors = (
            t.permute(0, 2, 3, 1).reshape(-1, layout.channels).double().cpu().numpy()
            for t in (mean, log_scale.exp())
        )
        code = Search(tables.layers[index], index, key, effort)(shape, blocks, *posteriors)
        z = draw_latents(layout, index, key, code, count * shape[0] * shape[1])
        layers.append(code)
        n = torch.from_numpy(latents_to_float(z)).to(mean.device)
        return n.reshape(count, *code.shape, -1).permute(0, 3, 1, 2)

    run_chain(network, pixels, position, draw)
    by_picture = zip(*(code.split(count) for code in layers), strict=True)
    codes = [
        PictureCode(quality, classes[i : i + 1], list(own)) for i, own in enumerate(by_picture)
    ]
    return Sent(codes, kl_bits)


def run_chain(network: Hierarchy, pixels: Tensor, position: Tensor, draw: Draw) -> None:
    """Call `draw` for each layer, from the coarsest to the finest."""
    numbers = iter(range(len(network.layers)))
    with torch.no_grad():
        network.descend(
            pixels, position, lambda mean, log_scale: draw(next(numbers), mean, log_scale)
        )


def region_kl_bits(
    network: Hierarchy, pixels: Tensor, position: Tensor, offsets: Offsets
) -> NDArray[np.float64]:
    """KL of all layers in each region, (n, rows, columns), from one sample of each posterior.

    The noise depends only on the size, so what is sent depends only on the pictures.
    """
    total: list[Tensor] = []

    def draw(index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
        mean, log_scale = shifted(mean, log_scale, offsets[index])
        total.append(by_region(kl_nats(mean, log_scale).sum(1), network.region_of(index)))
        noise = torch.Generator().manual_seed(index)
        one = torch.randn(mean.shape[1:], generator=noise).to(mean.device)
        return mean + log_scale.exp() * one

    run_chain(network, pixels, position, draw)
    return (torch.stack(total).sum(0).double() / NATS_PER_BIT).cpu().numpy()


def by_region(values: Tensor, region: int) -> Tensor:
    """Sum values of positions, (n, h, w), over regions: (n, rows, columns)."""
    n, height, width = values.shape
    return values.reshape(n, height // region, region, width // region, region).sum((2, 4))
