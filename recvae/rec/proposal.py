"""The sender's proposal P': the prior, reweighted so that candidates fall where the target is.

P'(z) = J * prod_d pi_d(bin_d(z)) * p(z) with pi_d(b) = Q_d(B_b) rounded to multiples of 2^-32. The
score log2 q/p' is taken with the rounded weights, so rounding costs nothing but the bins whose
weight it takes to zero (a mass of at most 2^-33 each).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from recvae.exact.gaussian import FRACTION_BITS
from recvae.rec.partition import Partition
from recvae.rec.target import LOG2_E, DiagonalGaussian, interval_edges

WEIGHT_BITS = 32


@dataclass(frozen=True, eq=False)
class Proposal:
    """Everything that drawing and scoring candidates needs, tabulated for each item.

    log2 q/p' = base + sum_d step_bits[d, b_d] + sum_d s (quadratic s + linear), s = z - center.
    The two tables hold the intervals of the cut dimensions, one dimension after another.

    Args:
        partition: the partition that the weights belong to.
        ladder: (batch, total) int64. The entry of interval b of the d-th cut dimension is
            d * 2^32 + round(2^32 * Q_d(z below the interval)): one sorted row for all dimensions.
        step_bits: (batch, total) float64, -log2(J_d pi_d(b)).
        base: (batch,) float64, bits.
        center: (batch, dim) float64, the target's mean in units of 2^-28.
        quadratic: (batch, dim) float64, bits per squared unit of 2^-28.
        linear: (batch, dim) float64, bits per unit of 2^-28.
    """

    partition: Partition
    ladder: Tensor
    step_bits: Tensor
    base: Tensor
    center: Tensor
    quadratic: Tensor
    linear: Tensor

    def draw_bins(self, uniforms: Tensor) -> Tensor:
        """Bins by inverse CDF: (batch, n, cut) int64 in [0, 2^32) to flat bins (batch, n) int64."""
        numbers = torch.zeros(uniforms.shape[:2], dtype=torch.int64, device=uniforms.device)
        for position, (d, start) in enumerate(_cut_offsets(self.partition)):
            values = uniforms[:, :, position] + (position << WEIGHT_BITS)
            entry = torch.searchsorted(self.ladder, values.contiguous(), right=True) - 1
            numbers += (entry - start) * self.partition.strides[d]
        return numbers

    def log2_ratio(self, bins: Tensor, z: Tensor) -> Tensor:
        """log2 q/p' of candidates.

        Args:
            bins: (batch, n, dim) int64.
            z: (batch, n, dim) int64, units of 2^-28.

        Returns:
            (batch, n) float64, bits. Always summed in the same order: the result for a candidate
            does not depend on what else is in the tensors.
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
        masses = torch.diff(self.ladder, append=torch.full_like(self.ladder[:, :1], end))
        return (masses.double() * 2.0**-WEIGHT_BITS * self.step_bits).sum(1)


def propose(target: DiagonalGaussian, partition: Partition) -> Proposal:
    """The proposal with pi_d(b) = Q_d(B_b), which minimises KL[Q||P']."""
    mean, scale = target.mean.double(), target.scale.double()
    ladder, step_bits = _interval_tables(mean, scale, partition)
    constant = LOG2_E / 2 * mean.square() - torch.log2(scale)
    base = torch.zeros_like(constant[:, 0])
    for d in range(partition.dim):
        base = base + constant[:, d]
    unit = 2.0**-FRACTION_BITS
    return Proposal(
        partition=partition,
        ladder=ladder,
        step_bits=step_bits,
        base=base,
        center=mean / unit,
        quadratic=LOG2_E / 2 * (1 - scale.reciprocal().square()) * unit**2,
        linear=LOG2_E * mean * unit,
    )


def _interval_tables(mean: Tensor, scale: Tensor, partition: Partition) -> tuple[Tensor, Tensor]:
    """Ladder and step_bits of a Proposal, both (batch, total)."""
    cut, device = partition.cut_dimensions, mean.device
    if not cut:
        empty = mean[:, :0]
        return empty.long(), empty
    counts = torch.tensor([partition.intervals[d] for d in cut], device=device)
    position = torch.repeat_interleave(torch.arange(len(cut), device=device), counts)
    dimension = torch.tensor(cut, device=device)[position]
    edges = torch.cat([interval_edges(partition.intervals[d], device)[:-1] for d in cut])
    below = torch.special.ndtr((edges - mean[:, dimension]) / scale[:, dimension])
    ladder = torch.round(below * 2.0**WEIGHT_BITS).long() + (position << WEIGHT_BITS)
    # libm's CDF need not be monotone in its last place.
    ladder = torch.cummax(ladder, dim=1).values
    end = torch.full_like(ladder[:, :1], len(cut) << WEIGHT_BITS)
    masses = torch.diff(ladder, append=end)
    step_bits = WEIGHT_BITS - torch.log2((masses.clamp_min(1) * counts[position]).double())
    return ladder, step_bits


def _cut_offsets(partition: Partition) -> list[tuple[int, int]]:
    """Each cut dimension with the column of its first interval in the tables."""
    sizes = [partition.intervals[d] for d in partition.cut_dimensions]
    return [(d, sum(sizes[:i])) for i, d in enumerate(partition.cut_dimensions)]
