"""The networks by name: what a config chooses, a checkpoint remembers and a codec model states."""

import inspect
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from recvae.errors import InputError
from recvae.images.spec import ImageSpec
from recvae.vae.networks.passes import Decoder

NETWORKS = {
    "mlp": ("encoders.MLPEncoder", "betabinomial.BetaBinomialDecoder"),
    "staged": ("encoders.ConvEncoder", "staged.StagedDecoder"),
    "causal": ("encoders.ConvEncoder", "causal.CausalDecoder"),
    "scans": ("encoders.ConvEncoder", "scans.ScanDecoder"),
}
"""Encoder and decoder: module of this package, imported when it is needed, and class of each."""

ARCHITECTURE_SIZES = ("latent_dim", "height", "width")
LIMITS = {
    "latent_dim": (1, 1024),
    "height": (4, 64),
    "width": (4, 64),
    "channels": (1, 1024),
    "blocks": (0, 64),
    "hidden": (1, 4096),
    "radius": (0, 16),
    "saturation": (3, 255),
    "levels": (2, 256),
    "about": (1, 1024),
    "grey_channels": (1, 1024),
    "grey_blocks": (0, 64),
    "grey_hidden": (1, 4096),
    "grey_radius": (0, 16),
}


@dataclass(frozen=True)
class Architecture:
    """An encoder and a decoder, as plain data.

    Fields:
        name: "mlp" (the baseline of the literature), "staged" (a few passes over the image),
            "causal" (pixels see those before them: smaller files, slower to decode), or "scans"
            (MNIST alone, through the scans that it was computed from: far smaller files).
        latent_dim: D, number of latents.
        height, width: size of the images in pixels.
        encoder, decoder: further arguments of the two networks, by name; not all need be given.

    Raises InputError for anything that the networks do not take.
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
        for name in ARCHITECTURE_SIZES:
            low, high = LIMITS[name]
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise InputError(
                    f"architecture.{name} is {value!r}; allowed: {low} to {high}, an integer"
                )
        self.stated()

    def stated(self) -> dict[str, Any]:
        """All fields, with every argument of the networks: what a model remembers of itself."""
        networks = zip(("encoder", "decoder"), self._networks, strict=True)
        return asdict(self) | {
            role: _all_arguments(network, role, getattr(self, role)) for role, network in networks
        }

    @property
    def levels(self) -> int:
        """Number of grey levels: pixels are below it."""
        return self.stated()["decoder"].get("levels", 256)

    @cached_property
    def spec(self) -> ImageSpec:
        """Of the images: grey."""
        return ImageSpec(self.height, self.width, levels=self.levels)

    @property
    def _networks(self) -> tuple[type[nn.Module], type[Decoder]]:
        encoder, decoder = map(_class_at, NETWORKS[self.name])
        return encoder, decoder

    def build(self) -> tuple[nn.Module, Decoder]:
        """A new encoder and a new decoder."""
        sizes = {"latent_dim": self.latent_dim, "height": self.height, "width": self.width}
        encoder, decoder = self._networks
        return encoder(**sizes, **self.encoder), decoder(**sizes, **self.decoder)

    def build_empty(self) -> tuple[nn.Module, Decoder]:
        """The same without memory or values, on torch's meta device: they tell shapes."""
        with torch.device("meta"), _NoInitialisation():
            return self.build()


class _NoInitialisation(TorchFunctionMode):
    """Draws no values: on the meta device that does nothing, after seconds to import a compiler."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        if getattr(func, "__module__", None) == nn.init.__name__:
            return None
        return func(*args, **kwargs or {})


def _class_at(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"{__package__}.{module}"), name)


def _all_arguments(network: type[nn.Module], role: str, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a network beyond the sizes, in its order, defaults filled in."""
    parameters = inspect.signature(network).parameters
    known = {n: p.default for n, p in parameters.items() if n not in ARCHITECTURE_SIZES}
    for name, value in given.items():
        if name not in known:
            raise InputError(f"architecture.{role}.{name} is unknown; there are {sorted(known)}")
        low, high = LIMITS[name]
        if type(value) is not int or not low <= value <= high:
            raise InputError(
                f"architecture.{role}.{name} is {value!r}; allowed: {low} to {high}, an integer"
            )
    return known | given
