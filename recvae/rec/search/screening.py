"""The float32 terms with which compiled backends screen candidates, and their error."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from recvae.exact.gaussian import FRACTION_BITS, MANTISSA_BITS, gaussian_table
from recvae.rec.normal import reach
from recvae.rec.proposal import WEIGHT_BITS, Proposal

EPSILON = 2.0**-23  # of float32; twice the error of an operation
TABLE_ROUNDINGS = 16  # of z, its difference from the center and the polynomial
LARGEST_LOG2_TIME = 64
LARGEST_SIZE = 2.0**126  # beyond this float32 might overflow


@cache
def quantile_pieces() -> np.ndarray:
    """The Gaussian table in floats: |z| = start - slope (t + 1/2) between an entry and the next.

    Start and slope of each entry, (entries, 2) float32.
    """
    magnitudes = gaussian_table() * 2.0**-FRACTION_BITS
    entries = np.arange(len(magnitudes))
    steps = 1 << MANTISSA_BITS
    heights = (1 + entries % steps / steps) * 2.0 ** (entries // steps - 1)
    slopes = np.append(-np.diff(magnitudes) / np.diff(heights), 0.0)
    return np.stack([magnitudes + slopes * heights, slopes], axis=1).astype(np.float32)


def screening_terms(proposal: Proposal) -> tuple[Tensor, Tensor]:
    """The float32 terms for screening candidates, z in units of 1, and a bound on their error.

    Returns center, quadratic and linear, (batch, dim, 3); a bound on the error in log2 q/p',
    (batch,) float64 in bits.
    """
    unit = 2.0**-FRACTION_BITS
    center, linear = proposal.center * unit, proposal.linear / unit
    quadratic = proposal.quadratic / unit**2
    farthest = reach() + center.abs()
    terms = (farthest * (quadratic.abs() * farthest + linear.abs())).sum(1)
    dim, cut = proposal.partition.dim, len(proposal.partition.cut_dimensions)
    size = proposal.base.abs() + WEIGHT_BITS * cut + 2 * terms + LARGEST_LOG2_TIME
    error = EPSILON * (3 * dim + TABLE_ROUNDINGS) * size
    error = torch.where(size < LARGEST_SIZE, error, torch.inf)
    return torch.stack([center, quadratic, linear], dim=2).float(), error
