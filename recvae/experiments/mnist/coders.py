"""From a row to its coder: a model whose latents are coded as the row specifies."""

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
    """The coder of a file.

    Fields:
        model: the model, with the row's code for latents and all its constants.
        calls: number of calls of relative entropy coding for an image.
        log2_candidates: log2 N if the number of candidates is fixed; None for exact searches.
    """

    model: CodecModel
    calls: int
    log2_candidates: float | None = None


def make_coding(row: Row, model: CodecModel, key: int, training: Training) -> Coding:
    """Make a row's coder, with all its constants fitted to the training images.

    Args:
        row: any but the bound.
        model: gives the networks.
        key: names the shared randomness, 64 bits.
        training: the model's training data.
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
