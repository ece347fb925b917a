"""The choice of a network, its size and its arguments, as plain data."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from recvae.errors import InputError
from recvae.images.spec import ImageSpec
from recvae.vae.networks.arguments import all_arguments, check_integer
from recvae.vae.networks.decoder import Decoder
from recvae.vae.networks.registry import NETWORKS, network_named

SIZES = {"latent_dim": (1, 1024), "height": (4, 64), "width": (4, 64)}
"""Limits for every network."""


@dataclass(frozen=True)
class Architecture:
    """An encoder and a decoder, as plain data.

    Fields:
        name: "mlp" (the baseline of the literature), "staged" (a few passes over the image),
            "causal" (pixels see those before them: smaller files, slower to decode), "scans"
            (for MNIST only, through the scans it was computed from: far smaller files), or another
            registered network.
        latent_dim: D, the number of latents.
        height, width: size of the images in pixels.
        encoder, decoder: further arguments of the two networks, by name; all are optional.

    Raises InputError for arguments that the networks do not take.
    """

    name: str = "staged"
    latent_dim: int = 24
    height: int = 28
    width: int = 28
    encoder: dict[str, Any] = field(default_factory=dict)
    decoder: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise InputError(f"architecture.name is {self.name!r}; choose from {sorted(NETWORKS)}")
        for name, limits in SIZES.items():
            check_integer(f"architecture.{name}", getattr(self, name), limits)
        self.description()

    def description(self) -> dict[str, Any]:
        """All fields, with every argument of the networks, as stored in a model."""
        network = network_named(self.name)
        return asdict(self) | {
            "encoder": all_arguments(
                network.encoder_arguments, self.encoder, "architecture.encoder"
            ),
            "decoder": all_arguments(
                network.decoder_arguments, self.decoder, "architecture.decoder"
            ),
        }

    @property
    def levels(self) -> int:
        """Number of grey levels; pixels are below it."""
        return self.description()["decoder"].get("levels", 256)

    @cached_property
    def spec(self) -> ImageSpec:
        """The kind of images: grey."""
        return ImageSpec(self.height, self.width, levels=self.levels)

    def build(self) -> tuple[nn.Module, Decoder]:
        """Build an encoder and a decoder. Raises InputError for a size they do not support."""
        network, sizes = network_named(self.name), (self.latent_dim, self.height, self.width)
        return (
            network.encoder(*sizes, network.encoder_arguments(**self.encoder)),
            network.decoder(*sizes, network.decoder_arguments(**self.decoder)),
        )

    def build_empty(self) -> tuple[nn.Module, Decoder]:
        """Build them on torch's meta device, without memory or values: shapes only."""
        with torch.device("meta"), _NoInitialisation():
            return self.build()


class _NoInitialisation(TorchFunctionMode):
    """Skips initialisation, which on the meta device does nothing but import a compiler."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        if getattr(func, "__module__", None) == nn.init.__name__:
            return None
        return func(*args, **kwargs or {})
