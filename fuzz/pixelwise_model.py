"""Target: the loader of pixelwise models. Inputs are as for `model`."""

import json
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fuzz.invariants import refusal_is_one_line, scratch
from fuzz.model import SEPARATOR, WHOLE_FILE, folder_of, mutate, parts_of
from recvae.codec import load_model
from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.codec.pixelwise.networks import IntegerNetwork
from recvae.images.spec import GREY, RGB
from recvae.pixelwise.arguments import PixelArguments

__all__ = ["check", "mutate", "seeds"]

SMALLEST = PixelArguments((8, 8), 1, (1, 0), (1, 0), 1)
ODD = PixelArguments((17, 9), 3, (3, 2, 0), (2, 1))
WIDEST = PixelArguments((16, 24), 2, (4, 4, 4, 4), (4, 4, 4, 4), 500_000, corrected=False)
LARGEST = ((2000, 0), (3000, 1 << 20), (1500, 1 << 24))  # weight and bias of each layer
SHIFTS = (10, 13, 16)
START = 1 << 14  # for filters


def seeds() -> Iterator[bytes]:
    """The parts of each model, and some of its tensors; one as a whole file."""
    for model in tiny_models():
        text, header, data, _ = parts_of(model)
        yield bytes([0]) + SEPARATOR.join([text, header, data])
        yield bytes([0]) + SEPARATOR.join([text, header, data[: len(data) // 2]])
    text, _, _, weights = parts_of(tiny_models()[0])
    yield bytes([WHOLE_FILE]) + SEPARATOR.join([text, b"", weights])


@cache
def tiny_models() -> list[PixelwiseModel]:
    """Models with random weights: the smallest, one of odd sizes, one with the widest context."""
    return [tiny_model(SMALLEST, ODD), tiny_model(ODD, SMALLEST), tiny_model(WIDEST, WIDEST)]


def tiny_model(grey: PixelArguments, rgb: PixelArguments) -> PixelwiseModel:
    """A model with random weights, with which outputs occasionally reach their bounds."""
    networks = {GREY: _random_network(grey, GREY), RGB: _random_network(rgb, RGB)}
    return PixelwiseModel(name="tiny", networks=networks, metadata={"note": "random"})


def _random_network(arguments: PixelArguments, channels: int) -> IntegerNetwork:
    random = np.random.default_rng(channels)

    def up_to(largest: int, *shape: int) -> NDArray[np.int64]:
        return random.integers(-largest, largest, shape, endpoint=True)

    sizes = zip(arguments.layer_sizes(channels), LARGEST, strict=True)
    layers = [(up_to(w, o, i), up_to(b, o)) for (i, o), (w, b) in sizes]
    return IntegerNetwork(
        arguments,
        tuple(weights.astype(np.int16) for weights, _ in layers),
        tuple(bias.astype(np.int32) for _, bias in layers),
        SHIFTS,
        up_to(START, channels, arguments.num_filter_inputs(channels)).astype(np.int32),
    )


def pictures_for(height: int, width: int, channels: int, count: int = 1) -> NDArray[np.uint8]:
    """Smooth pictures; the lower half of each has few colours, as has its alpha."""
    random = np.random.default_rng([height, width, channels])
    y, x = np.mgrid[:height, :width]
    shape = (count, height, width, channels)
    slopes = random.uniform(-6, 6, (2, count, 1, 1, channels))
    pixels = 128 + slopes[0] * y[..., None] + slopes[1] * x[..., None] + random.normal(0, 4, shape)
    drawn = (random.random(shape) < 0.1) * 255
    of_few = np.broadcast_to((y >= height // 2)[..., None], shape[1:]).copy()
    of_few[..., 3 if channels > 2 else 1 :] = True
    pixels = np.where(of_few, drawn, pixels).clip(0, 255).astype(np.uint8)
    return pixels if channels > 1 else pixels[..., 0]


def check(data: bytes) -> None:
    """Check that a model that loads matches its hash, saves identically, and codes."""
    folder = folder_of(data)
    with refusal_is_one_line():
        model = load_model(folder)
        if not isinstance(model, PixelwiseModel):
            return
        assert model.hash == json.loads((folder / "model.json").read_bytes())["hash"]
        copy = scratch("copy")
        copy.mkdir(exist_ok=True)
        model.save(copy)
        assert load_model(copy).file_id == model.file_id
        for channels in model.channels:
            pictures = pictures_for(5, 9, channels)
            groups, _ = model.encode(pictures, 1)
            assert np.array_equal(model.decode(groups), pictures)
            assert model.written(groups) == [True]
