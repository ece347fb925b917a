"""From pictures to codes: what was fixed is what decodes; networks that overflow send nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from codec.inr.tiny import PLAIN, WITH_GRID, pictures_of, tiny_model, tiny_module
from recvae.codec.inr import sender
from recvae.codec.inr.coder import to_network
from recvae.codec.inr.fit import Fit
from recvae.codec.inr.model import InrModel
from recvae.codec.inr.payload import decode_latents
from recvae.codec.inr.sender import Effort, Shared, send
from recvae.errors import InputError
from recvae.inr.network import InrArguments


def cheap(model: InrModel) -> Shared:
    """At a price so low that blocks carry much."""
    return replace(model.shared, log_beta=-12.0)


@pytest.mark.parametrize("arguments", [WITH_GRID, PLAIN], ids=["grid", "plain"])
@pytest.mark.parametrize("block_steps", [0, 2])
def test_what_was_sent_decodes_to_what_was_fixed(
    monkeypatch: pytest.MonkeyPatch, arguments: InrArguments, block_steps: int
) -> None:
    model, fits = tiny_model(arguments), []
    start = sender.start_fit

    def kept(*given) -> Fit:
        fits.append(start(*given))
        return fits[-1]

    monkeypatch.setattr(sender, "start_fit", kept)
    shared, pixels = cheap(model), to_network(pictures_of(model, 3))
    effort = replace(model.effort, first_steps=20, block_steps=block_steps)
    sent = send(shared, pixels, effort)
    (fit,) = fits
    z = decode_latents(shared.layout, shared.key, sent.codes, arguments.dim)
    assert bool(fit.is_sent.all())
    assert np.array_equal(fit.sent.numpy(), (z * 2.0**-28).astype(np.float32))
    assert not np.array_equal(z[0], z[1])
    assert (z[:, shared.layout.dimensions] != 0).all()
    assert sent.kl_bits.shape == (3,)
    assert (sent.kl_bits > 0).all()
    assert (sent.codes.bins < shared.layout.intervals).all()
    assert sent.codes.ranks.max() < 1 << model.effort.max_log2_candidates


def test_blocks_of_the_largest_kl_are_sent_first(monkeypatch: pytest.MonkeyPatch) -> None:
    model, order = tiny_model(PLAIN), []
    fix = Fit.fix

    def kept(fit: Fit, items: torch.Tensor, latents: torch.Tensor, z: torch.Tensor) -> None:
        bits = fit.block_bits()
        (block,) = {int(b) for b in fit.block_of[latents]}
        order.append((items.tolist(), block))
        fix(fit, items, latents, z)
        for item in items.tolist():
            assert bits[item, block] == bits[item].max()

    monkeypatch.setattr(Fit, "fix", kept)
    effort = replace(model.effort, block_steps=0)  # so that no KL changes in between
    send(model.shared, to_network(pictures_of(model, 3)), effort)
    for item in range(3):
        own = [block for items, block in order if item in items]
        assert sorted(own) == list(range(len(model.shared.layout.lengths)))


def test_steps_between_blocks_fit_what_is_left() -> None:
    model = tiny_model(PLAIN)
    pixels = to_network(pictures_of(model, 8))
    network, layout = model.shared.network, model.shared.layout
    errors = []
    for steps in (0, 20):
        effort = Effort(150, steps, 1.0, 10, 4)
        codes = send(cheap(model), pixels, effort).codes
        z = decode_latents(layout, model.shared.key, codes, PLAIN.dim) * 2.0**-28
        output = network(torch.from_numpy(z).float())
        errors.append(float((output - pixels).square().mean()))
    assert errors[1] < 0.95 * errors[0]


@pytest.mark.parametrize("first_steps", [0, 2])
def test_encoders_that_overflow_send_nothing(first_steps: int) -> None:
    model, module = tiny_model(PLAIN), tiny_module.__wrapped__(PLAIN)
    module.encoder.weights_head[-1].bias.fill_(torch.nan)
    shared = replace(model.shared, encoder=module.encoder)
    with pytest.raises(InputError, match="numbers that are not finite: it is unusable"):
        send(
            shared,
            to_network(pictures_of(model, 2)),
            replace(model.effort, first_steps=first_steps),
        )


def test_networks_that_overflow_send_nothing() -> None:
    model, module = tiny_model(PLAIN), tiny_module.__wrapped__(PLAIN)
    module.network.log_scale.fill_(1000.0)
    shared = replace(model.shared, network=module.network)
    with pytest.raises(InputError, match="numbers that are not finite: it is unusable"):
        send(shared, to_network(pictures_of(model, 2)), model.effort)
