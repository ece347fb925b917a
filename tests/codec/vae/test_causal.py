"""Files of causal models: lossless at odd sizes, few levels, in any grouping, for noise."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import recvae
from codec.vae.small_models import check_costs, check_round_trips, trained
from recvae.codec import Codec, CodecModel
from recvae.codec.vae.by_passes import code_pixels
from recvae.codec.vae.calibrate import CalibrationOptions, calibrate
from recvae.errors import InputError
from recvae.vae.networks import Architecture
from recvae.vae.quantise import from_tensors

SMALL = {"channels": 6, "blocks": 1, "hidden": 8}
# Height, width and arguments of the decoder.
KINDS = {
    "28x28": (28, 28, SMALL),
    "28x28 of 2": (28, 28, SMALL | {"levels": 2}),
    "5x7": (5, 7, SMALL | {"radius": 5}),
    "5x7 of 2": (5, 7, SMALL | {"radius": 2, "levels": 2}),
    "5x7 of 4": (5, 7, SMALL | {"radius": 1, "levels": 4}),
    "64x64": (64, 64, {"channels": 2, "blocks": 0, "hidden": 3, "radius": 2}),
}


def model_named(kind: str) -> CodecModel:
    """Trained for some steps on blots, so that some images are worth coding."""
    height, width, arguments = KINDS[kind]
    architecture = Architecture("causal", 2, height, width, {"channels": 4, "hidden": 8}, arguments)
    model = trained(architecture, blots(architecture, 16), 30)
    return replace(model, name=kind)


def blots(architecture: Architecture, count: int) -> np.ndarray:
    """Mostly black, some of the brightest values, few between."""
    rng = np.random.default_rng(1)
    shape = (count, architecture.height, architecture.width)
    grey = rng.integers(0, architecture.levels, shape) * (rng.random(shape) < 0.02)
    top = (architecture.levels - 1) * (np.roll(grey, 1, axis=2) > 0)
    return np.maximum(grey, top).astype(np.uint8)


def images_for(model: CodecModel) -> np.ndarray:
    """Blots, and images that no model expects."""
    levels, shape = model.architecture.levels, model.spec.shape
    noise = np.random.default_rng(2).integers(0, levels, (2, *shape))
    plain = np.stack([np.full(shape, value) for value in (0, levels - 1, levels // 2)])
    return np.concatenate([blots(model.architecture, 4), noise, plain]).astype(np.uint8)


# The quick tests use only one of the sizes beyond a few pixels.
PARAMS = [
    pytest.param(kind, marks=pytest.mark.slow if kind in ("28x28", "64x64") else ())
    for kind in KINDS
]


@pytest.fixture(scope="module", params=PARAMS)
def model(request: pytest.FixtureRequest) -> CodecModel:
    return model_named(request.param)


def test_round_trip_in_any_group_and_batch(model: CodecModel) -> None:
    check_round_trips(model, images_for(model))


def test_a_payload_is_as_long_as_its_symbols_cost(model: CodecModel) -> None:
    check_costs(model, blots(model.architecture, 60))


def test_passes_of_as_many_classes_are_coded_as_one(model: CodecModel) -> None:
    images = torch.from_numpy(images_for(model))
    z = torch.zeros(len(images), 2, dtype=torch.int64)
    classes = [coded.frequencies.shape[1] for coded in code_pixels(model, z, images)]
    if model.architecture.levels == 2:
        assert classes == [2]
    else:
        assert set(classes) == {2, model.architecture.levels - 1}
        assert all(first != second for first, second in pairwise(classes))


def test_models_are_saved_and_loaded(model: CodecModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    images = images_for(model)
    data = Codec(model).compress(images, 4)
    assert np.array_equal(recvae.open(data, tmp_path)[:], images)


def test_float64_carries_the_same_integers(model: CodecModel) -> None:
    images = images_for(model)
    data = Codec(model).compress(images, 4)
    _, decoder = model.architecture.build()
    again = from_tensors(decoder, model.number, model.decoder.state_dict())
    assert np.array_equal(Codec(replace(model, decoder=again.double())).decompress(data), images)


def test_pixels_beyond_the_levels_are_refused() -> None:
    model = model_named("5x7 of 4")
    images = blots(model.architecture, 2)
    images[1, 0, 0] = 4
    with pytest.raises(InputError, match="pixels of 4: model '5x7 of 4' codes 4 grey levels, 0 to"):
        Codec(model).compress(images)
    with pytest.raises(ValueError, match="pixels of 4, not below `levels`"):
        calibrate(model, torch.from_numpy(images), "grey", CalibrationOptions(), {})
