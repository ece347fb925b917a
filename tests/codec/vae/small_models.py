"""Small models, trained for some steps, and checks for every model."""

import io

import numpy as np
import pytest
import torch

from recvae.codec import Codec, CodecModel
from recvae.codec.vae.latents import BlockLatents
from recvae.exact import FixedPoint
from recvae.rec import Block
from recvae.vae.networks import Architecture
from recvae.vae.quantise import quantise


def trained(architecture: Architecture, pixels: np.ndarray, steps: int) -> CodecModel:
    """A model of two latents trained on pixels (n, h, w), so that such images are coded."""
    torch.manual_seed(0)
    encoder, decoder = architecture.build()
    optimiser = torch.optim.Adam(decoder.parameters(), lr=0.02)
    images = torch.from_numpy(pixels)
    for _ in range(steps):
        loss = -decoder.log_likelihood_nats(torch.randn(len(images), 2), images).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    block = Block((1, 0), (3, 2), 16)
    return CodecModel(
        name="small",
        architecture=architecture,
        number=FixedPoint(7, 12),
        latents=BlockLatents.unfitted(5, [block]),
        encoder=encoder.half().float().eval().requires_grad_(False),
        decoder=quantise(decoder, FixedPoint(7, 12)),
    )


def check_round_trips(model: CodecModel, images: np.ndarray) -> None:
    """Check that every byte comes back, in any group and batch, without much expansion."""
    for group_size, batch_sizes in ((1, (1, 5)), (4, (1, 5)), (64, (1,))):
        data = Codec(model).compress(images, group_size)
        assert len(data) <= images.size * 1.005 + 64
        for batch_size in batch_sizes:  # never less than a group
            codec = Codec(model, batch_size=batch_size)
            assert codec.compress(images, group_size) == data
            assert np.array_equal(codec.decompress(data), images)
        stream = io.BytesIO()
        Codec(model).compress_to(stream, iter([images[:3], images[3:]]), group_size)
        assert stream.getvalue() == data
    with Codec(model).open(data) as stored:
        assert np.array_equal(stored[6], images[6])


def check_costs(model: CodecModel, images: np.ndarray) -> None:
    """A payload is as long as its symbols cost, and what the model has learned pays off."""
    report = Codec(model).compress_to(io.BytesIO(), images, len(images))
    assert report.bits["stored"] < 1
    assert report.bits["pixels"] < 0.5 * images.size * np.log2(model.architecture.levels)
    ideal_bits = sum(report.bits[part] for part in ("bins", "ranks", "pixels", "stored"))
    assert 8 * report.sizes.payload == pytest.approx(ideal_bits, rel=1e-3, abs=16)
