"""Codes for latents: how they are chosen by the sender, written, read and regenerated.

`latent_codec` defines the interface; `blocks` is the codec of most models; `fitted_bins` codes the
bins under the aggregate posterior; `branch_and_bound` codes each dimension separately (A* coding).
"""

from recvae.codec.vae.latents.blocks import BlockLatents, Sender
from recvae.codec.vae.latents.branch_and_bound import BranchAndBoundLatents
from recvae.codec.vae.latents.fitted_bins import FittedBins, fit_bins
from recvae.codec.vae.latents.latent_codec import (
    LATENT_CODECS,
    SENDER_SEED,
    LatentCodec,
    LayoutOptions,
    Sent,
    join_codes,
    register_latent_codec,
)

__all__ = [
    "LATENT_CODECS",
    "SENDER_SEED",
    "BlockLatents",
    "BranchAndBoundLatents",
    "FittedBins",
    "LatentCodec",
    "LayoutOptions",
    "Sender",
    "Sent",
    "fit_bins",
    "join_codes",
    "register_latent_codec",
]
