"""Encoders q(z|x): uint8 images to a diagonal Gaussian over the latents.

Only the sender runs an encoder, and its result need not agree between machines, so these are plain
float networks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recvae.vae.networks.arguments import argument


class Posterior(nn.Module):
    """Last layer of an encoder: (b, inputs) -> mean and log scale, (b, D) each, float32."""

    def __init__(self, inputs: int, latent_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * latent_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(b, inputs) to mean and log scale, (b, D) each."""
        mean, log_scale = self.linear(x).float().chunk(2, dim=-1)
        # The bounds keep scales in 3e-4 .. 4.5; a posterior outside them means failed training.
        return mean, log_scale.clamp(-8.0, 1.5)


@dataclass(frozen=True)
class MLPEncoderArguments:
    """Arguments of `MLPEncoder`: the width of its hidden layer."""

    hidden: int = argument(200, 1, 4096)


class MLPEncoder(nn.Module):
    """height * width -> hidden -> (mean, log scale); the encoder of the REC literature."""

    def __init__(
        self, latent_dim: int, height: int, width: int, arguments: MLPEncoderArguments
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(height * width, arguments.hidden)
        self.posterior = Posterior(arguments.hidden, latent_dim)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """pixels: (b, h, w) uint8. Returns mean and log scale, (b, D) each."""
        x = pixels.flatten(1).to(self.hidden.weight.dtype) / 255.0
        return self.posterior(torch.relu(self.hidden(x)))


@dataclass(frozen=True)
class ConvEncoderArguments:
    """Arguments of `ConvEncoder`.

    Fields:
        channels: width of the first feature maps.
        hidden: width of the hidden layer.
        saturation: indicator for pixels from this value up.
    """

    channels: int = argument(48, 1, 1024)
    hidden: int = argument(256, 1, 4096)
    saturation: int = argument(252, 3, 255)


class ConvEncoder(nn.Module):
    """Two strided convolutions with a residual pair each, one hidden layer, (mean, log scale).

    Its inputs are value / 255 and the indicators of the decoder's stages: non-zero, saturated.
    """

    def __init__(
        self,
        latent_dim: int,
        height: int,
        width: int,
        arguments: ConvEncoderArguments,
    ) -> None:
        super().__init__()
        channels, hidden = arguments.channels, arguments.hidden
        self.saturation = arguments.saturation
        self.maps = nn.Sequential(
            nn.Conv2d(3, channels, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * channels, 24, 1),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(24 * (height // 4) * (width // 4), hidden)
        self.posterior = Posterior(hidden, latent_dim)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """pixels: (b, h, w) uint8. Returns mean and log scale, (b, D) each."""
        values = pixels.to(self.hidden.weight.dtype) / 255.0
        x = torch.stack([values, pixels > 0, pixels >= self.saturation], dim=1)
        x = self.maps(x.to(memory_format=torch.channels_last))
        return self.posterior(nn.functional.silu(self.hidden(x)))
