"""The target Q of relative entropy coding: a diagonal Gaussian, coded against P = N(0, I)."""

import math
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from recvae.exact.gaussian import FRACTION_BITS, POSITION_BITS
from recvae.rec import normal
from recvae.rec.devices import all_hold

# Beyond this, squares and their products would leave the range of float64.
MAX_LOG2_MAGNITUDE = 100

MIN_POSITIONS_PER_SCALE = 32


@dataclass(frozen=True, eq=False)
class DiagonalGaussian:
    """A batch of targets Q = N(mean, diag(scale^2)).

    Args:
        mean: (batch, dim) float32 or float64, magnitudes at most 2^100.
        scale: standard deviations, like mean, in [2^-100, 2^100].

    Raises:
        ValueError: if the tensors are invalid.
    """

    mean: Tensor
    scale: Tensor

    def __post_init__(self) -> None:
        mean, scale = self.mean, self.scale
        if mean.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"mean: got {mean.dtype}, need torch.float32 or torch.float64")
        if mean.dim() != 2 or mean.shape[1] == 0:
            raise ValueError(f"mean: got shape {tuple(mean.shape)}, need (batch, dim)")
        for field in ("dtype", "shape", "device"):
            given, needed = getattr(scale, field), getattr(mean, field)
            if given != needed:
                raise ValueError(f"scale: got {field} {given}, need mean's, {needed}")
        limit = 2.0**MAX_LOG2_MAGNITUDE
        mean_fits, scale_fits = all_hold(
            mean.abs() <= limit, (scale >= 1 / limit) & (scale <= limit)
        )
        if not mean_fits:
            raise ValueError("mean: got values not finite or above 2^100, need less")
        if not scale_fits:
            raise ValueError("scale: got values not in [2^-100, 2^100], need positive, finite ones")

    @property
    def batch(self) -> int:
        """Number of items."""
        return self.mean.shape[0]

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return self.mean.shape[1]

    def __getitem__(self, index: slice | tuple[slice, Tensor]) -> "DiagonalGaussian":
        """Some items, or some dimensions of them; values are not checked again."""
        part = copy(self)
        vars(part).update(mean=self.mean[index], scale=self.scale[index])
        return part

    def relative_to(self, prior: "DiagonalGaussian") -> "DiagonalGaussian":
        """This target in coordinates where the prior is N(0, I), as coders need it.

        With `relative = target.relative_to(prior)`, KL[Q||prior] is `relative.kl_bits()`, and a
        decoded sample z of `relative` represents `prior.mean + prior.scale * z`. Sender and
        receiver must know the prior; they agree exactly on z, and on what it represents as closely
        as on the prior.

        Args:
            prior: (batch, dim), or (1, dim) for all items.

        Returns:
            (batch, dim), float64.

        Raises:
            ValueError: if the prior has another shape, or the result leaves a target's range.
        """
        if prior.dim != self.dim or prior.batch not in (1, self.batch):
            given = (prior.batch, prior.dim)
            raise ValueError(f"prior: got shape {given}, need (1 or {self.batch}, {self.dim})")
        mean = (self.mean.double() - prior.mean.double()) / prior.scale.double()
        return DiagonalGaussian(mean, self.scale.double() / prior.scale.double())

    def kl_bits(self) -> Tensor:
        """KL[Q||P] of each dimension in bits, (batch, dim) float64."""
        mean, scale = self.mean.double(), self.scale.double()
        return normal.LOG2_E / 2 * (mean.square() + scale.square() - 1) - torch.log2(scale)

    def log2_ratio(self, z: Tensor) -> Tensor:
        """log2 q(z) / p(z) of floating-point samples.

        Args:
            z: (batch, dim) or (n, batch, dim).

        Returns:
            (batch,) or (n, batch) float64, bits.
        """
        return normal.log2_ratio(z.double(), self.mean.double(), self.scale.double()).sum(-1)

    def log2_interval_masses(self, dimension: int, intervals: int) -> Tensor:
        """log2 Q_d(B_b) of the intervals of equal prior mass, accurate far into both tails.

        Returns:
            (batch, intervals) float64, bits.
        """
        edges = normal.interval_edges(intervals, self.mean.device)
        mean = self.mean[:, dimension, None].double()
        scale = self.scale[:, dimension, None].double()
        return normal.log2_mass((edges[:-1] - mean) / scale, (edges[1:] - mean) / scale)


def require_on_grid(target: DiagonalGaussian) -> None:
    """Refuse targets that the prior's grid cannot represent as accurately as an exact coder needs.

    Samples are restricted to the 2^32 positions of `exact.gaussian`. A target keeps its law on them
    if it extends no further (its mass beyond is then below 2^-16) and is not so narrow that single
    positions matter.

    Raises:
        ValueError: if a dimension of an item is too far out or too narrow.
    """
    mean, scale = target.mean.double().abs(), target.scale.double()
    density = torch.exp(-(mean + 2 * scale).square() / 2) / math.sqrt(2 * math.pi)
    positions = scale * (density * 2.0**POSITION_BITS).clamp_max(2.0**FRACTION_BITS)
    # 4.4 standard deviations on each side hold all but 2^-16.
    within, wide = all_hold(
        mean + 4.4 * scale <= normal.reach(), positions >= MIN_POSITIONS_PER_SCALE
    )
    if not within:
        needed = f"|mean| + 4.4 scale of at most {normal.reach():.2f}, where its samples end"
        raise ValueError(f"mean: got a target too far out for an exact coder, need {needed}")
    if not wide:
        needed = f"{MIN_POSITIONS_PER_SCALE} positions of the prior's grid within one scale"
        raise ValueError(f"scale: got a target too narrow for an exact coder, need {needed}")


def on_grid(target: DiagonalGaussian) -> DiagonalGaussian:
    """The target moved to the range of exact coders, float64: see `require_on_grid`.

    Scales are clamped to 2^-23 to 1, the most that coders of one dimension take; then means are
    moved towards 0 as far as the grid requires for that scale. Encoders exceed both slightly, for a
    mean far out or a dimension that carries nothing; on images unlike the training set they may
    exceed them by far.
    """
    narrowest = MIN_POSITIONS_PER_SCALE * 2.0**-FRACTION_BITS
    scale = target.scale.double().clamp(narrowest, 1.0)
    # How far out the grid still has MIN_POSITIONS_PER_SCALE, two scales beyond the mean.
    positions = 2.0**POSITION_BITS / (MIN_POSITIONS_PER_SCALE * math.sqrt(2 * math.pi)) * scale
    dense_to = torch.sqrt(2 * torch.log(positions)) - 2 * scale
    limit = torch.minimum(normal.reach() - 4.4 * scale, dense_to) * (1 - 1e-9)
    return DiagonalGaussian(target.mean.double().clamp(-limit, limit), scale)
