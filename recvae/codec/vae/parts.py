"""The parts that a VAE codes with: its networks and the codec of its latents."""

from dataclasses import dataclass

import torch
from torch import nn

from recvae.codec.vae.latents import LatentCodec
from recvae.codec.vae.trace import NO_TRACE, Trace
from recvae.exact import FixedPoint
from recvae.images.spec import ImageSpec
from recvae.rec import Coder
from recvae.vae.networks import Architecture, network_named
from recvae.vae.quantise import ExactDecoder


@dataclass(frozen=True, eq=False, kw_only=True)
class VaeParts:
    """All that sender and receiver of groups need; `CodecModel` adds a name and a hash.

    Fields:
        architecture: of encoder and decoder.
        number: the fixed-point format of the exact decoder.
        latents: how latents are coded.
        encoder: the float network, for the sender only.
        decoder: the exact network.
        trace: called with each step of coding.

    Raises ValueError if the parts do not make a model.
    """

    architecture: Architecture
    number: FixedPoint
    latents: LatentCodec
    encoder: nn.Module
    decoder: ExactDecoder
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        if self.latents.latent_dim != self.architecture.latent_dim:
            raise ValueError(self.latents.incomplete_message)

    @property
    def spec(self) -> ImageSpec:
        """The kind of images: grey."""
        return self.architecture.spec

    @property
    def summary(self) -> str:
        """A short description for tables: that of the network."""
        return network_named(self.architecture.name).summary

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return next(self.decoder.buffers()).device

    @property
    def coders(self) -> tuple[Coder, ...]:
        """The relative entropy coders; each codes some of the latents."""
        return self.latents.coders
