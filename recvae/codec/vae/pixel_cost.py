"""What pixels cost given latents: for senders that try many latents of an image."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from recvae.codec.vae.groups import code_pixels
from recvae.codec.vae.parts import VaeParts
from recvae.codec.vae.trace import NO_TRACE
from recvae.exact import exact_arithmetic
from recvae.vae.networks.decoder import PixelBits

PixelCost: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Latents (n, D) int64 in units of 2^-28 and images (n, h, w) uint8 to pixel bits, (n,) float64;
all on CPU."""


def make_pixel_cost(model: VaeParts) -> PixelCost:
    """By look-up where the model's decoder allows it, else by all frequencies of all pixels.

    What is only tried is no step of coding: a trace of the model is not told of it.
    """
    return _PixelCost(replace(model, trace=NO_TRACE))


class _PixelCost:
    def __init__(self, model: VaeParts) -> None:
        self._model = model
        self._table, self._device = self._make_table(), model.device

    def __call__(self, z: Tensor, images: Tensor) -> Tensor:
        device = self._model.device
        if self._device != device:  # the networks have moved
            self._table, self._device = self._make_table(), device
        if self._table is None:
            return torch.from_numpy(code_pixels(self._model, z, images).bits)
        with exact_arithmetic(), torch.no_grad():
            return self._table(self._model.decoder.latents(z.to(device)), images.to(device)).cpu()

    def _make_table(self) -> PixelBits | None:
        exact = self._model.decoder
        return exact.decoder.pixel_cost_table(exact.number.fraction_bits)

    def __reduce__(self) -> tuple[Any, ...]:
        return _PixelCost, (self._model,)  # a table may be large, and of functions
