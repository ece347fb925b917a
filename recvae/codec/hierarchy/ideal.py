"""Rate and distortion of a model's posteriors without a coder, and bits of files by layer."""

from collections.abc import Sequence

import numpy as np
import torch

from recvae.codec.container import Group
from recvae.codec.container.group import num_tiles
from recvae.codec.hierarchy.classes import class_bits
from recvae.codec.hierarchy.coder import tile_codes
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.hierarchy.payload import layer_bits
from recvae.codec.hierarchy.pictures import from_network, to_network
from recvae.codec.image_coder import Pixels
from recvae.hierarchy.quality import position_of
from recvae.images.psnr import psnr_db
from recvae.vae.objective import NATS_PER_BIT, kl_nats

PICTURES_AT_ONCE = 32


def ideal_points(
    model: PictureModel, pictures: Pixels, qualities: Sequence[int], seed: int = 0
) -> list[tuple[float, float]]:
    """KL in bits per pixel, and PSNR in dB of decoded posterior samples.

    Means over pictures (n, h, w, 3) uint8, of any size, at each quality. The posteriors are the
    encoder's, without a sender's refinements for each picture.
    """
    generator = torch.Generator().manual_seed(seed)
    points = []
    for quality in qualities:
        bits, decibels = [], []
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            some = pictures[start : start + PICTURES_AT_ONCE]
            kl_bits, decoded = _sampled(model, some, quality, generator)
            decibels.append(psnr_db(decoded, some))
            bits.append(kl_bits)
        pixels = pictures[0, ..., 0].size
        points.append(
            (float(np.concatenate(bits).mean() / pixels), float(np.concatenate(decibels).mean()))
        )
    return points


def _sampled(
    model: PictureModel, pictures: Pixels, quality: int, generator: torch.Generator
) -> tuple[np.ndarray, Pixels]:
    """KL of each picture in bits, and a decoded sample of its posteriors."""
    network = model.shared.network
    pixels = to_network(pictures, network.arguments.stride)
    position = torch.full((len(pixels),), position_of(quality))
    kl_bits: list[torch.Tensor] = []

    def draw(mean: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
        kl_bits.append(kl_nats(mean, log_scale).sum((1, 2, 3)) / NATS_PER_BIT)
        return mean + log_scale.exp() * torch.randn(mean.shape, generator=generator)

    with torch.no_grad():
        output = network(pixels, position, draw)[0]
    height, width = pictures.shape[1:3]
    decoded = from_network(output, height, width)
    return torch.stack(kl_bits).sum(0).numpy(), decoded


def bits_by_layer(model: PictureModel, groups: Sequence[Group]) -> list[float]:
    """Ideal code lengths in bits of each layer of groups, coarse to fine, over all pictures.

    The classes of regions count for the first layer; uncompressed groups do not count.
    """
    tables = model.shared.tables
    total = [0.0] * len(tables.layers)
    for group in groups:
        for tile in range(num_tiles(group.spec, group.tile)):
            for code in tile_codes(model.shared, group, tile) or ():
                total[0] += float(class_bits(tables.classes, code.classes, code.quality)[0])
                for layer, own in enumerate(tables.layers):
                    total[layer] += sum(layer_bits(own, code.layers[layer]).values())
    return total
