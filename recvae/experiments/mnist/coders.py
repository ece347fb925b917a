"""From a row to what codes it: a model whose latents are coded as the row says."""

import math
from dataclasses import dataclass, replace

from recvae.codec import CodecModel
from recvae.codec.vae.latents import BranchAndBoundLatents, FittedBins, LatentCodec, fit_bins
from recvae.codec.vae.min_cost import MinCostSender
from recvae.codec.vae.pixel_cost import make_pixel_cost
from recvae.experiments.mnist.layouts import Training, block_latents, plan
from recvae.experiments.mnist.rows import Row


@dataclass(frozen=True)
class Coding:
    """What a file is made with.

    Fields:
        model: with the row's code for latents and all its constants.
        calls: how many calls of relative entropy coding an image takes.
        log2_candidates: log2 N of a fixed number of candidates; None for exact searches.
    """

    model: CodecModel
    calls: int
    log2_candidates: float | None = None


def make_coding(row: Row, model: CodecModel, key: int, training: Training) -> Coding:
    """What codes a row, with all its constants fitted to the training images.

    Args:
        row: any but the bound.
        model: gives the networks.
        key: 64-bit name of the shared randomness.
        training: of the model.
    """
    ranked = training[: row.rank_images]
    if row.family == "A*" or row.bisecting:
        algorithm = "branch-and-bound GPRS" if row.bisecting else "A*"
        by_dimension = BranchAndBoundLatents.fit(key, algorithm, ranked.target)
        return Coding(replace(model, latents=by_dimension), model.architecture.latent_dim)
    blocks = plan(row, ranked)
    sender = None
    if row.family == "min-cost selection":
        sender = MinCostSender(make_pixel_cost(model), row.tried, row.beam)
    in_blocks = block_latents(key, blocks, ranked, sender, row.zeta)
    latents: LatentCodec = in_blocks
    if row.family == "fitted bin prior":
        tables = fit_bins(blocks, training.target)
        latents = FittedBins(key, blocks, in_blocks.rank_codes, tables=tables)
    fixed = row.log2_candidates is not None
    log2_candidates = math.log2(blocks[0].num_candidates) if fixed else None
    return Coding(replace(model, latents=latents), len(blocks), log2_candidates)
