"""The bits of pixels given latents, for senders that try many latents of an image."""

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
"""From latents (n, D) int64 in units of 2^-28 and images (n, h, w) uint8 to pixel bits, (n,)
float64; all on CPU."""


def make_pixel_cost(model: VaeParts) -> PixelCost:
    """Use a look-up table where the model's decoder has one, else the frequencies of all pixels.

    Trials are not steps of coding: a trace of the model does not see them.
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
        return _PixelCost, (self._model,)  # the table may be large and hold functions
