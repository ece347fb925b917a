"""What pixels cost given latents, by look-up: for senders that try many latents of an image."""

import torch
from torch import Tensor

from recvae.exact import PRECISION_BITS, exact_arithmetic, frequencies
from recvae.vae import ExactDecoder
from recvae.vae.betabinomial import BetaBinomialDecoder


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
        """Pixel bits (n,) float64 of images (n, h, w) uint8 given latents (n, D) of the codec."""
        with exact_arithmetic(), torch.no_grad():
            rows_a, rows_b = self.inner.grid_rows(self.decoder.latents(z))
        return (
            self.bits[rows_a, rows_b, images.flatten().long()].double().reshape(len(z), -1).sum(1)
        )
