"""The VAE: networks, likelihoods, objective, mutual information.

`recvae.vae.lightning`, the LightningModule, is not imported here: coding does not need Lightning.
"""

from recvae.vae.information import mutual_information_bits, posterior
from recvae.vae.networks import Architecture, Decoder
from recvae.vae.networks.passes import Pass, Passes, PixelPass, run_passes, sample_pixels
from recvae.vae.objective import BetaSchedule, kl_nats
from recvae.vae.quantise import ExactDecoder, quantise

__all__ = [
    "Architecture",
    "BetaSchedule",
    "Decoder",
    "ExactDecoder",
    "Pass",
    "Passes",
    "PixelPass",
    "kl_nats",
    "mutual_information_bits",
    "posterior",
    "quantise",
    "run_passes",
    "sample_pixels",
]
