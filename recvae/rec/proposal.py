"""The sender's proposal P': the prior, reweighted so that candidates fall where the target is.

P'(z) = J * prod_d pi_d(bin_d(z)) * p(z), with weights pi_d rounded to positive multiples of 2^-32.
The score log2 q/p' uses the rounded weights, so rounding is harmless.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from recvae.exact.gaussian import FRACTION_BITS
from recvae.rec import normal
from recvae.rec.normal import LOG2_E
from recvae.rec.partition import Partition
from recvae.rec.target import DiagonalGaussian

Weights: TypeAlias = Literal["mass", "sup"]
"""pi_d(b) proportional to Q_d(B_b), which minimises KL[Q||P'], or to sup_{B_b} q_d / p_d, which
minimises D_inf[Q||P']."""

WEIGHT_BITS = 32


@dataclass(frozen=True, eq=False)
class Proposal:
    """Tables for drawing and scoring candidates, for each item.

    log2 q/p' = base + sum_d step_bits[d, b_d] + sum_d s (quadratic s + linear), s = z - center.
    The two tables hold the intervals of the cut dimensions, one dimension after another.

    Args:
        partition: the partition that the weights belong to.
        bin_cdf: (batch, total) int64. The entry of interval b of the d-th cut dimension is
            d * 2^32 + 2^32 * pi_d(the intervals below it): one sorted row for all dimensions.
        step_bits: (batch, total) float64, -log2(J_d pi_d(b)).
        base: (batch,) float64, bits.
        center: (batch, dim) float64, the target's mean in units of 2^-28.
        quadratic: (batch, dim) float64, bits per squared unit of 2^-28.
        linear: (batch, dim) float64, bits per unit of 2^-28.
    """

    partition: Partition
    bin_cdf: Tensor
    step_bits: Tensor
    base: Tensor
    center: Tensor
    quadratic: Tensor
    linear: Tensor

    def __getitem__(self, items: Tensor | slice) -> "Proposal":
        tensors = [getattr(self, field.name)[items] for field in fields(self)[1:]]
        return Proposal(self.partition, *tensors)

    def draw_bins(self, uniforms: Tensor) -> Tensor:
        """Bins by inverse CDF: (batch, n, cut) int64 in [0, 2^32) to flat bins (batch, n) int64."""
        numbers = torch.zeros(uniforms.shape[:2], dtype=torch.int64, device=uniforms.device)
        for position, (d, start) in enumerate(_cut_offsets(self.partition)):
            values = uniforms[:, :, position] + (position << WEIGHT_BITS)
            entry = torch.searchsorted(self.bin_cdf, values.contiguous(), right=True) - 1
            numbers += (entry - start) * self.partition.strides[d]
        return numbers

    def log2_ratio(self, bins: Tensor, z: Tensor) -> Tensor:
        """log2 q/p' of candidates.

        Args:
            bins: (batch, n, dim) int64.
            z: (batch, n, dim) int64, units of 2^-28.

        Returns:
            (batch, n) float64, bits. The order of summation is fixed: the result for a candidate
            does not depend on the rest of the tensors.
        """
        score = self.base[:, None].expand(z.shape[:2])
        for d, start in _cut_offsets(self.partition):
            score = score + self.step_bits.gather(1, start + bins[:, :, d])
        for d in range(self.partition.dim):
            s = z[:, :, d].double() - self.center[:, d, None]
            score = score + s * (self.quadratic[:, d, None] * s + self.linear[:, d, None])
        return score

    def weight_bits(self) -> Tensor:
        """sum_d of E_Q[-log2(J_d pi_d)], (batch,) float64: KL[Q||P'] - KL[Q||P] in bits."""
        end = len(self.partition.cut_dimensions) << WEIGHT_BITS
        masses = torch.diff(self.bin_cdf, append=torch.full_like(self.bin_cdf[:, :1], end))
        return (masses.double() * 2.0**-WEIGHT_BITS * self.step_bits).sum(1)


def propose(target: DiagonalGaussian, partition: Partition, weights: Weights = "mass") -> Proposal:
    """The proposal for each item of a batch."""
    mean, scale = target.mean.double(), target.scale.double()
    bin_cdf, step_bits = _interval_tables(mean, scale, partition, weights)
    constant = LOG2_E / 2 * mean.square() - torch.log2(scale)
    base = torch.zeros_like(constant[:, 0])
    for d in range(partition.dim):
        base = base + constant[:, d]
    unit = 2.0**-FRACTION_BITS
    return Proposal(
        partition=partition,
        bin_cdf=bin_cdf,
        step_bits=step_bits,
        base=base,
        center=mean / unit,
        quadratic=LOG2_E / 2 * (1 - scale.reciprocal().square()) * unit**2,
        linear=LOG2_E * mean * unit,
    )


def log2_sup_ratio(target: DiagonalGaussian, proposal: Proposal) -> Tensor:
    """D_inf[Q||P'], the maximum of log2 q/p' on the prior's grid, (batch,) float64 in bits."""
    mean, scale = target.mean.double(), target.scale.double()
    offsets = dict(_cut_offsets(proposal.partition))
    top = torch.zeros_like(proposal.base)
    for d, count in enumerate(proposal.partition.intervals):
        lower, upper = sampled_ranges(count, mean.device)
        sup = normal.log2_sup_ratio(mean[:, d, None], scale[:, d, None], lower, upper)
        if d in offsets:
            sup = sup + proposal.step_bits[:, offsets[d] : offsets[d] + count]
        top = top + sup.amax(1)
    return top


def sampled_ranges(intervals: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Ends of the range of samples in each interval, (intervals,) float64 each.

    Slightly too wide: the prior's table is within 2^-20 of the quantiles.
    """
    edges = normal.interval_edges(intervals, device).clamp(-normal.reach(), normal.reach())
    return edges[:-1] - 2.0**-18, edges[1:] + 2.0**-18


def _interval_tables(
    mean: Tensor, scale: Tensor, partition: Partition, weights: Weights
) -> tuple[Tensor, Tensor]:
    """bin_cdf and step_bits of a Proposal, both (batch, total)."""
    if not partition.cut_dimensions:
        empty = mean[:, :0]
        return empty.long(), empty
    cuts = _intervals(partition, mean.device)
    mean, scale = mean[:, cuts.dimension], scale[:, cuts.dimension]
    if weights == "mass":
        below = torch.special.ndtr((cuts.edge - mean) / scale)
    else:
        sup = normal.log2_sup_ratio(mean, scale, cuts.lower, cuts.upper)
        sizes = [partition.intervals[d] for d in partition.cut_dimensions]
        below = torch.cat([_below(part) for part in sup.split(sizes, dim=1)], dim=1)
    # Each interval first gets 2^-32, so that no bin of the target is unreachable.
    spread = (1 << WEIGHT_BITS) - cuts.count
    bin_cdf = (below * spread.double()).long() + cuts.number
    # libm's CDF need not be monotone in its last bit.
    start = (cuts.position << WEIGHT_BITS) - cuts.number
    bin_cdf = torch.cummax(bin_cdf + start, dim=1).values + cuts.number
    end = torch.full_like(bin_cdf[:, :1], len(partition.cut_dimensions) << WEIGHT_BITS)
    masses = torch.diff(bin_cdf, append=end)
    step_bits = WEIGHT_BITS - torch.log2((masses * cuts.count).double())
    return bin_cdf, step_bits


@dataclass(frozen=True, eq=False)
class _Intervals:
    """The intervals of the cut dimensions, one dimension after another, each field (total,).

    Args:
        position: index of the dimension among those that are cut.
        dimension: its index among all dimensions.
        count: J_d, its number of intervals.
        number: index of the interval, below J_d.
        edge: its lower end.
        lower, upper: range of the samples in it, see `sampled_ranges`.
    """

    position: Tensor
    dimension: Tensor
    count: Tensor
    number: Tensor
    edge: Tensor
    lower: Tensor
    upper: Tensor


@lru_cache(maxsize=64)
def _intervals(partition: Partition, device: torch.device) -> _Intervals:
    """The intervals of a partition, made once for all batches."""
    columns = []
    with torch.inference_mode(False):  # tensors made in that mode cannot take part in gradients
        for position, d in enumerate(partition.cut_dimensions):
            count = partition.intervals[d]
            number = torch.arange(count, device=device)
            numbers = (torch.full_like(number, value) for value in (position, d, count))
            edge = normal.interval_edges(count, device)[:-1]
            columns.append((*numbers, number, edge, *sampled_ranges(count, device)))
        return _Intervals(*map(torch.cat, zip(*columns, strict=True)))


def _below(log2_weights: Tensor) -> Tensor:
    """Share of the weights before each: (batch, n) in bits to (batch, n) in [0, 1]."""
    weights = torch.exp2(log2_weights - log2_weights.amax(1, keepdim=True))
    before = weights.cumsum(1) - weights
    return (before / weights.sum(1, keepdim=True)).clamp(0, 1)


def _cut_offsets(partition: Partition) -> list[tuple[int, int]]:
    """Each cut dimension with the column of its first interval in the tables."""
    sizes = [partition.intervals[d] for d in partition.cut_dimensions]
    return [(d, sum(sizes[:i])) for i, d in enumerate(partition.cut_dimensions)]
