"""A network: numbers of a pixel, linear in the latents, give the logits of its value."""

from dataclasses import dataclass

import torch
from torch import nn

from recvae.vae.networks import Decoder, Dense, Network, argument, register_network


@dataclass(frozen=True)
class Arguments:
    channels: int = argument(8, 1, 64)  # default, and limits that a model must keep to


class LinearEncoder(nn.Module):
    def __init__(self, latent_dim, height, width, arguments):
        super().__init__()
        self.posterior = nn.Linear(height * width, 2 * latent_dim)

    def forward(self, pixels):
        mean, log_scale = self.posterior(pixels.flatten(1) / 255).chunk(2, dim=1)
        return mean, log_scale.clamp(-8, 1)


class PixelwiseDecoder(Decoder):
    def __init__(self, latent_dim, height, width, arguments):
        super().__init__(height, width)
        self.features = Dense(latent_dim, height * width * arguments.channels)
        self.value = Dense(arguments.channels, 256, relu=False)

    def passes(self, z):
        sites = torch.arange(len(z) * self.height * self.width, device=z.device)
        features = self.features(z).reshape(len(sites), -1)
        step = self.pixel_pass(256, lambda rows: self.value(features[rows]), sites, lambda x: x)
        return (yield step).reshape(len(z), self.height, self.width)


network = Network("pixelwise", LinearEncoder, PixelwiseDecoder, decoder_arguments=Arguments)
register_network(network)
