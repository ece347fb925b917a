"""From a quality to lambda, the price of a bit per pixel, for one network at all rates."""

import math

import torch
from torch import Tensor

MIN_QUALITY, MAX_QUALITY = 1, 100
LARGEST_PRICE, SMALLEST_PRICE = 3e-2, 3e-5
"""Lambda at qualities 1 and 100: the mean squared error, of values 0 to 1, that a bit per pixel
must save. In between its logarithm is linear in the quality."""


def position_of(quality: float) -> float:
    """Position of a quality in its range, 0 to 1."""
    return (quality - MIN_QUALITY) / (MAX_QUALITY - MIN_QUALITY)


def price_at(position: Tensor) -> Tensor:
    """Lambda at positions 0 to 1 of the range of qualities, of the same shape."""
    return LARGEST_PRICE * torch.exp(position * math.log(SMALLEST_PRICE / LARGEST_PRICE))
