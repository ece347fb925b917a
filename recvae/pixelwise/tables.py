"""Functions as tables of integers, the same on every machine.

They are computed in float64 and rounded. No libm is inaccurate enough to round a value the other
way, which a test checks.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

MAX_DIFFERENCE = 255
MAX_SIXTEENTHS = 16 * 255
UNIT = 256  # of the network's outputs: 1 is 2^-8
WEIGHT_BITS = 20
LEAST_LOG_SCALE, MOST_LOG_SCALE = -896, 1280  # 1/256 nats: 0.03 to 148 grey values
INVERSE_BITS = 12
LOGISTIC_BITS = 22
LOGISTIC_STEPS = 64  # entries for each unit
LOGISTIC_RANGE = 16

Table = NDArray[np.int32]


def _rounded(values: NDArray[np.float64]) -> Table:
    table = np.rint(values).astype(np.int32)
    table.flags.writeable = False
    return table


@cache
def difference_table() -> Table:
    """44 sign(d) log(1 + |d| / 16) at index d + 255, for a difference d from -255 to 255."""
    d = np.arange(-MAX_DIFFERENCE, MAX_DIFFERENCE + 1)
    return _rounded(44 * np.sign(d) * np.log1p(np.abs(d) / 16))


@cache
def magnitude_table() -> Table:
    """16 log2(1 + i / 16), at most 127, for a magnitude of i / 16 levels, i from 0 to 4,080."""
    i = np.arange(MAX_SIXTEENTHS + 1)
    return _rounded(np.minimum(16 * np.log2(1 + i / 16), 127))


@cache
def weight_table() -> Table:
    """2^20 exp(-i / 256) for i = 0, 1, ..., 3727; the last is 0."""
    i = np.arange(3728)
    return _rounded((1 << WEIGHT_BITS) * np.exp(-i / UNIT))


@cache
def inverse_scale_table() -> Table:
    """2^12 / s for log s from -3.5 to 5 in steps of 1/256."""
    i = np.arange(LEAST_LOG_SCALE, MOST_LOG_SCALE + 1)
    return _rounded((1 << INVERSE_BITS) * np.exp(-i / UNIT))


@cache
def logistic_table() -> Table:
    """2^22 / (1 + exp(-t)) for t from -16 to 16 in steps of 1/64."""
    half = LOGISTIC_STEPS * LOGISTIC_RANGE
    t = np.arange(-half, half + 1) / LOGISTIC_STEPS
    return _rounded((1 << LOGISTIC_BITS) / (1 + np.exp(-t)))
