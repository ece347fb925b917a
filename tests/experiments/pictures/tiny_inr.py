"""A tiny network over coordinates with random weights, and made-up information, to measure."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from recvae.codec.inr.calibrate import CalibrationOptions, unfitted_code
from recvae.codec.inr.layout import plan_layout
from recvae.codec.inr.model import InrModel, as_stored
from recvae.codec.inr.sender import Effort, Shared
from recvae.codec.model_folder import save_model
from recvae.inr.encoder import Encoder
from recvae.inr.network import Inr, InrArguments

QUICK = Effort(first_steps=2, block_steps=1, max_log2_candidates=6)
INFORMED, BITS = 12, 8.0  # latents that carry information, and how much each
MEAN, LOG_SCALE = 2.0, -2.0  # of all posteriors, about


def make_inr(name: str = "tiny", bits: float = BITS, **facts: Any) -> InrModel:
    """A model for pictures of 32 x 32 whose `INFORMED` latents carry `bits` bits each."""
    torch.manual_seed(0)
    arguments = InrArguments(hidden=(6,), grid=8, grid_channels=1, upsampler=(4,))
    network, encoder = Inr(arguments), Encoder(arguments, width=4, blocks=1)
    for head in (encoder.weights_head[-1], encoder.grid_head):
        half = len(head.bias) // 2
        head.bias.data[:half], head.bias.data[half:] = MEAN, LOG_SCALE
    for part in (network, encoder):
        as_stored(part)
    information = np.zeros(arguments.dim, np.float32)
    information[:: arguments.dim // INFORMED][:INFORMED] = bits
    layout = plan_layout(information, CalibrationOptions().block_bits)
    shared = Shared(network, layout, unfitted_code(), 1, encoder, information, -9.0)
    return InrModel(
        name=name, shared=shared, encoder_sizes=(4, 1), effort=QUICK, metadata=dict(facts)
    )


def save_inr(folder: Path, model: InrModel) -> str:
    """Write a model below a folder; return its path."""
    save_model(model, folder / model.name)
    return str(folder / model.name)
