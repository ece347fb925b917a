"""The smallest networks over coordinates, with blocks from chosen information; none codes well."""

from functools import cache

import numpy as np
import torch

from codec.hierarchy.tiny import smooth
from recvae.codec.inr.calibrate import KEY, unfitted_code, with_fitted_code
from recvae.codec.inr.layout import plan_layout
from recvae.codec.inr.model import InrModel, as_stored
from recvae.codec.inr.sender import Effort, Shared
from recvae.inr.lightning import PictureINR
from recvae.inr.network import InrArguments

WITH_GRID = InrArguments(
    side=16, frequencies=1, hidden=(4, 3), grid=4, grid_channels=2, upsampler=(4, 2)
)
PLAIN = InrArguments(
    side=8, frequencies=4, hidden=(2,), reparametrised=False, grid=2, grid_channels=0
)
"""Neither reparametrised nor with a learned positional encoding."""

QUICK = Effort(first_steps=4, block_steps=1, margin_bits=1.0, max_log2_candidates=8, keep=4)
ENCODER_WIDTH, ENCODER_BLOCKS = 2, 1
LOG_BETA = -6.0


def pictures_of(model: InrModel, count: int, seed: int = 0) -> np.ndarray:
    """Pictures (count, side, side, 3) uint8 of the size that a model takes."""
    side = model.shared.network.arguments.side
    return smooth(count, side, side, seed=seed)


@cache
def tiny_module(arguments: InrArguments = WITH_GRID) -> PictureINR:
    """Networks whose every part has an effect, unlike before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = PictureINR(arguments, ENCODER_WIDTH, ENCODER_BLOCKS)
        with torch.no_grad():
            for parameter in module.network.parameters():
                parameter += torch.randn_like(parameter) * 0.3
            for parameter in module.encoder.parameters():
                parameter += torch.randn_like(parameter) * 0.1
    return module.eval().requires_grad_(False)


@cache
def tiny_model(arguments: InrArguments = WITH_GRID, key: int = KEY) -> InrModel:
    """A model of about 10 bits a block; latents from nothing to 3 bits, the least are not sent."""
    module = tiny_module(arguments)
    for part in (module.network, module.encoder):
        as_stored(part)
    random = np.random.default_rng(0)
    information = (3 * random.random(arguments.dim) ** 4).astype(np.float16).astype(np.float32)
    shared = Shared(
        module.network, plan_layout(information, 10.0), unfitted_code(), key, module.encoder,
        information, LOG_BETA,
    )  # fmt: skip
    sizes, facts = (ENCODER_WIDTH, ENCODER_BLOCKS), {"note": "random"}
    model = InrModel(name="tiny", shared=shared, encoder_sizes=sizes, effort=QUICK, metadata=facts)
    return with_fitted_code(model, pictures_of(model, 2))
