"""The coders of one dimension at a time, and targets for them."""

import torch

from recvae.rec import DiagonalGaussian
from recvae.rec.branch_and_bound import AStar, BranchAndBoundGPRS

CODERS = (AStar, BranchAndBoundGPRS)


def repeated(mean, scale, batch: int, dtype=torch.float64) -> DiagonalGaussian:
    row = (torch.tensor(x, dtype=dtype).reshape(1, -1) for x in (mean, scale))
    return DiagonalGaussian(*(x.expand(batch, -1).contiguous() for x in row))
