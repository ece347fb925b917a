"""What pixels cost given latents: for senders that try many latents of an image."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from recvae.codec.vae.groups import code_pixels, pixel_bits
from recvae.codec.vae.parts import VaeParts
from recvae.exact import PRECISION_BITS, exact_arithmetic, frequencies
from recvae.vae import ExactDecoder
from recvae.vae.networks.betabinomial import BetaBinomialDecoder

PixelCost: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Latents (n, D) int64 in units of 2^-28 and images (n, h, w) uint8 to pixel bits, (n,) float64;
all on CPU."""


def pixel_cost_of(model: VaeParts) -> PixelCost:
    """By look-up where the model's decoder allows it, else by all frequencies of all pixels."""
    if isinstance(model.decoder.decoder, BetaBinomialDecoder):
        return BetaBinomialCost(model.decoder)
    return lambda z, images: torch.from_numpy(pixel_bits(code_pixels(model, z, images), len(z)))


class BetaBinomialCost:
    """The very bits that the codec spends on pixels under an exact beta-binomial decoder.

    Its parameters a and b lie on a grid, so a table of all pairs of them, 68 MB, holds what every
    pixel value can cost; no frequencies are computed for the values that a pixel does not have.

    Raises ValueError for other decoders.
    """

    def __init__(self, decoder: ExactDecoder) -> None:
        inner = decoder.decoder
        if not isinstance(inner, BetaBinomialDecoder):
            raise ValueError(f"decoder: got {type(inner).__name__}, need a BetaBinomialDecoder")
        self.decoder, self.inner = decoder, inner
        of_zeros = inner.of_zeros
        self.bits = torch.stack(
            [
                PRECISION_BITS - frequencies(row + of_zeros, decoder.number.fraction_bits).log2()
                for row in inner.rising_factorials
            ]
        )

    def __call__(self, z: Tensor, images: Tensor) -> Tensor:
        """See `PixelCost`."""
        device = self.bits.device
        with exact_arithmetic(), torch.no_grad():
            rows_a, rows_b = self.inner.grid_rows(self.decoder.latents(z.to(device)))
        bits = self.bits[rows_a, rows_b, images.to(device).flatten().long()].double()
        return bits.reshape(len(z), -1).sum(1).cpu()
