"""The VAE: networks, likelihoods, objective, mutual information, block layout.

`recvae.vae.module`, the LightningModule, is not imported here: coding does not need Lightning.
"""

from recvae.vae.architectures import Architecture
from recvae.vae.blocks import Block, balanced_blocks, plan_blocks
from recvae.vae.information import mutual_information_bits, posterior
from recvae.vae.objective import BetaSchedule, kl_nats
from recvae.vae.passes import Decoder, Pass, Passes, PixelPass, run_passes, sample_pixels
from recvae.vae.quantise import ExactDecoder, quantise

__all__ = [
    "Architecture",
    "BetaSchedule",
    "Block",
    "Decoder",
    "ExactDecoder",
    "Pass",
    "Passes",
    "PixelPass",
    "balanced_blocks",
    "kl_nats",
    "mutual_information_bits",
    "plan_blocks",
    "posterior",
    "quantise",
    "run_passes",
    "sample_pixels",
]
