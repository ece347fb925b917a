"""One-dimensional targets with scale at most 1, and their stretch functions in closed form.

Their ratio r has a single mode, so that {r >= h} is an interval.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from recvae.rec import normal
from recvae.rec.stretch import CERTAIN_BITS, SMALLEST_SURVIVAL, SPREAD

NODES = 129


@dataclass(frozen=True, eq=False)
class Gaussian1D:
    """A batch of one-dimensional targets; the fields have a shape that broadcasts with z's.

    Args:
        mean: float64.
        scale: float64, at most 1.

    Raises:
        ValueError: if a scale is above 1.
    """

    mean: Tensor
    scale: Tensor

    def __post_init__(self) -> None:
        if not bool((self.scale <= 1).all()):
            raise ValueError("scale: got one above 1, need at most 1: the ratio must have one mode")

    def __getitem__(self, items: Tensor) -> "Gaussian1D":
        return Gaussian1D(self.mean[items], self.scale[items])

    @property
    def mode(self) -> Tensor:
        """The maximiser of r; infinite for scale 1, but 0 if the mean is 0 too."""
        return normal.mode(self.mean, self.scale)

    def log2_ratio(self, z: Tensor) -> Tensor:
        """log2 q(z) / p(z), bits."""
        return normal.log2_ratio(z, self.mean, self.scale)

    def log2_sup(self) -> Tensor:
        """log2 sup r over the range of the prior's grid, bits."""
        end = normal.reach()
        return self.log2_ratio(self.mode.clamp(-end, end))

    def slope(self, z: Tensor) -> Tensor:
        """d/dz ln r(z), nats."""
        return z - (z - self.mean) / self.scale.square()

    def far_end(self, z: Tensor) -> Tensor:
        """The end of {r >= r(z)} on the mean's side of the mode, times the sign of the mean.

        It grows with r(z), so a quantity that depends on z only through r(z) is a function of it.
        """
        sign = torch.where(self.mean < 0, -1.0, 1.0)
        z, mode = sign * z, sign * self.mode
        return torch.where(z <= mode, z, 2 * mode - z)


@dataclass(frozen=True, eq=False)
class StretchFunction1D:
    """log2 sigma - log2 r as a function of `Gaussian1D.far_end`, on equally spaced nodes.

    Args:
        gaussian: fields (batch,).
        bottom: (rows,) float64, the far end at the first node; below it the excess is nearly 0.
        step: (rows,) float64.
        table: (rows, NODES) float64, bits; CERTAIN_BITS at the last node, which is at sup r.
        row: (batch,) int64, the row of each item: equal targets share one.
    """

    gaussian: Gaussian1D
    bottom: Tensor
    step: Tensor
    table: Tensor
    row: Tensor

    def log2_sigma(self, z: Tensor) -> Tensor:
        """log2 sigma(r(z)) in bits, (batch,) float64 to the same."""
        row, last = self.row, self.table.shape[1] - 1
        place = ((self.gaussian.far_end(z) - self.bottom[row]) / self.step[row]).clamp(0, last)
        node = place.long().clamp_max(last - 1)
        start, stop = self.table[row, node], self.table[row, node + 1]
        return self.gaussian.log2_ratio(z) + (start + (place - node) * (stop - start))

    def __getitem__(self, items: Tensor) -> "StretchFunction1D":
        return StretchFunction1D(
            self.gaussian[items], self.bottom, self.step, self.table, self.row[items]
        )


def stretch_function_1d(gaussian: Gaussian1D) -> StretchFunction1D:
    """The stretch functions of Gaussians with fields (batch,).

    With {r >= r(x)} from x to its mirror image about the mode, S is a difference of normal CDFs.
    sigma = integral dr / S is summed by Simpson's rule, over x. Samples are within 2e-4 of the
    target in total variation, the cost of interpolation.
    """
    pairs = torch.stack((gaussian.mean.abs(), gaussian.scale), 1)
    pairs, row = pairs.unique(dim=0, return_inverse=True)
    mean, scale = pairs[:, :1], pairs[:, 1:]
    mirrored, end = Gaussian1D(mean, scale), normal.reach()
    bottom = (mean - SPREAD * scale).clamp_min(-end)
    step = (mirrored.mode.clamp_max(end) - bottom) / (NODES - 1)
    # All nodes but the last, where S = 0, and the points halfway between them.
    x = bottom + step / 2 * torch.arange(2 * NODES - 3, device=mean.device)
    image = (2 * mirrored.mode - x).clamp_max(end)
    log2_ratio = mirrored.log2_ratio(x)
    ratio = torch.exp2(log2_ratio)
    mass = normal.mass((x - mean) / scale, (image - mean) / scale)
    survival = (mass - ratio * normal.mass(x, image)).clamp_min(SMALLEST_SURVIVAL)
    rate = ratio * mirrored.slope(x) / survival
    simpson = step / 6 * (rate[:, :-1:2] + 4 * rate[:, 1::2] + rate[:, 2::2])
    # Where practically all r under P are above h, S(h) is 1 - h.
    start = -torch.log1p(-ratio[:, :1].clamp_max(1 - 2.0**-53))
    sigma = torch.cat((start, simpson), 1).cumsum(1)
    excess = torch.log2(sigma) - log2_ratio[:, ::2]
    table = torch.cat((excess, torch.full_like(mean, CERTAIN_BITS)), 1)
    # If r is 1 everywhere, sup r is 1.
    table = torch.where((mean == 0) & (scale == 1), CERTAIN_BITS, table)
    return StretchFunction1D(gaussian, bottom[:, 0], step[:, 0], table, row)
