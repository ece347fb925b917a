"""Senders into the codec's own files: whatever they choose, the same receiver decodes it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recvae.codec.latents import SENDER_SEED
from recvae.codec.model import CodecModel
from recvae.rec import Code, Coder, DiagonalGaussian, GlobalGPRS, Partition, PartitionedPFR
from recvae.rec.layout import Block
from recvae.rec.normal import reach


class ExactSender:
    """Sends what exact coders find, one coder a block.

    `capped_images` counts the images that had a search which ended at its cap: their samples are
    not exact. The count starts anew when it is set to 0.
    """

    def __init__(self, coders: Sequence[Coder]) -> None:
        self.coders = tuple(coders)
        self.capped_images = 0

    def __call__(self, model: CodecModel, target: DiagonalGaussian, images: Tensor) -> list[Code]:
        """See `recvae.codec.latents.Sender`."""
        codes = []
        capped = torch.zeros(target.batch, dtype=torch.bool)
        for block, coder in zip(model.blocks, self.coders, strict=True):
            generator = torch.Generator().manual_seed(SENDER_SEED)
            found = coder.search(within_reach(block.part_of(target)), model.key, generator)
            codes.append(found.code)
            capped |= found.capped.reshape(target.batch, -1).any(dim=1)
        self.capped_images += int(capped.sum())
        return codes


def pfr_sender(blocks: Sequence[Block]) -> ExactSender:
    """The Poisson functional representation within the intervals of the blocks."""
    return ExactSender(
        [
            PartitionedPFR(Partition(block.intervals), block=i, max_candidates=block.num_candidates)
            for i, block in enumerate(blocks)
        ]
    )


def gprs_sender(blocks: Sequence[Block]) -> ExactSender:
    """Greedy Poisson rejection sampling; the blocks must be uncut."""
    return ExactSender(
        [
            GlobalGPRS(Partition(block.intervals), block=i, max_candidates=block.num_candidates)
            for i, block in enumerate(blocks)
        ]
    )


def within_reach(target: DiagonalGaussian) -> DiagonalGaussian:
    """The target as exact coders take it, float64.

    They need means that the prior's samples reach, and those on the line scales of at most 1:
    encoders exceed both by a trifle, for a mean far out or a dimension that carries nothing.
    """
    scale = target.scale.double().clamp(max=1.0)
    limit = (reach() - 4.4 * scale) * (1 - 1e-9)
    return DiagonalGaussian(target.mean.double().clamp(-limit, limit), scale)
