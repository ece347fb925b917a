"""Fixtures for the tests of the hierarchical coder."""

import numpy as np
import pytest

from codec.hierarchy.tiny import ONE_LAYER, smooth, tiny_model
from recvae.codec import Codec
from recvae.codec.hierarchy.model import PictureModel


@pytest.fixture(scope="session")
def model() -> PictureModel:
    """A model of two layers."""
    return tiny_model().with_quality(60)


@pytest.fixture(scope="session")
def one_layer() -> PictureModel:
    """A model of a single layer."""
    return tiny_model(ONE_LAYER).with_quality(60)


@pytest.fixture(scope="session")
def pictures_codec(model: PictureModel) -> Codec:
    return Codec(model)


@pytest.fixture(scope="session")
def large(pictures_codec: Codec) -> tuple[np.ndarray, bytes]:
    """A picture of four tiles and two layers, and its file."""
    picture = smooth(1, 300, 260)
    return picture, pictures_codec.compress(picture, channels=3)
