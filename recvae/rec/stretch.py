"""The stretch function of greedy Poisson rejection sampling, tabulated.

With r = dQ/dP and w_X(h) = Prob_X[r >= h] it is the sigma that solves

    (sigma^-1)' = w_Q(sigma^-1) - sigma^-1 w_P(sigma^-1),   sigma^-1(0) = 0,

that is sigma(h) = integral_0^h dg / S(g) with the survival S(g) = w_Q(g) - g w_P(g): the search is
still running at time sigma(g) with probability S(g). S falls from 1 to 0 at sup r, where sigma
becomes infinite; for small h, sigma(h) is h. An error of sigma at g changes the law of the samples
by at most its relative size times S(g): with these tables by less than 5e-5 in total variation
in one dimension, and by about 5e-4 in 256 dimensions of 183 bits in all.

Source: Flamich, "Greedy Poisson rejection sampling" (NeurIPS 2023), section 3.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from recvae.rec import normal
from recvae.rec.normal import LOG2_E
from recvae.rec.target import DiagonalGaussian, require_on_grid

# Stands for infinity in tables: with infinity, interpolation could evaluate 0 * inf.
CERTAIN_BITS = 2.0**20

NODES = 1 << 13
MIN_STEP_BITS = 2.0**-40
MAX_RANGE_BITS = 512
# log2 of the mass under Q that the grid of log2 r may miss at each end.
MISSED_LOG2_MASS = -30.0

# Each dimension of a target is cut into atoms, over this many scales to either side of its mean.
ATOMS = 256
SPREAD = 7.0

SMALLEST_SURVIVAL = 2.0**-60
SMALLEST_FALL = 1e-12


@dataclass(frozen=True, eq=False)
class StretchFunction:
    """log2 sigma as a function of log2 r, on equally spaced nodes.

    Node j of row i is at log2 r = bottom[i] + j step[i]; the last one is at sup r, or where less
    than 2^-30 of Q is above. Between nodes log2 sigma is linear; below the first it has
    slope 1; from the last on it is infinite.

    Args:
        bottom: (rows,) float64, bits.
        step: (rows,) float64, bits, positive.
        table: (rows, NODES) float64, log2 sigma in bits; about CERTAIN_BITS at the last.
        row: (batch,) int64, the row of each item: equal targets share one.
    """

    bottom: Tensor
    step: Tensor
    table: Tensor
    row: Tensor

    def log2_sigma(self, log2_ratio: Tensor) -> Tensor:
        """log2 sigma(r) in bits, infinite from sup r on: (batch, n) float64 to the same."""
        last, row = self.table.shape[1] - 1, self.row[:, None]
        height = log2_ratio - self.bottom[row]
        place = height / self.step[row]
        entry = place.clamp(0, last - 1).long()
        start = self.table[row, entry]
        inside = start + (place - entry) * (self.table[row, entry + 1] - start)
        below = self.table[row, 0] + height
        return torch.where(place <= 0, below, torch.where(place >= last, torch.inf, inside))

    def __getitem__(self, items: Tensor | slice) -> "StretchFunction":
        return StretchFunction(self.bottom, self.step, self.table, self.row[items])


@torch.no_grad()
def stretch_function(target: DiagonalGaussian) -> StretchFunction:
    """The stretch function of each target.

    The law of log2 r under Q is that of a sum over dimensions: each dimension is cut into atoms,
    which are placed on a grid, and the grids are convolved. sigma is exact for the law on the grid.

    Raises:
        ValueError: if the prior's grid cannot represent a target, or log2 r spreads over more than
            512 bits.
    """
    require_on_grid(target)
    pairs = torch.stack((target.mean, target.scale), 1).double()
    pairs, row = pairs.unique(dim=0, return_inverse=True)
    bottom, step = (pairs.new_empty(len(pairs)) for _ in range(2))
    table = pairs.new_empty((len(pairs), NODES))
    # One by one, as the last bits of sums and transforms could depend on the rest of the batch.
    for n, (mean, scale) in enumerate(pairs):
        bottom[n], step[n], table[n] = _tabulate(mean, scale)
    return StretchFunction(bottom, step, table, row)


def _tabulate(mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bottom, step and table row of one target, (dim,)."""
    log2_ratio, mass = _atoms(mean, scale)
    bottom, top = _bounds(log2_ratio, mass)
    end = torch.full_like(mean, normal.reach())
    top = torch.minimum(top, normal.log2_sup_ratio(mean, scale, -end, end).sum())
    spread = float(top - bottom)
    if not spread <= MAX_RANGE_BITS:
        needed = f"at most {MAX_RANGE_BITS}"
        raise ValueError(f"target: got log2 ratios over {spread:.0f} bits, need {needed}")
    step = ((top - bottom) / (NODES - 1)).clamp_min(MIN_STEP_BITS)
    bottom = top - step * (NODES - 1)
    return bottom, step, bottom + _integrate(_convolve(log2_ratio, mass, bottom, step), step)


