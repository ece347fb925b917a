"""The blocks of a row and the codes of their ranks: constants, decided on training images."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from recvae.codec.latents import Sender
from recvae.codec.model import CodecModel
from recvae.experiments.mnist.rows import Row
from recvae.rec import (
    DiagonalGaussian,
    IndexCode,
    fit_bucket_code,
    fit_zeta_exponent,
    zeta_code,
)
from recvae.rec.layout import Block, balanced_blocks, plan_blocks
from recvae.vae.information import posterior


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


def plan(row: Row, training: Training) -> tuple[Block, ...]:
    """The blocks of a row."""
    information = training.information_bits
    log2_candidates = row.log2_cap if row.log2_candidates is None else row.log2_candidates
    num_blocks = row.blocks
    if num_blocks is None:
        assert row.block_bits is not None
        num_blocks = math.ceil(float(information.sum()) / row.block_bits)
    if row.bins_per_information is None:
        return tuple(
            Block(dimensions, (1,) * len(dimensions), 1 << log2_candidates)
            for dimensions in balanced_blocks(information, num_blocks)
        )
    blocks = plan_blocks(information, training.target, num_blocks, row.bins_per_information)
    return tuple(replace(block, num_candidates=1 << log2_candidates) for block in blocks)


def with_blocks(model: CodecModel, blocks: tuple[Block, ...]) -> CodecModel:
    """The model with other blocks, and codes for their ranks that know nothing yet."""
    nothing = torch.zeros(0, dtype=torch.int64)
    codes = tuple(fit_bucket_code(nothing, block.num_candidates) for block in blocks)
    return replace(model, blocks=blocks, rank_codes=codes)


def with_fitted_ranks(
    model: CodecModel, sender: Sender, training: Training, zeta: bool = False
) -> CodecModel:
    """The model with rank codes fitted to what the sender sends for training images."""
    fit: Callable[[Tensor, int], IndexCode] = fit_zeta_code if zeta else fit_bucket_code
    codes = sender(model, training.target, training.images)
    rank_codes = tuple(
        fit(code.ranks, block.num_candidates)
        for code, block in zip(codes, model.blocks, strict=True)
    )
    return replace(model, rank_codes=rank_codes)


def fit_zeta_code(ranks: Tensor, num_candidates: int) -> IndexCode:
    """The zeta code under which the ranks are likeliest."""
    return zeta_code(fit_zeta_exponent(ranks, num_candidates), num_candidates)
