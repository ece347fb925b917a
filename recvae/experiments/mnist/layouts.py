"""The blocks of a row and the codes of their ranks: constants, decided on training images."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from recvae.codec.latents import BlockLatents, Sender, receive_latents, send_latents
from recvae.codec.model import CodecModel
from recvae.experiments.mnist.pixel_cost import BetaBinomialCost
from recvae.experiments.mnist.rows import LOG2_CAP, Row
from recvae.rec import (
    Code,
    DiagonalGaussian,
    IndexCode,
    fit_bucket_code,
    fit_zeta_exponent,
    zeta_code,
)
from recvae.vae.blocks import Block, balanced_blocks, plan_blocks
from recvae.vae.information import posterior

# log2 J of a block over its information, to choose from. With few candidates bins must do what the
# search cannot; with many, bins cost more than they save.
BINS_PER_INFORMATION = (1.1, 1.0, 0.9, 0.8, 0.7, 0.6)
CUT_IMAGES = 150  # that the choice is measured on
PFR_BINS_PER_INFORMATION = 0.75  # bins of an exact search, which need not hold all that Q holds


@dataclass(frozen=True)
class Training:
    """What the constants of a row are fitted to.

    Fields:
        images: of the training set, (n, h, w) uint8.
        target: their posteriors, (n, D).
        information_bits: (D,) mutual information of each dimension over the whole training set.
    """

    images: Tensor
    target: DiagonalGaussian
    information_bits: Tensor

    def __getitem__(self, items: slice) -> "Training":
        return Training(self.images[items], self.target[items], self.information_bits)

    @staticmethod
    def of(model: CodecModel, images: Tensor) -> "Training":
        """For a model that states its mutual information, as all exported ones do."""
        information = torch.tensor(model.facts["mutual_information_bits"], dtype=torch.float64)
        return Training(images, posterior(model.encoder, images), information)


def plan(row: Row, model: CodecModel, training: Training) -> tuple[Block, ...]:
    """The blocks of a row, to be coded by the model's networks."""
    information = training.information_bits
    if row.blocks is not None and row.log2_candidates is not None:
        return _best_cut(model, training[:CUT_IMAGES], row.blocks, row.log2_candidates)
    assert row.block_bits is not None
    num_blocks = math.ceil(float(information.sum()) / row.block_bits)
    log2_candidates = LOG2_CAP if row.log2_candidates is None else row.log2_candidates
    if row.partitioned:
        blocks = plan_blocks(information, training.target, num_blocks, PFR_BINS_PER_INFORMATION)
        return tuple(replace(block, num_candidates=1 << log2_candidates) for block in blocks)
    return tuple(
        Block(dimensions, (1,) * len(dimensions), 1 << log2_candidates)
        for dimensions in balanced_blocks(information, num_blocks)
    )


def _best_cut(
    model: CodecModel, training: Training, num_blocks: int, log2_candidates: int
) -> tuple[Block, ...]:
    """Partitioned blocks with as many bins as code the training images in the fewest bits.

    From many bins to few, the bits first fall and then rise.
    """
    pixel_cost = BetaBinomialCost(model.decoder)
    best: tuple[Block, ...] = ()
    fewest_bits = math.inf
    for share in BINS_PER_INFORMATION:
        planned = plan_blocks(training.information_bits, training.target, num_blocks, share)
        blocks = tuple(replace(block, num_candidates=1 << log2_candidates) for block in planned)
        bits = _mean_bits(with_blocks(model, blocks), training, pixel_cost)
        if bits >= fewest_bits:
            break
        best, fewest_bits = blocks, bits
    return best


def _mean_bits(model: CodecModel, training: Training, pixel_cost: BetaBinomialCost) -> float:
    """Bits an image of partitioned ORC, with rank codes fitted to the same images."""
    model, codes = with_fitted_ranks(model, send_latents, training)
    bins, ranks = BlockLatents(model).bits(codes)
    pixels = pixel_cost(receive_latents(model, codes), training.images)
    return float((bins + ranks).mean()) + float(pixels.mean())


def with_blocks(model: CodecModel, blocks: tuple[Block, ...]) -> CodecModel:
    """The model with other blocks, and codes for their ranks that know nothing yet."""
    nothing = torch.zeros(0, dtype=torch.int64)
    codes = tuple(fit_bucket_code(nothing, block.num_candidates) for block in blocks)
    return replace(model, blocks=blocks, rank_codes=codes)


def with_fitted_ranks(
    model: CodecModel, sender: Sender, training: Training, zeta: bool = False
) -> tuple[CodecModel, list[Code]]:
    """The model with rank codes fitted to what the sender sends for training images; and that."""
    fit: Callable[[Tensor, int], IndexCode] = fit_zeta_code if zeta else fit_bucket_code
    codes = sender(model, training.target, training.images)
    rank_codes = tuple(
        fit(code.ranks, block.num_candidates)
        for code, block in zip(codes, model.blocks, strict=True)
    )
    return replace(model, rank_codes=rank_codes), codes


def fit_zeta_code(ranks: Tensor, num_candidates: int) -> IndexCode:
    """The zeta code under which the ranks are likeliest."""
    return zeta_code(fit_zeta_exponent(ranks, num_candidates), num_candidates)
