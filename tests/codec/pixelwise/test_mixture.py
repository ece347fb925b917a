"""Frequencies of pixels: complete, never 0, and close to the law used in training."""

from typing import Any

import numpy as np
import pytest
import torch

from codec.pixelwise.tiny import smooth, tiny_model, tiny_module, uncorrected
from recvae.codec.pixelwise import mixture as mixtures
from recvae.codec.pixelwise.networks import TABLES
from recvae.jit import threaded
from recvae.pixelwise import context
from recvae.pixelwise.network import INPUT_UNIT, law_bits
from recvae.pixelwise.rows import Rows, find_rows
from recvae.pixelwise.tables import UNIT

TOTAL = 1 << 24
COMPONENTS = 3


@threaded
def fill_begins(
    outputs: Any, rows: Any, state: Any, mixture: Any, tables: Any, begins: Any
) -> None:
    count, channels = rows.values.shape
    for i in range(count):
        mixtures.weigh(mixture, outputs[i], tables.weights)
        for c in range(channels):
            state.medians[c] = rows.medians[i, c]
            state.predictions[c] = rows.predictions[i, c]
        for c in range(channels):
            mixtures.place(mixture, outputs[i], state, c, tables.inverses)
            own = np.int64(rows.values[i, c])
            for value in range(mixtures.LEVELS + 1):
                begins[i, c, value] = mixtures.begins(mixture, value, tables.logistic, mixture.ends)
                if value == own:
                    mixture.below[:] = mixture.ends
                elif value == own + 1:
                    mixture.above[:] = mixture.ends
            state.own[c] = own - state.medians[c]
            mixtures.narrow(mixture)


def find_begins(outputs: np.ndarray, rows: Rows) -> np.ndarray:
    """The starts of each channel's values, given the channels before: (n, c, 257)."""
    count, channels = rows.values.shape
    begins = np.zeros((count, channels, mixtures.LEVELS + 1), np.int64)
    unused = np.zeros((2, 2), np.int32)
    parts = {name: np.zeros(channels, np.int32) for name in ("medians", "predictions", "own")}
    state = context.State(**dict.fromkeys(context.State._fields, unused) | parts)
    mixture = mixtures.Mixture(*np.zeros((6, COMPONENTS), np.int64))
    fill_begins(outputs, rows, state, mixture, TABLES, begins)
    return begins


def drawn_rows(channels: int, values: np.ndarray | None = None) -> Rows:
    """Pixels whose values lie about the predictions, unless they are given."""
    random, count = np.random.default_rng(channels), 400
    shape = (count, channels)
    medians = random.integers(0, 256, shape)
    predictions = np.clip(16 * medians + random.integers(-200, 200, shape), 0, 4080)
    if values is None:
        values = np.clip(predictions / 16 + random.normal(0, 6, shape), 0, 255)
    return Rows(
        np.zeros((count, 0), np.int8),
        np.broadcast_to(values, shape).astype(np.uint8),
        medians.astype(np.uint8),
        predictions.astype(np.int16),
    )


def drawn_outputs(channels: int, scale: float) -> np.ndarray:
    outputs = COMPONENTS * (1 + 3 * channels + channels * (channels - 1) // 2)
    drawn = np.random.default_rng(0).normal(0, scale, (400, outputs))
    return np.clip(drawn, -(1 << 31), (1 << 31) - 1).astype(np.int32)


def bits_of(begins: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Bits of pixels, (n,)."""
    widths = np.take_along_axis(np.diff(begins), values[..., None].astype(np.int64), 2)[..., 0]
    return -np.log2(widths / TOTAL).sum(1)


def law(outputs: np.ndarray, rows: Rows, components: int = COMPONENTS) -> np.ndarray:
    """The same by the law used in training, in float64."""
    values, medians = (torch.from_numpy(part).double() for part in (rows.values, rows.medians))
    predictions = torch.from_numpy(rows.predictions).double() / 16
    exact = torch.from_numpy(outputs).double() / UNIT
    return law_bits(exact, values, medians, predictions, components).numpy()


@pytest.mark.parametrize("scale", [30, 300, 3000, 1 << 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_and_never_0(channels: int, scale: float) -> None:
    """For any output of the network, up to the largest possible numbers."""
    for values in (None, np.array(0), np.array(255)):
        rows = drawn_rows(channels, values)
        begins = find_begins(drawn_outputs(channels, scale), rows)
        assert (begins[..., 0] == 0).all()
        assert (begins[..., -1] == TOTAL).all()
        assert np.diff(begins).min() >= 1


@pytest.mark.parametrize("scale", [30, 300])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_law_of_training(channels: int, scale: float) -> None:
    rows, outputs = drawn_rows(channels), drawn_outputs(channels, scale)
    begins = find_begins(outputs, rows)
    bits, expected = bits_of(begins, rows.values), law(outputs, rows)
    assert bits.mean() == pytest.approx(expected.mean(), rel=0.005)
    likely = expected < 8 * channels
    assert likely.mean() > 0.5
    np.testing.assert_allclose(bits[likely], expected[likely], rtol=0.02, atol=0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_are_as_long_as_the_network_in_floats_says(channels: int) -> None:
    """The trained network, the same in integers, and their results on a picture."""
    module, model = tiny_module(), uncorrected(tiny_model())
    picture = smooth(1, 64, 48, channels)[0].reshape(64, 48, channels)
    filters = model.networks[channels].filters.copy()
    chosen = np.ones(picture.shape[:2], bool)
    rows = find_rows(picture, chosen, module.shapes[channels], filters)
    outputs = module.networks[str(channels)](
        torch.from_numpy(rows.inputs).double().float() / INPUT_UNIT
    )
    components = module.arguments[channels].components
    expected = law((outputs * UNIT).double().numpy(), rows, components).sum()
    groups, _ = model.encode(smooth(1, 64, 48, channels), 1)
    assert expected < 6.5 * picture.size
    assert 8 * groups[0].num_bytes == pytest.approx(expected, rel=0.01)
