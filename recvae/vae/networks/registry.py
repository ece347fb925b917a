"""The networks by name, as used in configs, checkpoints and codec models."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import nn

from recvae.vae.networks.arguments import NoArguments
from recvae.vae.networks.decoder import Decoder


@dataclass(frozen=True)
class Network:
    """An encoder and a decoder that are trained together, with their arguments.

    Fields:
        name: in configs and models.
        encoder: from the number D of latents, height and width in pixels and its arguments to a
            module that maps pixels (b, h, w) uint8 to mean and log scale of the latents, (b, D)
            each.
        decoder: likewise, to a `Decoder`.
        encoder_arguments, decoder_arguments: frozen dataclasses whose fields are made by
            `argument`. A decoder for fewer than 256 grey levels has an argument `levels`.
        size: the only height and width that its models have; None if there are several: the decoder
            then raises InputError for sizes it does not support.
        summary: description of its models for tables, in about five words.
    """

    name: str
    encoder: Callable[[int, int, int, Any], nn.Module]
    decoder: Callable[[int, int, int, Any], Decoder]
    encoder_arguments: type[Any] = NoArguments
    decoder_arguments: type[Any] = NoArguments
    size: tuple[int, int] | None = None
    summary: str = ""


NETWORKS: dict[str, Network | str] = {
    "scans": "recvae.bitmaps.network",
    "causal": "recvae.vae.networks.causal",
    "pointer": "recvae.vae.networks.pointer",
    "staged": "recvae.vae.networks.staged",
    "mlp": "recvae.vae.networks.betabinomial",
}
"""Networks, or the modules that define them as `NETWORK`, imported when needed."""


def register_network(network: Network) -> None:
    """Register a network under its name, replacing any earlier one."""
    NETWORKS[network.name] = network


def network_named(name: str) -> Network:
    """The network with this name, which must be in `NETWORKS`."""
    network = NETWORKS[name]
    return import_module(network).NETWORK if isinstance(network, str) else network
