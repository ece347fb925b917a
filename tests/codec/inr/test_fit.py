"""The sender's fit: what was sent stays, blocks keep their budgets, the error falls."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from codec.inr.tiny import PLAIN, pictures_of, tiny_model, tiny_module
from recvae.codec.inr.coder import to_network
from recvae.codec.inr.fit import Fit
from recvae.codec.inr.model import InrModel
from recvae.codec.inr.sender import start_fit


@pytest.fixture(scope="module")
def model() -> InrModel:
    return tiny_model(PLAIN)


@pytest.fixture
def fit(model: InrModel) -> Fit:
    return start_fit(model.shared, to_network(pictures_of(model, 3)))


def test_what_was_sent_stays(model: InrModel, fit: Fit) -> None:
    layout = model.shared.layout
    latents, items = torch.from_numpy(layout.members[1]), torch.tensor([0, 2])
    z = torch.randn(2, len(latents))
    before = fit.block_bits()
    fit.fix(items, latents, z)
    assert (fit.block_bits()[items, 1] == 0).all()
    others = torch.arange(before.shape[1]) != 1
    assert torch.equal(fit.block_bits()[:, others], before[:, others])
    assert torch.equal(fit.block_bits()[1], before[1])
    fit.run(5, 0.05)
    for _ in range(2):
        drawn = fit.draw()
        assert torch.equal(drawn[items][:, latents], z)
        assert not torch.equal(drawn[1, latents], z[0])


def test_latents_of_no_block_are_0(model: InrModel, fit: Fit) -> None:
    left = np.setdiff1d(np.arange(PLAIN.dim), model.shared.layout.dimensions)
    assert len(left) > 3
    fit.run(2, 0.05)
    drawn = fit.draw()
    assert (drawn[:, left] == 0).all()
    assert (drawn[:, model.shared.layout.dimensions] != 0).all()


def test_the_error_falls(model: InrModel, fit: Fit) -> None:
    before = fit.squared_error(fit.mean)
    fit.run(60, 0.05)
    assert (fit.squared_error(fit.mean) < 0.9 * before).all()
    assert not fit.mean.requires_grad


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_blocks_keep_their_budgets(model: InrModel, factor: float) -> None:
    shared, pixels = model.shared, to_network(pictures_of(model, 2))
    start = start_fit(shared, pixels)
    budget = factor * shared.budget_bits
    fit = Fit(
        shared.network, pixels, shared.layout, budget, start.mean, start.log_scale, shared.log_beta
    )
    fit.run(250, 0.05)
    assert torch.allclose(fit.block_bits().sum(1), budget.sum().expand(2), rtol=0.3)


def test_a_price_is_bounded(model: InrModel, fit: Fit) -> None:
    """A block that cannot reach its budget does not cost without end."""
    fit.budget_bits = fit.budget_bits * 1e6
    fit.run(80, 0.0)
    assert (fit.log_beta[:, :-1] == model.shared.log_beta - 3).all()


def test_a_picture_that_is_reproduced_exactly(model: InrModel) -> None:
    network = tiny_module.__wrapped__(PLAIN).network
    network.mean.zero_()
    network.log_scale.fill_(-1000.0)  # all weights are 0: its pictures are grey
    grey = torch.full((1, PLAIN.side**2, 3), 0.5)
    fit = start_fit(replace(model.shared, network=network), grey)
    assert float(fit.squared_error(fit.draw())) == 0
    fit.run(3, 0.05)
    assert bool(torch.isfinite(fit.mean).all())


def test_pictures_share_noise_only(model: InrModel) -> None:
    """What is drawn for a picture depends on it alone, not on its place in a group."""
    pixels = to_network(pictures_of(model, 1)).expand(3, -1, -1)
    fit = start_fit(model.shared, pixels)
    fit.run(3, 0.05)
    drawn = fit.draw()
    torch.testing.assert_close(drawn, drawn[:1].expand_as(drawn), rtol=0, atol=1e-4)
