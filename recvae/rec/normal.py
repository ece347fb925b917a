"""One-dimensional normal laws against the prior N(0, 1): ratios, masses and the end of the grid.

Units are bits where a name says log2. Arguments are float64 tensors that broadcast.
"""

import math
from functools import cache

import torch
from torch import Tensor

from recvae.exact.gaussian import FRACTION_BITS, gaussian_table

LOG2_E = math.log2(math.e)


@cache
def reach() -> float:
    """The largest z of the prior's grid, `exact.gaussian`: a little above 6.3."""
    return int(gaussian_table()[0]) * 2.0**-FRACTION_BITS


def interval_edges(intervals: int, device: torch.device) -> Tensor:
    """Edges Phi^-1(b / J) of J intervals of equal prior mass, (J + 1,) float64, infinite ends."""
    steps = torch.arange(intervals + 1, dtype=torch.float64, device=device)
    return torch.special.ndtri(steps / intervals)


def log2_ratio(z: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """log2 of q(z) / p(z), Q = N(mean, scale^2)."""
    return LOG2_E / 2 * (z.square() - ((z - mean) / scale).square()) - torch.log2(scale)


def mode(mean: Tensor, scale: Tensor) -> Tensor:
    """The maximiser of q / p, for scales of at most 1.

    For scale 1 it is infinite, but 0 if the mean is 0.
    """
    return torch.where(mean == 0, mean, mean / ((1 - scale) * (1 + scale)))


def log2_sup_ratio(mean: Tensor, scale: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """The maximum of log2 q(z) / p(z) over z in [lower, upper]."""
    ends = torch.maximum(log2_ratio(lower, mean, scale), log2_ratio(upper, mean, scale))
    peak = mode(mean, scale)
    inside = (scale < 1) & (lower < peak) & (peak < upper)
    return torch.where(inside, log2_ratio(peak, mean, scale), ends)


def mass(lower: Tensor, upper: Tensor) -> Tensor:
    """Phi(upper) - Phi(lower), accurate in both tails."""
    lower, upper = _in_lower_tail(lower, upper)
    return torch.special.ndtr(upper) - torch.special.ndtr(lower)


def log2_mass(lower: Tensor, upper: Tensor) -> Tensor:
    """log2 of Phi(upper) - Phi(lower), accurate far into both tails."""
    lower, upper = _in_lower_tail(lower, upper)
    log_upper = torch.special.log_ndtr(upper)
    return LOG2_E * (log_upper + _log1mexp(torch.special.log_ndtr(lower) - log_upper))


def _in_lower_tail(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """The interval or its mirror image, since in the upper tail CDFs round to 1."""
    mirror = lower + upper > 0
    return torch.where(mirror, -upper, lower), torch.where(mirror, -lower, upper)


def _log1mexp(x: Tensor) -> Tensor:
    """log(1 - e^x) for x <= 0, by whichever of its two forms is accurate (Maechler, 2012)."""
    return torch.where(x > -math.log(2), torch.log(-torch.expm1(x)), torch.log1p(-torch.exp(x)))
