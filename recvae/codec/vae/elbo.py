"""The bound that a file is measured against: -ELBO with the integer decoder."""

import numpy as np
import torch
from torch import Tensor

from recvae.codec.bound import BOUND_SEED
from recvae.codec.vae.groups import code_pixels
from recvae.codec.vae.parts import VaeParts
from recvae.exact import FRACTION_BITS
from recvae.threads import use_one_thread_after_fork
from recvae.vae.information import posterior

PRIOR_LIMIT = 6.3  # the prior's law has no atoms beyond 6.4


def negative_elbo_bits(
    model: VaeParts,
    images: Tensor,
    batch: int = 256,
    generator: torch.Generator | None = None,
) -> np.ndarray:
    """-ELBO of each image (n, h, w) in bits, with one true posterior sample and the exact decoder.

    The difference to the file is the overhead of relative entropy coding and of the container.
    """
    use_one_thread_after_fork()
    generator = generator or torch.Generator().manual_seed(BOUND_SEED)
    total = [np.zeros(0)]
    for part in images.split(batch):
        target = posterior(model.encoder, part)
        noise = torch.randn(target.mean.shape, generator=generator, dtype=torch.float32)
        z = target.mean.cpu() + target.scale.cpu() * noise
        fixed = torch.round(z.double().clamp(-PRIOR_LIMIT, PRIOR_LIMIT) * 2.0**FRACTION_BITS)
        pixels = code_pixels(model, fixed.long(), part).bits
        total.append(target.kl_bits().sum(1).cpu().numpy() + pixels)
    return np.concatenate(total)
