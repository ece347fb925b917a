"""Posteriors of training pictures as parameters, and the prior that fits them."""

import math

import torch
from torch import Tensor, nn

FIRST_SCALE = 0.1  # of posteriors, relative to the prior


class PosteriorTable(nn.Module):
    """Mean and log scale of z for each of some pictures, as parameters (pictures, dim).

    The prior is fitted to them in closed form: see `refit_prior`.
    """

    def __init__(self, pictures: int, dim: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(pictures, dim))
        self.log_scale = nn.Parameter(torch.full((pictures, dim), math.log(FIRST_SCALE)))

    def forward(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale of the pictures of these numbers (n,), each (n, dim)."""
        return self.mean[numbers], self.log_scale[numbers]

    @torch.no_grad()
    def refit_prior(self, prior_mean: Tensor, prior_log_scale: Tensor) -> None:
        """Give the prior (dim,) the moments of the mean of all posteriors.

        Its mean becomes the mean of their means, its variance the mean of their variances plus the
        variance of their means. The posteriors of h = mean + scale * z stay as they are; those of
        z, which are relative to the prior, follow.

        Source: RECOMBINER (ICLR 2024), section 3, prior learning by coordinate descent.
        """
        shift = self.mean.mean(0)
        variance = self.log_scale.mul(2).exp().mean(0) + self.mean.var(0, correction=0)
        log_factor = variance.log() / 2
        prior_mean += prior_log_scale.exp() * shift
        prior_log_scale += log_factor
        self.mean.sub_(shift).mul_((-log_factor).exp())
        self.log_scale.sub_(log_factor)
