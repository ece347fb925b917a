"""The networks by name: what a config chooses, a checkpoint remembers and a codec model states."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import nn

from recvae.vae.networks.arguments import NoArguments
from recvae.vae.networks.decoder import Decoder


@dataclass(frozen=True)
class Network:
    """An encoder and a decoder that are trained together, and what can be chosen of them.

    Fields:
        name: in configs and models.
        encoder: makes of the number D of latents, height and width in pixels and its arguments a
            module that maps pixels (b, h, w) uint8 to mean and log scale of the latents, (b, D)
            each.
        decoder: makes a `Decoder` of the like.
        encoder_arguments, decoder_arguments: frozen dataclasses whose fields are made by
            `argument`. A decoder of fewer than 256 grey levels has an argument `levels`.
        size: the height and width that a model of it states, if there is but one; for others the
            decoder raises InputError.
        summary: what tables say of its models, in about five words.
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
"""Networks, or the modules that have them as `NETWORK`, imported when they are needed."""


def register_network(network: Network) -> None:
    """Make a network known by its name, in place of any that has it."""
    NETWORKS[network.name] = network


def network_named(name: str) -> Network:
    """The network of that name, which is in `NETWORKS`."""
    network = NETWORKS[name]
    return import_module(network).NETWORK if isinstance(network, str) else network
