"""Targets with a given information content: posteriors of a model whose latents fit the prior.

A dimension with I_d bits of mutual information has scale_d = 2^-I_d and means N(0, 1 - scale_d^2)
over the data: the aggregate posterior is then the prior N(0, 1), and the mean KL is I_d.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from recvae.rec import DiagonalGaussian

# An exact coder needs |mean| + 4.4 scale within 6.35: so it is for means of at most 4.58 sigma.
MOST_SIGMAS = 4.5


def even_shares(information_bits: float, dim: int) -> list[float]:
    """The same information in every dimension, in bits."""
    return [information_bits / dim] * dim


def random_posteriors(
    information_bits: Sequence[float], count: int, generator: torch.Generator
) -> DiagonalGaussian:
    """Posteriors of `count` random items, (count, dim) float64.

    Args:
        information_bits: I_d of each dimension, at least 0.
        count: number of items.
        generator: draws the means, which are clamped to 4.5 sigma.
    """
    scale = _scale(information_bits)
    sigmas = torch.randn((count, len(scale)), generator=generator, dtype=torch.float64)
    mean = sigmas.clamp(-MOST_SIGMAS, MOST_SIGMAS) * (1 - scale.square()).sqrt()
    return DiagonalGaussian(mean, scale.expand_as(mean).contiguous())


def typical_posterior(information_bits: Sequence[float], count: int) -> DiagonalGaussian:
    """The posterior with mean_d = sqrt(1 - scale_d^2), `count` times: its KL is exactly I_d."""
    scale = _scale(information_bits)
    shape = (count, len(scale))
    mean = (1 - scale.square()).sqrt()
    return DiagonalGaussian(mean.expand(shape).contiguous(), scale.expand(shape).contiguous())


def _scale(information_bits: Sequence[float]) -> Tensor:
    return torch.exp2(-torch.tensor(information_bits, dtype=torch.float64))
