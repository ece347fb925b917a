"""From a trained network to a model: blocks, budgets, the code of ranks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from codec.inr.tiny import PLAIN, QUICK, pictures_of, tiny_model, tiny_module
from recvae.codec.inr import calibrate
from recvae.codec.inr.calibrate import CalibrationOptions, calibrate_inr, with_layout
from recvae.codec.inr.sender import Effort
from recvae.codec.model_folder import save_model
from recvae.errors import InputError
from recvae.inr.lightning import PictureINR
from recvae.rec.index_codes import fit_bucket_code


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("block_bits", 0.5, "block_bits is 0.5: it must lie between 1 and 1024"),
        ("block_bits", 1025.0, "block_bits is 1025.0: it must lie between 1 and 1024"),
        ("block_bits", float("nan"), "block_bits is nan"),
        ("bins_per_information", -0.1, "bins_per_information is -0.1: it must lie between 0 and"),
        ("bins_per_information", 2.1, "bins_per_information is 2.1"),
        ("strategy", "best", "strategy is 'best': allowed: mutual information, informative"),
        ("seed", -1, "seed is -1: it must be an integer of at least 0"),
        ("seed", 1.0, "seed is 1.0: it must be an integer of at least 0"),
    ],
)
def test_options_that_it_refuses(field: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CalibrationOptions(**{field: value})


@pytest.fixture
def module() -> PictureINR:
    module = tiny_module.__wrapped__(PLAIN)
    module.bits_per_pixel = 0.4
    module.log_beta.fill_(-6.0)
    return module


def test_a_calibrated_model(module: PictureINR, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(calibrate, "Effort", lambda: replace(QUICK, first_steps=200))
    told: list[str] = []
    pictures, options = pictures_of(tiny_model(PLAIN), 3), CalibrationOptions(6.0)
    facts = {"note": "calibrated"}
    model = calibrate_inr(module, pictures, "small", options, facts, told.append)
    assert (model.name, model.metadata) == ("small", facts)
    assert len(told) == 2
    assert told[0].startswith(f"{len(model.shared.layout.lengths)} blocks of ")
    assert told[1].startswith("coded 3 training pictures: ")
    assert model.bits_per_pixel == pytest.approx(0.4, rel=0.35)
    bits = model.shared.budget_bits
    assert bool(((bits <= 6.0 + 1e-4) | (torch.tensor(model.shared.layout.lengths) == 1)).all())
    save_model(model, tmp_path / "model")  # which loads it
    groups, _ = model.as_sender(QUICK).encode(pictures, 3)
    assert model.decode(groups).shape == pictures.shape


def test_networks_that_learned_nothing(module: PictureINR, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "Effort", lambda: Effort(first_steps=0))
    for parameter in module.encoder.weights_head[-1].parameters():
        parameter.zero_()
    pictures = pictures_of(tiny_model(PLAIN), 2)
    with pytest.raises(ValueError, match="no latent carries information"):
        calibrate_inr(module, pictures, "small", CalibrationOptions(), {})


def test_another_layout() -> None:
    model = tiny_model(PLAIN)
    pictures, options = pictures_of(model, 3), CalibrationOptions(20.0, 0.5, "random", 3)
    other = with_layout(model, pictures, options, QUICK)
    layout = other.shared.layout
    assert len(layout.lengths) < len(model.shared.layout.lengths)
    assert sorted(layout.dimensions) == sorted(model.shared.layout.dimensions)
    assert layout.log2_bins < 0.6 * model.shared.layout.log2_bins
    assert (other.effort, other.hash != model.hash) == (QUICK, True)
    groups, _ = other.encode(pictures, 3)
    assert other.written(groups) == [True]


def test_ranks_are_coded_by_how_often_they_occur() -> None:
    model = tiny_model(PLAIN)
    code = model.shared.rank_code
    nothing = fit_bucket_code(torch.zeros(0, dtype=torch.int64), (1 << len(code.raw_bits)) - 1)
    assert code.raw_bits == tuple(range(21))
    assert code.frequencies[0] > 3 * nothing.frequencies[0]
    assert np.argmax(code.frequencies) == 0
