"""Files of models of scans: lossless in any grouping, for all images."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from codec.vae.small_models import check_round_trips, trained
from recvae.codec import Codec, CodecModel
from recvae.codec.vae.by_passes import code_pixels
from recvae.codec.vae.groups import decode_groups
from recvae.errors import InputError
from recvae.images import sample_images
from recvae.vae.networks import Architecture


@pytest.fixture(scope="module")
def model() -> CodecModel:
    """Trained for some steps, so that digits are worth coding."""
    arguments = {"about": 8, "channels": 8, "blocks": 1, "radius": 2, "grey_channels": 4}
    architecture = Architecture("scans", 2, 28, 28, {"channels": 4, "hidden": 8}, arguments)
    return trained(architecture, sample_images("train")[:16].copy(), 12)


@pytest.fixture(scope="module")
def images(noise: np.ndarray) -> np.ndarray:
    """Digits, and images without scans: noise, moved, turned and plain ones."""
    digits = sample_images()[:5]
    plain = [np.full((28, 28), value, dtype=np.uint8) for value in (0, 255, 128)]
    moved = [np.roll(digits[0], 3, axis=1), digits[1].T]
    odd = np.stack([noise[0], *plain, *moved])
    return np.concatenate([digits[:3], odd, digits[3:5]])


@pytest.mark.slow
def test_round_trip_in_any_group_and_batch(model: CodecModel, images: np.ndarray) -> None:
    check_round_trips(model, images)


def test_scans_are_worth_it(model: CodecModel) -> None:
    """After twelve steps digits take fewer bits than any general compressor needs."""
    digits = sample_images()[20:40]
    assert 8 * len(Codec(model).compress(digits)) / digits.size < 1.0


def test_passes_of_as_many_classes_are_coded_as_one(model: CodecModel, images: np.ndarray) -> None:
    z = torch.zeros(len(images), 2, dtype=torch.int64)
    coded = code_pixels(model, z, torch.from_numpy(images))
    classes = [step.frequencies.shape[1] for step in coded]
    assert classes[:5] == [2, 77, 3, 96, 2]
    assert set(classes[5:]) == {2, 255}
    assert all(first != second for first, second in pairwise(classes))


def test_payloads_of_noise(model: CodecModel) -> None:
    """They decode to images or are refused, without further effect."""
    rng = np.random.default_rng(0)
    refusals: list[str] = []
    for length in (0, 20, 60):
        try:
            images = decode_groups(model, [rng.bytes(length)], [2])
        except InputError as error:
            refusals.append(str(error))
        else:
            assert images.shape == (2, 28, 28)
    assert len(refusals) < 3
    assert all("what no encoder writes" in refusal for refusal in refusals)
