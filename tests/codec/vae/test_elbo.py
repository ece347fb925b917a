"""The bound that files are measured against."""

import numpy as np
import pytest
import torch

from recvae.codec import Codec
from recvae.codec.vae.elbo import negative_elbo_bits
from recvae.codec.vae.groups import encode_groups


def test_the_bound_is_what_latents_cost_at_least_and_pixels_given_them(
    codec: Codec, digits: np.ndarray
) -> None:
    """The bound is neither above nor below the cost; one too high would excuse any file."""
    _, bits = encode_groups(codec.model, digits, 40)
    bound = negative_elbo_bits(codec.model, torch.from_numpy(digits.copy()))
    assert float(bound.sum()) == pytest.approx(bits.kl.sum() + bits.pixels.sum(), rel=0.02)
