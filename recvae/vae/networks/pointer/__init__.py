"""The pointer network: pixels depend on earlier ones, near and far, and on values used so far."""

from recvae.vae.networks.encoders import ConvEncoder, ConvEncoderArguments
from recvae.vae.networks.pointer.decoder import PointerArguments, PointerDecoder
from recvae.vae.networks.registry import Network

NETWORK = Network(
    "pointer",
    ConvEncoder,
    PointerDecoder,
    ConvEncoderArguments,
    PointerArguments,
    summary="VAE with pointer attention",
)
