"""The networks by name: what a config chooses, a checkpoint remembers and a codec model states."""

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from recvae.vae.betabinomial import BetaBinomialDecoder
from recvae.vae.encoders import ConvEncoder, MLPEncoder
from recvae.vae.passes import Decoder
from recvae.vae.staged import StagedDecoder

NETWORKS: dict[str, tuple[type[nn.Module], type[Decoder]]] = {
    "mlp": (MLPEncoder, BetaBinomialDecoder),
    "staged": (ConvEncoder, StagedDecoder),
}


@dataclass(frozen=True)
class Architecture:
    """An encoder and a decoder, as plain data.

    Fields:
        name: "mlp" (the baseline of the literature) or "staged" (the better one).
        latent_dim: D, number of latents.
        height, width: size of the images in pixels.
        encoder, decoder: further arguments of the two networks, by name.
    """

    name: str = "staged"
    latent_dim: int = 24
    height: int = 28
    width: int = 28
    encoder: dict[str, Any] = field(default_factory=dict)
    decoder: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise ValueError(f"architecture.name is {self.name!r}; choose from {sorted(NETWORKS)}")
        for name, low, high in [("latent_dim", 1, 1024), ("height", 4, 64), ("width", 4, 64)]:
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"architecture.{name} is {getattr(self, name)}; allowed: {low} to {high}"
                )

    def build(self) -> tuple[nn.Module, Decoder]:
        """A new encoder and a new decoder. Raises ValueError for arguments they do not take."""
        sizes = {"latent_dim": self.latent_dim, "height": self.height, "width": self.width}
        encoder, decoder = NETWORKS[self.name]
        try:
            return encoder(**sizes, **self.encoder), decoder(**sizes, **self.decoder)
        except TypeError as error:
            raise ValueError(f"architecture: {error}") from error
