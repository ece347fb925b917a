"""The staged decoder: where ink is, where it is saturated, and the grey of the rest.

MNIST's pixels are 81 % zeros, and 253..255 are spikes. The decoder codes an image in three passes,
each of which sees the latents and the outcome of earlier passes around its pixel:

1. zero or not, for every pixel;
2. for the non-zero pixels: which of the values from `saturation` up, or "grey";
3. for the grey pixels: which value of 1 .. saturation - 1.

Any uint8 image can be coded this way, whatever its histogram.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recvae.vae.networks.arguments import argument
from recvae.vae.networks.encoders import ConvEncoder, ConvEncoderArguments
from recvae.vae.networks.layers import Dense, Residual, neighbourhoods
from recvae.vae.networks.passes import Passes
from recvae.vae.networks.registry import Network
from recvae.vae.networks.upsampling import Head, UpsamplingDecoder


@dataclass(frozen=True)
class StagedArguments:
    """Arguments of `StagedDecoder`.

    Fields:
        channels: width of the feature maps.
        blocks: number of pixelwise residual blocks after the upsampling.
        hidden: width of the heads of passes 2 and 3.
        radius: passes 2 and 3 see earlier passes in a (2 radius + 1)^2 neighbourhood.
        saturation: values from here to 255 are coded in pass 2.
    """

    channels: int = argument(64, 1, 1024)
    blocks: int = argument(2, 0, 64)
    hidden: int = argument(128, 1, 4096)
    radius: int = argument(4, 0, 16)
    saturation: int = argument(252, 3, 255)


class StagedDecoder(UpsamplingDecoder):
    """p(x|z) in three passes; see the module's docstring.

    Args:
        latent_dim: D, the number of latents.
        height, width: size of the images in pixels.
        arguments: see `StagedArguments`.
    """

    def __init__(
        self, latent_dim: int, height: int, width: int, arguments: StagedArguments
    ) -> None:
        channels, hidden, radius = arguments.channels, arguments.hidden, arguments.radius
        saturation = arguments.saturation
        super().__init__(latent_dim, height, width, channels)
        self.radius, self.saturation = radius, saturation
        area = (2 * radius + 1) ** 2
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(arguments.blocks)))
        self.zero = Dense(channels, 2, relu=False)
        self.spike = Head(channels + area, hidden, 256 - saturation + 1)
        self.grey = Head(channels + 2 * area, hidden, saturation - 1)

    def features(self, z: Tensor) -> Tensor:
        """Latents (b, D) -> feature maps (b, height, width, channels)."""
        return self.blocks(self.upsample(z))

    def zero_logits(self, features: Tensor, sites: slice = slice(None)) -> Tensor:
        """Pass 1, pixels among b*h*w: (b, h, w, c) -> (n, 2), classes (zero, not zero)."""
        return self.zero(features.flatten(0, 2)[sites])

    def spike_logits(self, features: Tensor, sites: Tensor, ink: Tensor) -> Tensor:
        """Pass 2, non-zero pixels: (n, classes), class 0 is grey, class k is saturation + k - 1.

        sites: (n,) indices into b*h*w; ink: (b, h, w), 1 where a pixel is not zero.
        """
        return self.spike(self._context(features, sites, ink))

    def grey_logits(self, features: Tensor, sites: Tensor, ink: Tensor, full: Tensor) -> Tensor:
        """Pass 3, grey pixels: (n, saturation - 1), class k is value k + 1.

        full: (b, h, w), 1 where a pixel is saturated; the rest as in `spike_logits`.
        """
        return self.grey(self._context(features, sites, ink, full))

    def _context(self, features: Tensor, sites: Tensor, *maps: Tensor) -> Tensor:
        around = [neighbourhoods(m.to(features.dtype), sites, self.radius) for m in maps]
        # A map's 1 is the number 1 in the arithmetic of the features, fixed point or float.
        return torch.cat([features.flatten(0, 2)[sites], *(a * self.one for a in around)], dim=-1)

    def log_likelihood_nats(self, z: Tensor, pixels: Tensor) -> Tensor:
        """log p(x|z) in nats. z: (b, D); pixels: (b, h, w) uint8. Returns (b,)."""
        features = self.features(z)
        ink, full = pixels > 0, pixels >= self.saturation
        every = torch.arange(pixels.numel(), device=pixels.device)
        value = pixels.flatten().long()
        not_zero, grey = ink.flatten().nonzero()[:, 0], (ink & ~full).flatten().nonzero()[:, 0]
        spikes = (value[not_zero] - self.saturation + 1).clamp(min=0)
        terms = [
            (every, self.zero_logits(features), ink.flatten().long()),
            (not_zero, self.spike_logits(features, not_zero, ink), spikes),
            (grey, self.grey_logits(features, grey, ink, full), value[grey] - 1),
        ]
        result = torch.zeros(len(pixels), dtype=torch.float32, device=pixels.device)
        for sites, logits, symbols in terms:
            log_p = -functional.cross_entropy(logits.float(), symbols, reduction="none")
            result = result.index_add(0, sites // (self.height * self.width), log_p)
        return result

    def passes(self, z: Tensor) -> Passes:
        """Code images pass by pass; see `recvae.vae.networks.passes`."""
        features = self.features(z)
        shape = (len(z), self.height, self.width)
        pixels = torch.zeros(len(z) * self.height * self.width, dtype=torch.long, device=z.device)

        every = torch.arange(len(pixels), device=z.device)
        symbols = yield self.pixel_pass(
            2, lambda rows: self.zero_logits(features, rows), every, lambda x: (x > 0).long()
        )
        ink = symbols.reshape(shape)

        inked = symbols.nonzero()[:, 0]
        symbols = yield self.pixel_pass(
            256 - self.saturation + 1,
            lambda rows: self.spike_logits(features, inked[rows], ink),
            inked,
            lambda x: (x - self.saturation + 1).clamp(min=0),
        )
        pixels[inked] = torch.where(symbols > 0, symbols + self.saturation - 1, 0)
        full = (pixels > 0).long().reshape(shape)

        grey = inked[symbols == 0]
        symbols = yield self.pixel_pass(
            self.saturation - 1,
            lambda rows: self.grey_logits(features, grey[rows], ink, full),
            grey,
            lambda x: x - 1,
        )
        pixels[grey] = symbols + 1
        return pixels.reshape(shape)


NETWORK = Network(
    "staged",
    ConvEncoder,
    StagedDecoder,
    ConvEncoderArguments,
    StagedArguments,
    summary="VAE, pixels in three passes",
)
