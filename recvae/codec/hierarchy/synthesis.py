"""Latents to pictures: in floats, so machines may differ by 1 in a few values."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recvae.codec.hierarchy.draws import latents_to_float
from recvae.codec.hierarchy.layout import Integers
from recvae.hierarchy.network import Hierarchy
from recvae.hierarchy.quality import position_of


def synthesise(
    network: Hierarchy,
    latents: Sequence[Integers | None],
    qualities: Sequence[int],
    size: tuple[int, int],
) -> Tensor:
    """Synthesise pictures (n, 3, h, w) from the latents of each layer.

    Args:
        network: its device and dtype are used.
        latents: (n * positions, channels) int64 in units of 2^-28; None for missing layers, whose
            latents are taken as 0.
        qualities: one for each picture.
        size: h and w, multiples of the stride.
    """
    like = network.start  # for device and dtype
    count = len(qualities)
    with torch.no_grad():
        position = torch.tensor([position_of(q) for q in qualities]).to(like)
        condition = network.condition(position)
        state = network.begin(count, *size)
        shapes = network.shapes(*size)
        for index, (layer, z, shape) in enumerate(
            zip(network.layers, latents, shapes, strict=True)
        ):
            state = network.rise(index, state)
            channels, height, width = shape
            if z is None:
                n = like.new_zeros((count, *shape))
            else:
                n = torch.from_numpy(latents_to_float(z)).to(like)
                n = n.reshape(count, height, width, channels).permute(0, 3, 1, 2)
            state = layer.take(state, n, condition)
        return network.finish(state, condition)
