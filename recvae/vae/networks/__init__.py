"""The networks: encoders and decoders by name, one file for each architecture.

Decoders code images in `passes` and are built of the layers in `layers`, which have exact twins.
"""

from recvae.vae.networks.architecture import Architecture
from recvae.vae.networks.arguments import argument
from recvae.vae.networks.decoder import Decoder
from recvae.vae.networks.layers import Dense, Embedding, Residual
from recvae.vae.networks.registry import NETWORKS, Network, network_named, register_network

__all__ = [
    "NETWORKS",
    "Architecture",
    "Decoder",
    "Dense",
    "Embedding",
    "Network",
    "Residual",
    "argument",
    "network_named",
    "register_network",
]
