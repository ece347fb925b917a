"""Corrections to a network's output: weights and scales of its components adapt to the picture.

Each of them, as a logarithm, has a bias and a gain, initially 0: the network's output o becomes
o + bias + gain * o. Both follow the gradient of the bits of earlier pixels: a network is trained
for all pictures, while the one at hand is noisier or smoother. Only every second pixel is learned
from, in a chessboard pattern: all of them would gain a tenth more and cost half as much time again.

All functions are compiled by numba except `new_corrections`.
"""

from collections import namedtuple
from typing import Any

import numpy as np

from recvae.codec.pixelwise.mixture import MEAN_BITS, steps_to
from recvae.jit import bare_inlined
from recvae.pixelwise.tables import INVERSE_BITS, LOGISTIC_BITS

UNIT_BITS = 16  # of gains and gradients, and of biases beyond the unit of outputs
MOST_SAID = 1 << 14  # 64 nats
MOST_BIAS, MOST_GAIN = 1 << 26, 1 << 16  # 4 nats, 1
MOST_SLOPE_BITS = 3  # of the logarithm of a component's probability against that of its scale
WEIGHT_RATE_BITS = 3  # how much faster weights learn than scales

_RECIPROCAL_BITS = 56

Corrections = namedtuple("Corrections", "biases gains said weights")
"""Rows are weights, then scales of each channel. biases, in 2^-16 of an output's unit, and gains,
in 2^-16: (rows, k) int64 each. said: the network's output for this pixel, (rows, k) int64. weights:
those of this pixel before its values were known, (k,) int64."""


def new_corrections(channels: int, components: int) -> Any:
    """The initial corrections, before any pixel."""
    biases, gains, said = np.zeros((3, 1 + channels, components), np.int64)
    return Corrections(biases, gains, said, np.zeros(components, np.int64))


@bare_inlined
def correct(corrections, outputs):
    """Correct the network's output for a pixel."""
    rows, components = corrections.said.shape
    for row in range(rows):
        first = (rows - 1 + row) * components if row else 0  # skips the means
        for k in range(components):
            said = min(max(np.int64(outputs[first + k]), -MOST_SAID), MOST_SAID)
            corrections.said[row, k] = said
            more = corrections.biases[row, k] + corrections.gains[row, k] * said
            outputs[first + k] = said + (more >> UNIT_BITS)


@bare_inlined
def learn_scales(corrections, mixture, c, value):
    """Learn from the value of channel `c`, before the mixture is conditioned on it."""
    weights, below, above = mixture.weights, mixture.below, mixture.above
    total = np.int64(1)
    for k in range(weights.size):
        total += weights[k] * (above[k] - below[k])
    reciprocal = (1 << _RECIPROCAL_BITS) // total
    for k in range(weights.size):
        slope = _flux(mixture, k, value, below[k]) - _flux(mixture, k, value + 1, above[k])
        most = (above[k] - below[k]) << MOST_SLOPE_BITS
        slope = min(max(slope >> (MEAN_BITS + INVERSE_BITS), -most), most)
        step = (weights[k] * slope * reciprocal) >> (_RECIPROCAL_BITS - UNIT_BITS)
        _learn(corrections, 1 + c, k, step)


@bare_inlined
def learn_weights(corrections, weights):
    """Learn from the posterior weights, once all values of the pixel are known."""
    for k in range(weights.size):
        _learn(corrections, 0, k, (weights[k] - corrections.weights[k]) << WEIGHT_RATE_BITS)


@bare_inlined
def _flux(mixture, k, value, logistic):
    """The lower end of the value, in scales from the mean, times the density there."""
    density = (logistic * ((1 << LOGISTIC_BITS) - logistic)) >> LOGISTIC_BITS
    return steps_to(mixture, k, value) * density


@bare_inlined
def _learn(corrections, row, k, step):
    bias = corrections.biases[row, k] + step
    gain = corrections.gains[row, k] + ((step * corrections.said[row, k]) >> UNIT_BITS)
    corrections.biases[row, k] = min(max(bias, -MOST_BIAS), MOST_BIAS)
    corrections.gains[row, k] = min(max(gain, -MOST_GAIN), MOST_GAIN)
