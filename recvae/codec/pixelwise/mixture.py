"""A mixture of discretised logistic distributions as frequencies, in integers.

The integer form of `recvae.pixelwise.network.law_bits`: outputs are in 1/256. All channels share
their components: the value of one channel is evidence about the next.
With w the weights, which sum to 2^16, and S(t) 2^22 times the logistic function, symbol v begins at

    v + (sum_k w_k S((v - 1/2 - mean_k) / scale_k)) (2^24 - 256) / 2^38       rounded down

in 2^24; symbol 0 begins at 0. All functions are compiled by numba.
"""

from collections import namedtuple

import numpy as np

from recvae.jit import bare_inlined, inlined
from recvae.kernels.range_coder import TOTAL
from recvae.pixelwise.tables import (
    INVERSE_BITS,
    LEAST_LOG_SCALE,
    LOGISTIC_BITS,
    LOGISTIC_RANGE,
    LOGISTIC_STEPS,
    MOST_LOG_SCALE,
    logistic_table,
)

LEVELS = 256
MIX_BITS = 16
MEAN_BITS = 5  # means are in 1/32 grey values
FIRST_LOG_SCALE = 384  # 1.5
_FRACTION_BITS = MEAN_BITS + INVERSE_BITS - 6  # in the table's steps of 1/64
_FRACTION = (1 << _FRACTION_BITS) - 1
_MIDDLE = (LOGISTIC_RANGE * LOGISTIC_STEPS) << _FRACTION_BITS

LOGIT_BITS = 10


def logit_table():
    """The inverse of the logistic table, in its steps, at (i + 1/2) / 2^10: a first guess."""
    places = ((np.arange(1 << LOGIT_BITS) << 1) + 1) << (LOGISTIC_BITS - LOGIT_BITS - 1)
    entries = np.searchsorted(logistic_table(), places) - LOGISTIC_RANGE * LOGISTIC_STEPS
    return (entries << _FRACTION_BITS).astype(np.int32)


Mixture = namedtuple("Mixture", "weights means inverses below above ends")
"""K components: weights, (k,) int64; means, in 1/32, and 2^12 / scale, (k,) int64 each; the
logistic function at the lower and upper end of the value, and scratch space, (k,) int64 each."""


@inlined
def new_mixture(components):
    """A mixture of `components` components."""
    return Mixture(
        np.zeros(components, np.int64),
        np.zeros(components, np.int64),
        np.zeros(components, np.int64),
        np.zeros(components, np.int64),
        np.zeros(components, np.int64),
        np.zeros(components, np.int64),
    )


@bare_inlined
def weigh(mixture, outputs, weight_table):
    """Begin a pixel: weights from their logarithms."""
    weights = mixture.weights
    most = outputs[0]
    for k in range(1, weights.size):
        most = max(most, outputs[k])
    for k in range(weights.size):
        weights[k] = weight_table[min(np.int64(most - outputs[k]), weight_table.size - 1)]
    _normalise(weights)


@bare_inlined
def place(mixture, outputs, state, c, inverse_table):
    """Begin channel `c`: means and scales, given the `context.State` of the pixel."""
    channels, components, median = state.medians.size, mixture.weights.size, state.medians[c]
    further = np.int64(state.predictions[c] - 16 * median)
    first_pair = 1 + 3 * channels + c * (c - 1) // 2
    for k in range(components):
        mean = outputs[components * (1 + c) + k] + (np.int64(median) << MEAN_BITS)
        mean += (outputs[components * (1 + 2 * channels + c) + k] * further) >> 7
        for before in range(c):
            follow = np.int64(outputs[components * (first_pair + before) + k])
            mean += (follow * state.own[before]) >> 3
        mixture.means[k] = mean
        log_scale = outputs[components * (1 + channels + c) + k] + FIRST_LOG_SCALE
        log_scale = min(max(log_scale, LEAST_LOG_SCALE), MOST_LOG_SCALE)
        mixture.inverses[k] = inverse_table[log_scale - LEAST_LOG_SCALE]


@bare_inlined
def begins(mixture, value, logistic, ends):
    """The start of the symbol `value`, 0 to 256, in 2^24; stores the logistic values in `ends`."""
    if value <= 0:
        ends[:] = 0
        return np.int64(0)
    if value >= LEVELS:
        ends[:] = 1 << LOGISTIC_BITS
        return np.int64(TOTAL)
    total = np.int64(0)
    for k in range(ends.size):
        steps = steps_to(mixture, k, value) + _MIDDLE
        whole = steps >> _FRACTION_BITS
        first = np.int64(logistic[whole])
        rise = logistic[whole + 1] - first
        ends[k] = first + ((rise * (steps & _FRACTION)) >> _FRACTION_BITS)
        total += mixture.weights[k] * ends[k]
    return value + ((total * (TOTAL - LEVELS)) >> (MIX_BITS + LOGISTIC_BITS))


@bare_inlined
def copy(given, to):
    """Copy one value for each component: a slice would be slower in numba."""
    for k in range(to.size):
        to[k] = given[k]


@bare_inlined
def steps_to(mixture, k, value):
    """From the mean of component `k` to the lower end of `value`, in 2^-17 of its scale."""
    at = (value << MEAN_BITS) - (1 << (MEAN_BITS - 1))
    steps = (at - mixture.means[k]) * mixture.inverses[k]
    return min(max(steps, -_MIDDLE), _MIDDLE - 1)


@bare_inlined
def narrow(mixture):
    """Reweight components by the probability they gave the value between `below` and `above`."""
    weights = mixture.weights
    for k in range(weights.size):
        weights[k] = ((weights[k] * (mixture.above[k] - mixture.below[k])) >> 8) + 1
    _normalise(weights)


@bare_inlined
def _normalise(weights):
    """Scale weights, non-negative and not all 0, to the sum 2^16."""
    total = np.int64(0)
    for k in range(weights.size):
        total += weights[k]
    left = np.int64(1 << MIX_BITS)
    for k in range(weights.size):
        # Both are below 2^53, so the quotient in floats has the same floor, and is faster.
        weights[k] = np.int64(np.float64(weights[k] << MIX_BITS) / np.float64(total))
        left -= weights[k]
    weights[0] += left
