"""A latent codec: the means of the posteriors on a grid, in 7 bits each, without randomness."""

from dataclasses import dataclass

import numpy as np
import torch

from recvae.codec.vae.latents import LatentCodec, Sent, register_latent_codec
from recvae.rec import Code


@register_latent_codec
@dataclass(frozen=True)
class Grid(LatentCodec):
    name = "grid"
    dim: int

    @property
    def latent_dim(self):
        return self.dim

    def send(self, target, images=None):
        steps = torch.round(target.mean.cpu() * 8).long().clamp(-64, 63) + 64
        return Sent([Code(steps[..., None], steps * 0)], torch.zeros(target.batch).bool())

    def receive(self, codes):
        return (codes[0].bins[..., 0] - 64) << 25  # steps of 2^-3, in units of 2^-28

    def encode(self, encoder, codes):
        steps = codes[0].bins.flatten().numpy()
        encoder.encode_uniform(steps, np.full(len(steps), 128))

    def decode(self, decoder, count):
        steps = torch.from_numpy(decoder.decode_uniform(np.full(count * self.dim, 128))).long()
        return [Code(steps.reshape(count, self.dim, 1), steps.reshape(count, self.dim) * 0)]

    def bits(self, codes):
        count = len(codes[0].ranks)
        return np.full(count, 7.0 * self.dim), np.zeros(count)
