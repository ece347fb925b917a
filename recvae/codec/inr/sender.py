"""From pictures to codes: block by block, with the rest fitted anew after each."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.inr.fit import Fit, guess
from recvae.codec.inr.layout import Layout
from recvae.codec.inr.payload import PictureCodes, coder_of
from recvae.errors import InputError
from recvae.exact import to_float
from recvae.inr.encoder import Encoder
from recvae.inr.network import Inr
from recvae.rec import DiagonalGaussian, IndexCode
from recvae.rec.finishers import cheapest_finishers
from recvae.rec.target import on_grid

MIN_LOG2_CANDIDATES = 4
FIRST_RATE, BLOCK_RATE = 0.03, 0.01  # learning rates of the first fit, and between blocks
NOT_FINITE = "the model's networks give numbers that are not finite: it is unusable"


@dataclass(frozen=True)
class Effort:
    """The effort of a sender.

    Fields:
        first_steps: steps of gradient descent before the first block.
        block_steps: steps after each block; 0 leaves the other posteriors as they are.
        margin_bits: log2 N exceeds the search KL of a block by this much,
        max_log2_candidates: but does not exceed this.
        keep: number of first finishers of a race, the cheapest of which is sent.
    """

    first_steps: int = 300
    block_steps: int = 12
    margin_bits: float = 3.0
    max_log2_candidates: int = 16
    keep: int = 16


@dataclass(frozen=True, eq=False)
class Shared:
    """What sender and receiver share; a receiver needs no encoder and no budgets.

    Fields:
        network: from latents to pictures.
        layout: the blocks.
        rank_code: of the ranks of all blocks.
        key: names the shared randomness.
        encoder: the start of a sender's fit; None to start it from the prior.
        information_bits: mean KL of each latent over training pictures, (dim,), which blocks keep.
        log_beta: the price of the KL at the end of training.
    """

    network: Inr
    layout: Layout
    rank_code: IndexCode
    key: int
    encoder: Encoder | None
    information_bits: NDArray[np.floating]
    log_beta: float

    @property
    def budget_bits(self) -> Tensor:
        """The KL of each block, (blocks,)."""
        sums = [self.information_bits[members].sum() for members in self.layout.members]
        return torch.tensor(np.array(sums), dtype=torch.float32)


@dataclass(frozen=True, eq=False)
class Sent:
    """A sender's result for some pictures.

    Fields:
        codes: of the pictures.
        kl_bits: KL of each picture's blocks when they were sent, (n,).
    """

    codes: PictureCodes
    kl_bits: NDArray[np.float64]


def send(shared: Shared, pixels: Tensor, effort: Effort) -> Sent:
    """Find codes for pictures (n, side^2, 3) in [0, 1], which are fitted together.

    fit the posteriors
    until all blocks are sent:
        code the block with the largest KL, and fix its latents
        fit the others for a few steps more

    Raises InputError for networks that overflow.
    """
    fit = start_fit(shared, pixels)
    fit.run(effort.first_steps, FIRST_RATE)
    count, blocks = len(pixels), len(shared.layout.lengths)
    codes = PictureCodes(
        np.zeros((count, len(shared.layout.dimensions)), np.int64),
        np.zeros((count, blocks), np.int64),
    )
    sent = torch.zeros((count, blocks), dtype=torch.bool, device=pixels.device)
    kl_bits = np.zeros(count)
    for left in range(blocks - 1, -1, -1):
        of_blocks = fit.block_bits()
        if not bool(torch.isfinite(of_blocks).all()):
            raise InputError(NOT_FINITE)
        most, chosen = of_blocks.masked_fill(sent, -torch.inf).max(1)
        kl_bits += most.double().cpu().numpy()
        for block in chosen.unique().tolist():
            items = (chosen == block).nonzero()[:, 0]
            _send_block(shared, fit, block, items, codes, effort)
            sent[items, block] = True
        if left:
            fit.run(effort.block_steps, BLOCK_RATE)
    return Sent(codes, kl_bits)


def start_fit(shared: Shared, pixels: Tensor) -> Fit:
    """The fit of some pictures before its first step."""
    start = guess(shared.encoder, torch.from_numpy(shared.information_bits), pixels)
    return Fit(shared.network, pixels, shared.layout, shared.budget_bits, *start, shared.log_beta)


def _send_block(
    shared: Shared, fit: Fit, block: int, items: Tensor, codes: PictureCodes, effort: Effort
) -> None:
    """Code one block of some pictures, and fix its latents to what a receiver decodes."""
    layout = shared.layout
    latents = torch.from_numpy(layout.members[block]).to(fit.mean.device)
    at = items[:, None], latents
    target = on_grid(DiagonalGaussian(fit.mean[at], fit.log_scale[at].exp()))
    log2_n = coder_of(layout, block, 1).search_kl_bits(target) + effort.margin_bits
    log2_n = log2_n.ceil().clamp(MIN_LOG2_CANDIDATES, effort.max_log2_candidates).long()
    for exponent in log2_n.unique().tolist():
        some = (log2_n == exponent).nonzero()[:, 0]
        coder = coder_of(layout, block, 1 << exponent)
        part = DiagonalGaussian(target.mean[some], target.scale[some])
        found = cheapest_finishers(coder, shared.rank_code, part, shared.key, effort.keep)
        fit.fix(items[some], latents, to_float(coder.decode(found, shared.key)))
        rows = items[some].cpu().numpy()
        own = slice(layout.starts[block], layout.starts[block + 1])
        codes.bins[rows, own] = found.bins.cpu().numpy()
        codes.ranks[rows, block] = found.ranks.cpu().numpy()
