"""The cost of integer arithmetic: shipped models against the same networks in floats."""

import pytest
import torch
from torch import Tensor

import recvae
from recvae.codec import CodecModel, shipped_models
from recvae.codec.vae.groups import code_pixels
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT
from recvae.exact import FRACTION_BITS, IntegerDense, IntegerEmbedding
from recvae.images import sample_images
from recvae.vae.information import posterior
from recvae.vae.networks import Decoder
from recvae.vae.networks.layers import Dense, Embedding
from recvae.vae.objective import NATS_PER_BIT


def in_floats(model: CodecModel) -> Decoder:
    """The decoder with the same weights, but activations and logits that are not rounded."""
    decoder = model.architecture.build()[1].eval().requires_grad_(False)
    integer = {
        name: layer
        for name, layer in model.decoder.decoder.named_modules()
        if isinstance(layer, IntegerDense)
    }
    tables = {
        name: layer.table
        for name, layer in model.decoder.decoder.named_modules()
        if isinstance(layer, IntegerEmbedding)
    }
    for name, layer in decoder.named_modules():
        if isinstance(layer, Embedding):
            table = tables[name] * 2.0**-model.number.fraction_bits
            layer.given.copy_(table[:, : layer.given.shape[1]])
            layer.weight.copy_(table[:, layer.given.shape[1] :])
    input_bits = model.decoder.latent.fraction_bits  # of the first layer, which the latents enter
    for name, layer in decoder.named_modules():
        if isinstance(layer, Dense):
            exact, output_bits = integer[name], model.number.fraction_bits
            scale = 2.0 ** -exact.shift.double()
            bias = exact.bias.double() * scale - 0.5  # the half that turned floor into rounding
            weight = exact.weight.double() * scale[:, None]
            layer.weight.copy_(weight * 2.0 ** (input_bits - output_bits))
            layer.bias.copy_(bias * 2.0**-output_bits)
            input_bits = output_bits
    return decoder


@pytest.mark.parametrize("name", list(shipped_models(VAE_FORMAT)))
def test_at_most_three_in_a_thousand_bits_are_lost(name: str) -> None:
    model = recvae.load(name).model
    images = torch.from_numpy(sample_images("test")[:60].copy())
    target = posterior(model.encoder, images)
    noise = torch.randn(target.mean.shape, generator=torch.Generator().manual_seed(0))
    z: Tensor = target.mean + target.scale * noise
    fixed = torch.round(z.double() * 2.0**FRACTION_BITS).long()
    kl_bits = float(target.kl_bits().sum())
    exact_bits = kl_bits + code_pixels(model, fixed, images).bits.sum()
    log_likelihood = float(in_floats(model).log_likelihood_nats(z, images).sum())
    float_bits = kl_bits - log_likelihood / NATS_PER_BIT
    assert exact_bits <= 1.003 * float_bits
    assert exact_bits >= 0.99 * float_bits  # the two are the same network
