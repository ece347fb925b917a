"""What pixels cost given latents: for senders that try many latents of an image."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from recvae.codec.vae.groups import code_pixels, pixel_bits
from recvae.codec.vae.parts import VaeParts
from recvae.codec.vae.trace import NO_TRACE
from recvae.exact import exact_arithmetic

PixelCost: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Latents (n, D) int64 in units of 2^-28 and images (n, h, w) uint8 to pixel bits, (n,) float64;
all on CPU."""


def make_pixel_cost(model: VaeParts) -> PixelCost:
    """By look-up where the model's decoder allows it, else by all frequencies of all pixels.

    What is only tried is no step of coding: a trace of the model is not told of it.
    """
    model = replace(model, trace=NO_TRACE)
    exact = model.decoder
    table = exact.decoder.pixel_cost_table(exact.number.fraction_bits)
    if table is None:
        return lambda z, images: torch.from_numpy(pixel_bits(code_pixels(model, z, images), len(z)))

    def looked_up(z: Tensor, images: Tensor) -> Tensor:
        with exact_arithmetic(), torch.no_grad():
            return table(exact.latents(z.to(model.device)), images.to(model.device)).cpu()

    return looked_up
