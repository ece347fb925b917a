"""The smallest possible pixelwise model, and pictures for it."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.codec.pixelwise.quantise import quantise
from recvae.pixelwise.arguments import PixelArguments
from recvae.pixelwise.lightning import PixelPredictor

RGB = PixelArguments(hidden=(17, 9), components=3, reach=(2, 1, 0), filter_reach=(2, 1))
GREY = PixelArguments(hidden=(8, 16), components=2, reach=(1, 1), filter_reach=(1, 1))


@cache
def tiny_module(seed: int = 0) -> PixelPredictor:
    """A network of random weights that all have an effect, and non-zero filters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = PixelPredictor(RGB, GREY)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter += torch.randn_like(parameter) * 0.03
            for channels in (1, 3):
                start = getattr(module, f"filters_{channels}")
                start += torch.randn_like(start) * 2000
    return module.eval().requires_grad_(False)


@cache
def tiny_model(seed: int = 0) -> PixelwiseModel:
    """The same in integers."""
    return quantise(tiny_module(seed), "tiny", {"note": "random"})


def uncorrected(model: PixelwiseModel) -> PixelwiseModel:
    """The same without corrections of its networks' outputs."""
    networks = {
        channels: replace(own, arguments=replace(own.arguments, corrected=False))
        for channels, own in model.networks.items()
    }
    return replace(model, networks=networks)


def smooth(count: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Nearly photographs: (count, height, width), or (count, height, width, channels) of 2 to 4."""
    random = np.random.default_rng([height, width, channels])
    y, x = np.mgrid[:height, :width]
    pictures = np.zeros((count, height, width, channels))
    for picture, channel in np.ndindex(count, channels):
        down, right, phase = random.uniform(0.02, 0.3, 3)
        pictures[picture, ..., channel] = 128 + 90 * np.sin(down * y + right * x + 20 * phase)
    pictures += random.normal(0, 3, pictures.shape)
    pixels = np.clip(pictures, 0, 255).astype(np.uint8)
    return pixels if channels > 1 else pixels[..., 0]


def noise(count: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    """Noise in the shapes of `smooth`."""
    shape = (count, height, width, channels) if channels > 1 else (count, height, width)
    return np.random.default_rng([height, width, channels]).integers(0, 256, shape, np.uint8)


def drawn(height: int, width: int, channels: int = 3) -> np.ndarray:
    """A pattern of glyphs in few colours, one picture in the shapes of `smooth`."""
    random = np.random.default_rng(0)
    glyphs = random.integers(0, 2, (3, 7, 5)).repeat(2, 1)
    page = np.block(
        [[glyphs[random.integers(3)] for _ in range(-(-width // 5))]] * -(-height // 14)
    )
    colours = np.array([[250, 250, 240, 255], [20, 30, 90, 128]], np.uint8)[:, :channels]
    pixels = colours[page[None, :height, :width]]
    return pixels if channels > 1 else pixels[..., 0]
