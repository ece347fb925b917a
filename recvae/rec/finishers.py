"""A choice among the first finishers of a race, for senders that need a cheap sample."""

import torch
from torch import Tensor

from recvae.exact import to_float
from recvae.rec.code import Code
from recvae.rec.index_codes import IndexCode
from recvae.rec.orc import PartitionedORC
from recvae.rec.target import DiagonalGaussian

AT_ONCE = 1 << 20  # latents of candidates, compared at a time


def cheapest_finishers(
    coder: PartitionedORC, code: IndexCode, target: DiagonalGaussian, key: int | Tensor, keep: int
) -> Code:
    """Among the `keep` first finishers of each race, the largest log2 q/p minus rank bits.

    Where a posterior is proportional to the prior times exp(-distortion / lambda), this one has the
    least distortion + lambda * rate.

    Returns:
        bins (batch, dim) and ranks (batch,).
    """
    keep = min(keep, coder.num_candidates)
    step = max(1, AT_ONCE // (keep * target.dim))
    found = []
    for start in range(0, target.batch, step):
        items = slice(start, start + step)
        keys = key[items] if isinstance(key, Tensor) else key
        best, _ = coder.encode_best(target[items], keys, torch.Generator(), keep)
        z = to_float(coder.decode(best, keys), torch.float64).transpose(0, 1)
        gain_bits = target[items].log2_ratio(z).T - code.bits(best.ranks)
        choice = gain_bits.argmax(dim=1)
        found.append(best[torch.arange(len(choice)), choice])
    return Code(torch.cat([c.bins for c in found]), torch.cat([c.ranks for c in found]))
