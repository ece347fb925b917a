"""From a row to what codes it: a model with its blocks and rank codes, and a code for latents."""

import math
from dataclasses import dataclass, replace

from recvae.codec import CodecModel
from recvae.codec.latents import BlockLatents, Latents, send_latents
from recvae.codec.min_cost import MinCostSender
from recvae.codec.pixel_cost import pixel_cost_of
from recvae.experiments.mnist.fitted_bins import FittedBins, fit_bins
from recvae.experiments.mnist.layouts import Training, plan, with_blocks, with_fitted_ranks
from recvae.experiments.mnist.lines import LineLatents
from recvae.experiments.mnist.rows import Row
from recvae.experiments.mnist.senders import ExactSender, gprs_sender, pfr_sender
from recvae.rec import AStar, BranchAndBoundGPRS


@dataclass(frozen=True)
class Coding:
    """What a file is made with.

    Fields:
        model: with the row's blocks and rank codes.
        latents: of the model; `BlockLatents` itself makes files of the codec's own format.
        blocks: how many calls of relative entropy coding an image takes.
        log2_candidates: log2 N of a fixed number of candidates.
        exact: counts the searches that met their cap, where there is a cap.
    """

    model: CodecModel
    latents: Latents
    blocks: int
    log2_candidates: float | None
    exact: ExactSender | LineLatents | None = None

    def capped_images(self) -> int:
        """Images with a search that met its cap."""
        return self.exact.capped_images if self.exact else 0


def coding_of(row: Row, model: CodecModel, key: int, training: Training) -> Coding:
    """What codes a row, with all its constants fitted to the training images.

    Args:
        row: any but the bound.
        model: gives the networks.
        key: 64-bit name of the shared randomness.
        training: of the model.
    """
    model, all_training, training = replace(model, key=key), training, training[: row.rank_images]
    if row.family == "A*" or row.bisecting:
        return _by_lines(row, model, training)
    blocks = plan(row, training)
    model = with_blocks(model, blocks)
    if row.family in ("PFR", "GPRS"):
        exact = pfr_sender(blocks) if row.family == "PFR" else gprs_sender(blocks)
        model = with_fitted_ranks(model, exact, training)
        exact.capped_images = 0
        return Coding(model, BlockLatents(model, exact), len(blocks), None, exact)
    model = with_fitted_ranks(model, send_latents, training, row.zeta)
    latents: Latents = BlockLatents(model)
    if row.family == "fitted bin prior":
        latents = FittedBins(model, tables=fit_bins(blocks, all_training.target))
    if row.family == "min-cost selection":
        sender = MinCostSender(pixel_cost_of(model), row.tried, row.beam)
        model = with_fitted_ranks(model, sender, training)
        latents = BlockLatents(model, sender)
    return Coding(model, latents, len(blocks), math.log2(blocks[0].num_candidates))


def _by_lines(row: Row, model: CodecModel, training: Training) -> Coding:
    dim = model.architecture.latent_dim
    coder = BranchAndBoundGPRS(dim) if row.bisecting else AStar(dim)
    latents = LineLatents(coder, model.key)
    latents.fit(training.target)
    return Coding(model, latents, dim, None, latents)
