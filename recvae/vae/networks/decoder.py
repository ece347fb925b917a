"""The interface of decoder networks for training, sampling and coding."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recvae.exact import FixedPoint
from recvae.vae.networks.passes import Pass, Passes, PixelPass, log_likelihoods_nats

if TYPE_CHECKING:
    from recvae.kernels.range_coder import Coder

Spec: TypeAlias = tuple[torch.dtype, tuple[int, ...]]
"""Type and shape of a tensor."""

PixelBits: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From latents (n, D) as the layers of an exact decoder take them and pixels (n, h, w) uint8, on
the device of the decoder, to bits, (n,) float64."""


class PixelKernel(Protocol):
    """Codes pixel by pixel with an exact decoder, given its maps; symbols may depend on all before.

    Maps hold what it needs of the latents, (n, ...) int16.
    """

    def intervals(
        self, maps: NDArray[np.int16], pixels: NDArray[np.uint8]
    ) -> list[NDArray[np.int32]]:
        """The symbols of each image (n, h, w) as starts in [0, 2^24) and frequencies, (m, 2)."""
        ...

    def decode(self, maps: NDArray[np.int16], coder: "Coder") -> NDArray[np.uint8]:
        """Decode images (n, h, w) by a range coder, which records data that no encoder writes."""
        ...


class Decoder(nn.Module):
    """p(x|z): a decoder defines its `passes`; the rest follows, or is overridden for speed.

    Args:
        height, width: size of the images in pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.one: float = 1.0  # the number 1 in the arithmetic of the layers

    def passes(self, z: Tensor) -> Passes:
        """Code images pass by pass; see `recvae.vae.networks.passes`."""
        raise NotImplementedError

    def known_passes(self, z: Tensor, pixels: Tensor) -> Iterator[tuple[Pass, Tensor]]:
        """The same passes with their symbols (n,), when the pixels (b, h, w) are known.

        For decoders whose passes are all `PixelPass`es. A decoder that sees decoded pixels may
        evaluate many passes at once here; consecutive passes may be joined, and the images of
        such a pass do not ascend.
        """
        passes, values = self.passes(z), pixels.flatten().long()
        try:
            step = next(passes)
            while True:
                assert isinstance(step, PixelPass)
                symbols = step.to_symbols(values[step.sites])
                yield step, symbols
                step = passes.send(symbols)
        except StopIteration:
            return

    def log_likelihood_nats(self, z: Tensor, pixels: Tensor) -> Tensor:
        """log p(x|z) in nats. z: (b, D); pixels: (b, h, w) uint8. Returns (b,)."""
        return log_likelihoods_nats(list(self.known_passes(z, pixels)), len(z))

    def pixel_pass(
        self,
        classes: int,
        logits_at: Callable[[slice], Tensor],
        sites: Tensor,
        to_symbols: Callable[[Tensor], Tensor],
    ) -> PixelPass:
        """A pass of pixels; see `PixelPass`."""
        images = sites // (self.height * self.width)
        return PixelPass(classes, logits_at, images, sites, to_symbols)

    def input_limit(self, path: str, limit: int) -> int | Tensor:
        """Largest magnitude of the inputs of the layer at `path` in an exact decoder, or of each.

        Called while layers are replaced in order; `limit` is that of the number format.
        """
        return limit

    def extra_tensor_specs(self) -> dict[str, Spec]:
        """Specs of an exact decoder's tensors besides those of its layers, by name."""
        return {}

    def quantise_tables(self, one: int) -> None:
        """Quantise these tensors of a trained decoder; its 1 becomes `one`."""

    def load_tables(self, tensors: Mapping[str, Tensor]) -> None:
        """Load these tensors from a model. Raises ValueError if one is malformed."""

    def maps(self, z: Tensor) -> Tensor:
        """Map latents (n, D) to what a `PixelKernel` needs of them, (n, ...)."""
        raise NotImplementedError

    def pixel_kernel(self, number: FixedPoint) -> PixelKernel | None:
        """The kernel that codes pixels instead of `passes`, for exact decoders; None if passes do.

        Raises ValueError for an unsupported number format.
        """
        return None

    def pixel_cost_table(self, fraction_bits: int) -> PixelBits | None:
        """A function for the bits of pixels, faster than by all frequencies of each; or None.

        `fraction_bits` are those of the numbers in this exact decoder.
        """
        return None
