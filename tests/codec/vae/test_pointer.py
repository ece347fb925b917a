"""Files of pointer models round-trip for odd sizes, few levels, any grouping and any noise."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch

import recvae
from codec.vae.small_models import check_costs, check_round_trips, trained
from codec.vae.test_causal import blots, images_for
from recvae.codec import Codec, CodecModel
from recvae.codec.vae.calibrate import CalibrationOptions, calibrate
from recvae.codec.vae.groups import encode_groups
from recvae.codec.vae.written import are_written
from recvae.vae.networks import Architecture

SMALL = {"channels": 4, "flag_width": 8, "flag_blocks": 1, "width": 16}
KINDS = {
    "28x28": (28, 28, SMALL | {"heads": 2}),
    "5x7": (5, 7, SMALL | {"heads": 1, "radius": 6}),
    "5x7 of 4": (5, 7, SMALL | {"heads": 4, "levels": 4, "flag_radius": 1}),
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(k, marks=pytest.mark.slow if k == "28x28" else ()) for k in KINDS],
)
def model(request: pytest.FixtureRequest) -> CodecModel:
    height, width, arguments = KINDS[request.param]
    encoder = {"channels": 4, "hidden": 8}
    architecture = Architecture("pointer", 2, height, width, encoder, arguments)
    return trained(architecture, blots(architecture, 16), 30)


def test_round_trip_in_any_group_and_batch(model: CodecModel) -> None:
    check_round_trips(model, images_for(model))


def test_a_payload_is_as_long_as_its_symbols_cost(model: CodecModel) -> None:
    check_costs(model, blots(model.architecture, 60))


def test_models_are_saved_and_loaded(model: CodecModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    images = images_for(model)
    data = Codec(model).compress(images, 4)
    assert np.array_equal(recvae.open(data, tmp_path)[:], images)


def test_what_an_encoder_writes_is_told_from_what_none_does(model: CodecModel) -> None:
    images = images_for(model)
    payloads, _ = encode_groups(model, images, 3)
    counts = [min(3, len(images) - start) for start in range(0, len(images), 3)]
    groups = list(zip(payloads, counts, strict=True))
    assert are_written(model, groups) == [True] * len(groups)
    assert are_written(model, [(payloads[0] + b"\1", 3), (b"\xff" * 30, 3)]) == [False, False]


def test_calibration_measures_the_bound_of_the_exact_decoder(model: CodecModel) -> None:
    architecture = model.architecture
    torch.manual_seed(0)
    encoder, decoder = architecture.build()
    vae = torch.nn.Module()
    vae.encoder, vae.decoder = encoder.eval(), decoder.eval()
    vae.architecture = architecture  # type: ignore[assignment]
    for parameter in vae.parameters():
        parameter.requires_grad_(False)
    images = torch.from_numpy(blots(architecture, 40))
    options = CalibrationOptions(num_blocks=1, sample_images=20)
    made = calibrate(vae, images, "made", options, {})
    bound = made.metadata["negative_elbo_bits_an_image"]
    assert bound["in_integers"] == pytest.approx(bound["in_floats"], rel=0.03)


def test_effort_tries_candidates(model: CodecModel) -> None:
    images = blots(model.architecture, 12)
    plain, tried = (
        Codec(own).compress_to(io.BytesIO(), images, 12) for own in (model, model.with_effort(4))
    )
    costs = [sum(own.bits[part] for part in ("bins", "ranks", "pixels")) for own in (plain, tried)]
    assert costs[1] <= costs[0]
