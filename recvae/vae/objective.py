"""The training objective: reconstruction + sum over dimensions of beta_d * KL_d.

With beta_d = 1 it is the negative ELBO, which a file approaches. Other weights shape *where* the
information goes during training: relative entropy coding is cheapest when few dimensions carry many
bits each, so the controller drives weak dimensions out and lets strong ones grow to a target.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recvae.errors import InputError

NATS_PER_BIT = 0.6931471805599453


def kl_nats(mean: Tensor, log_scale: Tensor) -> Tensor:
    """KL[N(mean, scale^2) || N(0, 1)] of every dimension, in nats, the shape of `mean`."""
    return 0.5 * (mean**2 + torch.exp(2 * log_scale) - 1) - log_scale


@dataclass(frozen=True)
class BetaSchedule:
    """The schedule of the weights beta_d of the per-dimension KL.

    Fields:
        mode: "fixed" (beta_d = `value`), "warmup" (0 to `value` over `warmup_steps`), or
            "controlled" (as warmup, times a factor per dimension that a controller steers).
        value: the common weight; 1 is the negative ELBO.
        warmup_steps: optimiser steps from 0 to `value`.
        target_bits: the controller lowers beta_d (more information) below this KL, raises it above.
        prune_bits: below this KL a dimension is weak: the controller raises its beta_d.
        rate: largest change of log beta_d in one step.
        limit: beta_d stays within [value / limit, value * limit].
        release: fractions of the training between which all factors return to 1, so that training
            ends with the rate as its objective.
    """

    mode: Literal["fixed", "warmup", "controlled"] = "warmup"
    value: float = 1.0
    warmup_steps: int = 1000
    target_bits: float = 4.0
    prune_bits: float = 0.2
    rate: float = 0.003
    limit: float = 2.0
    release: tuple[float, float] = (0.3, 0.6)

    def __post_init__(self) -> None:
        if self.mode not in ("fixed", "warmup", "controlled"):
            raise InputError(f"beta.mode is {self.mode!r}; choose fixed, warmup or controlled")
        if not (self.value >= 0 and self.limit >= 1 and self.rate >= 0 and self.warmup_steps >= 0):
            raise InputError("beta: value, rate, warmup_steps must be >= 0 and limit >= 1")
        if not self.target_bits > 0:
            raise InputError(f"beta.target_bits is {self.target_bits}; it must be above 0")
        start, end = self.release
        if not 0 <= start < end <= 1:
            raise InputError(f"beta.release is {self.release}; it must be 0 <= start < end <= 1")

    def steer(self, log_factor: Tensor, kl_bits: Tensor) -> Tensor:
        """The controller's next log factors (D,) given each dimension's mean KL (D,) in bits."""
        if self.mode != "controlled":
            return log_factor
        push = ((kl_bits - self.target_bits) / self.target_bits).clamp(-1, 1)
        push = torch.where(kl_bits < self.prune_bits, 1.0, push)
        bound = torch.log(torch.tensor(self.limit)).item()
        return (log_factor + self.rate * push).clamp(-bound, bound)

    def beta(self, log_factor: Tensor, step: int, total_steps: int) -> Tensor:
        """The weights (D,) at a training step."""
        value = self.value
        if self.mode != "fixed" and step < self.warmup_steps:
            value *= step / self.warmup_steps
        if self.mode != "controlled":
            return torch.full_like(log_factor, value)
        start, end = self.release
        held = min(max((end - step / max(total_steps, 1)) / (end - start), 0.0), 1.0)
        return value * torch.exp(held * log_factor)
