"""Maximum mean discrepancy of samples from N(0, I), with the closed forms of a Gaussian kernel.

Source: Gretton et al., "A kernel two-sample test" (JMLR 2012), lemma 6; here the second sample is
replaced by its expectation.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ROWS = 256  # of the kernel's matrix, held at once


@dataclass(frozen=True)
class SquaredMMD:
    """An estimate of MMD^2, dimensionless and possibly negative, and its standard error."""

    value: float
    standard_error: float


def median_bandwidth(dim: int) -> float:
    """Median distance of two points of N(0, I): that of chi sqrt(2), by Wilson and Hilferty."""
    return math.sqrt(2 * dim * (1 - 2 / (9 * dim)) ** 3)


def squared_mmd(x: Tensor, bandwidth: float) -> SquaredMMD:
    """Unbiased estimate of MMD^2 between the law of samples and N(0, I).

        k(x, y) = exp(-|x - y|^2 / (2 h^2))
        mu(x) = E_y k(x, y) = (h^2 / (h^2 + 1))^(D/2) exp(-|x|^2 / (2 (h^2 + 1)))
        c = E_yy' k(y, y') = (h^2 / (h^2 + 2))^(D/2)
        MMD^2 = mean over i != j of k(x_i, x_j) - mu(x_i) - mu(x_j) + c

    Args:
        x: (n, dim) samples, n at least 2; time grows with n^2.
        bandwidth: h.
    """
    n, dim = x.shape
    square = bandwidth**2
    norms = x.double().square().sum(1)
    mu = (square / (square + 1)) ** (dim / 2) * torch.exp(-norms / (2 * (square + 1)))
    constant = (square / (square + 2)) ** (dim / 2)
    sums, square_sums = _kernel_sums((x / bandwidth).float())
    # Centred: k(x_i, x_j) - mu(x_i) - mu(x_j) + c, its mean over j for each i.
    projections = (sums - mu.sum() + mu) / (n - 1) - mu + constant
    # The remaining variance, if the samples were from N(0, I).
    noise = float((square_sums / (n - 1)).mean() - 2 * mu.square().mean() + constant**2)
    # Hoeffding's decomposition; the noise of the means over j is subtracted.
    signal = max(float(projections.var()) - noise / n, 0.0)
    return SquaredMMD(float(projections.mean()), math.sqrt(4 * signal / n + 2 * noise / n**2))


def _kernel_sums(x: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of exp(-|x_i - x_j|^2 / 2) and of its square over j other than i, (n,) float64 each."""
    half = x.square().sum(1) / 2
    sums, square_sums = [], []
    for rows in torch.arange(len(x)).split(ROWS):
        kernel = torch.addmm(-half, x[rows], x.T).sub_(half[rows, None]).exp_()
        sums.append(kernel.sum(1, dtype=torch.float64) - 1)
        square_sums.append(kernel.square_().sum(1, dtype=torch.float64) - 1)
    return torch.cat(sums), torch.cat(square_sums)
