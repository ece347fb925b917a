"""The blocks of a row and the codes of their ranks: constants, determined on training images."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from recvae.codec.vae.latents import BlockLatents, Sender
from recvae.codec.vae.model import CodecModel
from recvae.experiments.mnist.rows import Row
from recvae.rec import (
    Block,
    DiagonalGaussian,
    IndexCode,
    balanced_blocks,
    fit_bucket_code,
    fit_zeta_exponent,
    plan_blocks,
    zeta_code,
)
from recvae.rec.layout import DEFAULT_ALGORITHM
from recvae.vae.information import posterior

ALGORITHMS = {"PFR": "partitioned PFR, sup", "GPRS": "GPRS"}
"""Algorithms of a family's blocks, unless the default."""


@dataclass(frozen=True)
class Training:
    """The data that the constants of a row are fitted to.

    Fields:
        images: training images, (n, h, w) uint8.
        target: their posteriors, (n, D).
        information_bits: mutual information of each dimension over the whole training set, (D,).
    """

    images: Tensor
    target: DiagonalGaussian
    information_bits: Tensor

    def __getitem__(self, items: slice) -> "Training":
        return Training(self.images[items], self.target[items], self.information_bits)

    @staticmethod
    def of(model: CodecModel, images: Tensor) -> "Training":
        """Make it for a model that states its mutual information, as all exported ones do."""
        information = torch.tensor(model.metadata["mutual_information_bits"], dtype=torch.float64)
        return Training(images, posterior(model.encoder, images), information)


def plan(row: Row, training: Training) -> tuple[Block, ...]:
    """The blocks of a row."""
    information, algorithm = (
        training.information_bits,
        ALGORITHMS.get(row.family, DEFAULT_ALGORITHM),
    )
    log2_candidates = row.log2_cap if row.log2_candidates is None else row.log2_candidates
    num_blocks = row.blocks
    if num_blocks is None:
        assert row.block_bits is not None
        num_blocks = math.ceil(float(information.sum()) / row.block_bits)
    if row.bins_per_information is None:
        return tuple(
            Block(dimensions, (1,) * len(dimensions), 1 << log2_candidates, algorithm)
            for dimensions in balanced_blocks(information, num_blocks)
        )
    blocks = plan_blocks(information, training.target, num_blocks, row.bins_per_information)
    return tuple(
        replace(block, num_candidates=1 << log2_candidates, algorithm=algorithm) for block in blocks
    )


def block_latents(
    key: int,
    blocks: tuple[Block, ...],
    training: Training,
    sender: Sender | None = None,
    zeta: bool = False,
) -> BlockLatents:
    """Make blocks with rank codes fitted to what is sent for training images.

    Min-cost selection, which needs the cost of ranks, starts from codes fitted to the plain choice.
    """
    latents = BlockLatents.unfitted(key, blocks)
    for each in (None, sender) if sender else (None,):
        latents = replace(latents, sender=each)
        codes = latents.send(training.target, training.images).codes
        latents = latents.fitted(codes, fit_zeta_code if zeta else fit_bucket_code)
    return latents


def fit_zeta_code(ranks: Tensor, num_candidates: int) -> IndexCode:
    """The maximum likelihood zeta code for the ranks."""
    return zeta_code(fit_zeta_exponent(ranks, num_candidates), num_candidates)
