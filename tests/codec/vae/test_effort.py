"""Effort: candidates tried with the decoder; smaller files in the same format."""

import numpy as np
import pytest

import recvae
from recvae.codec import Codec, shipped_models
from recvae.codec.vae.groups import encode_groups
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT
from recvae.errors import InputError

EFFORT = 4


@pytest.mark.parametrize("name", ["mnist", "mnist-mlp"])  # whose latents carry something
def test_fewer_bytes_that_decode_without_being_told(name: str, digits: np.ndarray) -> None:
    codec = recvae.load(name)
    data = codec.compress(digits[:12], effort=EFFORT)
    assert np.array_equal(recvae.open(data)[:], digits[:12])
    more = codec.compress(digits[:12], effort=4 * EFFORT)
    assert np.array_equal(recvae.open(more)[:], digits[:12])
    saved = [8 * (len(codec.compress(digits[:12])) - len(made)) / 12 for made in (data, more)]
    assert 5 < saved[0] < saved[1]  # bits an image


@pytest.mark.parametrize("name", list(shipped_models(VAE_FORMAT)))
def test_no_image_costs_more(name: str, digits: np.ndarray, noise: np.ndarray) -> None:
    model = recvae.load(name).model
    black, white = np.zeros((1, 28, 28), np.uint8), np.full((1, 28, 28), 255, np.uint8)
    images = np.concatenate([digits[:6], noise[:2], black, white])

    def bits(effort: int) -> np.ndarray:
        found = encode_groups(model.with_effort(effort), images, len(images))[1]
        return found.bins + found.ranks + found.pixels + found.stored

    assert (bits(EFFORT) <= bits(1) + 1e-2).all()  # a table of pixel costs is in float32


def test_an_image_is_coded_alike_whatever_it_is_coded_with(
    codec: Codec, digits: np.ndarray
) -> None:
    one_at_a_time = Codec(codec.model, batch_size=1)
    data = codec.compress(digits[:9], group_size=2, effort=EFFORT)
    assert one_at_a_time.compress(digits[:9], group_size=2, effort=EFFORT) == data


def test_the_least_effort_is_the_default_and_nothing_takes_any(
    codec: Codec, digits: np.ndarray
) -> None:
    assert codec.compress(digits[:3], effort=1) == codec.compress(digits[:3])
    assert codec.compress(digits[:0], effort=EFFORT) == codec.compress(digits[:0])


@pytest.mark.parametrize("effort", [0, -1, 257, 2.0, True, "best"])
def test_bad_efforts_are_refused(codec: Codec, digits: np.ndarray, effort: object) -> None:
    with pytest.raises(InputError, match=f"effort is {effort!r}: it must be an integer from 1"):
        codec.compress(digits[:1], effort=effort)
