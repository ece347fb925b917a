"""From pictures to codes: layer by layer, each posterior given the latents that were sent before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.hierarchy.draws import draw_latents, latents_to_float
from recvae.codec.hierarchy.layout import Integers, cut_blocks
from recvae.codec.hierarchy.payload import LayerCode
from recvae.codec.hierarchy.search import SearchEffort, search_blocks
from recvae.codec.hierarchy.tables import LayerTables
from recvae.hierarchy.network import Hierarchy
from recvae.hierarchy.quality import position_of
from recvae.vae.objective import NATS_PER_BIT, kl_nats


@dataclass(frozen=True, eq=False)
class Sent:
    """What a sender found for some pictures.

    Fields:
        codes: of each layer.
        kl_bits: KL of each layer's posteriors, (layers, n).
    """

    codes: list[LayerCode]
    kl_bits: NDArray[np.float64]


def send(
    network: Hierarchy,
    tables: Sequence[LayerTables],
    key: int,
    pixels: Tensor,
    quality: int,
    effort: SearchEffort,
) -> Sent:
    """Codes for pictures (n, 3, h, w) in [0, 1], h and w multiples of the stride."""
    position = torch.full((len(pixels),), position_of(quality), device=pixels.device)
    codes, kl_bits = [], []
    with torch.no_grad():
        condition = network.condition(position)
        maps = network.encode(pixels, condition)
        state = network.begin(len(pixels), *pixels.shape[2:])
        for index, (layer, layer_tables) in enumerate(zip(network.layers, tables, strict=True)):
            state = network.rise(index, state)
            mean, log_scale = layer.infer(state, maps[network.resolution[index]], condition)
            kl = kl_nats(mean, log_scale) / NATS_PER_BIT
            code, z = _send_layer(layer_tables, index, key, mean, log_scale.exp(), kl, effort)
            n = torch.from_numpy(latents_to_float(z)).to(mean.device)
            n = n.reshape(len(pixels), *code.shape, -1).permute(0, 3, 1, 2)
            state = layer.take(state, n, condition)
            codes.append(code)
            kl_bits.append(kl.sum((1, 2, 3)).double().cpu().numpy())
    return Sent(codes, np.array(kl_bits))


def _send_layer(
    tables: LayerTables,
    index: int,
    key: int,
    mean: Tensor,
    scale: Tensor,
    kl_bits: Tensor,
    effort: SearchEffort,
) -> tuple[LayerCode, Integers]:
    """The code of a layer, and its latents, (positions, channels) in units of 2^-28."""
    height, width = mean.shape[2:]
    layout = tables.layout
    classes = choose_classes(tables, kl_bits.sum(1).cpu().double().numpy())
    blocks = cut_blocks(layout, layout.at_positions(classes, height, width))
    means, scales = (
        t.permute(0, 2, 3, 1).reshape(-1, layout.channels).double().cpu().numpy()
        for t in (mean, scale)
    )
    bins, ranks = search_blocks(
        layout, index, key, blocks, means, scales, tables.rank_codes, effort
    )
    code = LayerCode((height, width), classes, blocks, bins, ranks)
    return code, draw_latents(layout, index, key, blocks, bins, ranks, len(means))


def choose_classes(tables: LayerTables, kl_bits: NDArray[np.float64]) -> Integers:
    """Classes of regions (n, rows, columns) for the KL of each position, (n, h, w)."""
    means = region_means(kl_bits, tables.layout.region)
    return np.searchsorted(tables.edges_bits, means, side="right").astype(np.int64)


def region_means(values: NDArray[np.float64], region: int) -> NDArray[np.float64]:
    """Means over regions (n, rows, columns) of values of positions, (n, h, w)."""
    n, height, width = values.shape
    down, right = -height % region, -width % region
    padded = np.pad(values, ((0, 0), (0, down), (0, right)))
    ones = np.pad(np.ones((height, width)), ((0, down), (0, right)))
    shape = (padded.shape[1] // region, region, padded.shape[2] // region, region)
    return padded.reshape(n, *shape).sum((2, 4)) / ones.reshape(shape).sum((1, 3))