def _atoms(mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """log2 r and mass under Q of each dimension's atoms, (dim, ATOMS): the midpoint rule."""
    end = normal.reach()
    mean, scale = mean[:, None], scale[:, None]
    low, high = ((mean + side * scale).clamp(-end, end) for side in (-SPREAD, SPREAD))
    width = (high - low) / ATOMS
    z = low + width * (torch.arange(ATOMS, dtype=torch.float64, device=mean.device) + 0.5)
    density = torch.exp(-((z - mean) / scale).square() / 2) / (scale * math.sqrt(2 * math.pi))
    return normal.log2_ratio(z, mean, scale), density * width


def _bounds(log2_ratio: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """Chernoff bounds of the sum over dimensions: less than 2^-30 of Q is outside.

    The exponents of the lower one are at least 1, so that h P[r < h] is below 2^-30 there as well.
    """
    log_mass = torch.log(mass)

    def log2_moment(exponent: float) -> Tensor:
        log_terms = log_mass + exponent / LOG2_E * log2_ratio
        return torch.logsumexp(log_terms, -1).sum() * LOG2_E

    tops = [(log2_moment(4.0**k) - MISSED_LOG2_MASS) / 4.0**k for k in range(-1, 6)]
    bottoms = [(MISSED_LOG2_MASS - log2_moment(-(4.0**k))) / 4.0**k for k in range(6)]
    lowest = log2_ratio.amin(-1).sum()
    return torch.stack([*bottoms, lowest]).amax(), torch.stack(tops).amin()


def _convolve(log2_ratio: Tensor, mass: Tensor, bottom: Tensor, step: Tensor) -> Tensor:
    """Masses under Q of the nodes of log2 r's grid, (NODES,).

    An atom is split between the two nodes around it such that neither its mass under Q nor that
    under P, 2^-log2 r times as much, changes. Mass outside the grid wraps around.
    """
    origin = torch.zeros_like(log2_ratio[:, :1])
    origin[0] = bottom
    place = (log2_ratio - origin) / step
    node = torch.floor(place)
    share = torch.expm1((node - place) * step / LOG2_E) / torch.expm1(-step / LOG2_E)
    grids = torch.zeros((len(mass), NODES), dtype=torch.float64, device=mass.device)
    grids.scatter_add_(1, node.long() % NODES, mass * (1 - share))
    grids.scatter_add_(1, (node.long() + 1) % NODES, mass * share)
    return torch.fft.irfft(torch.fft.rfft(grids).prod(0), NODES).clamp_min(0)


def _integrate(masses: Tensor, step: Tensor) -> Tensor:
    """log2 sigma at the nodes, minus bottom, for the law with these masses under Q, (NODES,).

    S is linear between nodes, so the integral of 1 / S is elementary. All sums have positive terms:
    with A_j = r_j P[r >= r_j], S_j = S_{j+1} + (1 - 2^-step) A_{j+1}.
    """
    height = torch.arange(NODES, device=masses.device) * step
    ratio = torch.exp2(height)  # in units of 2^bottom
    above = _sum_from_above(masses / ratio) * ratio
    falls = -torch.expm1(-step / LOG2_E) * above[1:]
    survival = _sum_from_above(falls).clamp_min(SMALLEST_SURVIVAL)  # at all nodes but the last
    # The first cell extends to r = 0, where S is 1.
    falls = torch.cat((1 - survival[:1], falls[:-1]))
    relative_falls = (falls / survival).clamp_min(SMALLEST_FALL)
    mean_inverse = torch.log1p(relative_falls) / relative_falls / survival
    sigma = (torch.diff(ratio[:-1], prepend=torch.zeros_like(ratio[:1])) * mean_inverse).cumsum(0)
    return torch.cat((torch.log2(sigma), torch.full_like(sigma[:1], CERTAIN_BITS)))


def _sum_from_above(x: Tensor) -> Tensor:
    return x.flip(0).cumsum(0).flip(0)
