"""Shared parts of decoders: upsampling from latents to a map, heads, columns of values."""

import math

import torch
from torch import Tensor, nn

from recvae.vae.networks.decoder import Decoder
from recvae.vae.networks.layers import Dense, Residual, shuffle_2x2, windows_2x2

SATURATION = 252


class Head(nn.Sequential):
    """A head for the logits of one pass: features of a site, (n, inputs) -> (n, classes)."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__(
            Dense(inputs, hidden), Residual(hidden), Dense(hidden, classes, relu=False)
        )


class UpsamplingDecoder(Decoder):
    """A decoder that starts from a map of a quarter of the size and doubles it twice.

    Args:
        latent_dim: D, the number of latents.
        height, width: size of the images in pixels.
        channels: width of the maps.
    """

    def __init__(self, latent_dim: int, height: int, width: int, channels: int) -> None:
        super().__init__(height, width)
        self.channels = channels
        self.seed_height, self.seed_width = math.ceil(height / 4), math.ceil(width / 4)
        self.seed = Dense(latent_dim, self.seed_height * self.seed_width * channels)
        self.up = nn.ModuleList(Dense(4 * channels, 4 * channels) for _ in range(2))

    def upsample(self, z: Tensor) -> Tensor:
        """Latents (b, D) -> maps (b, height, width, channels)."""
        x = self.seed(z).reshape(len(z), self.seed_height, self.seed_width, self.channels)
        for up in self.up:
            x = shuffle_2x2(up(windows_2x2(x)))
        return x[:, : self.height, : self.width]


def known_columns(levels: int) -> Tensor:
    """The given columns of each value: value / (levels - 1), non-zero, saturated.

    Returns (levels, 3); for fewer than 256 levels (levels, 2), for two (2, 1), without the columns
    that would be redundant.
    """
    with torch.device("cpu"):  # not on the meta device, where arithmetic imports a compiler
        value = torch.arange(levels)
        columns = [value / (levels - 1)]
        if levels > 2:
            columns.append((value > 0).float())
        if levels == 256:
            columns.append((value >= SATURATION).float())
        return torch.stack(columns, dim=1)
