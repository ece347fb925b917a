"""Functions of integers as tables: computed by `decimal`, the same everywhere, unlike libm's."""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache

import numpy as np
from numpy.typing import NDArray

MAX_DIFFERENCE = 255
MAX_SIXTEENTHS = 16 * 255
_CONTEXT = Context(prec=40)

Table = NDArray[np.int32]


def _table(size: int, function: Callable[[Decimal], Decimal]) -> Table:
    """The function of 0, 1, ..., rounded to integers, halves to even."""
    values = (function(Decimal(i)).quantize(Decimal(1), ROUND_HALF_EVEN) for i in range(size))
    table = np.array([int(value) for value in values], dtype=np.int32)
    table.flags.writeable = False
    return table


@cache
def difference_table() -> Table:
    """A difference d from -255 to 255 at place d + 255: about 44 sign(d) log(1 + |d| / 16)."""
    def stretch(d: Decimal) -> Decimal:
        return (44 * _CONTEXT.ln(1 + abs(d) / 16)).copy_sign(d)

    return _table(2 * MAX_DIFFERENCE + 1, lambda i: stretch(i - MAX_DIFFERENCE))


@cache
def magnitude_table() -> Table:
    """A magnitude of i / 16 levels, i from 0 to 4,080: about 16 log2(1 + i / 16), at most 127."""
    log_2 = _CONTEXT.ln(Decimal(2))
    most = Decimal(127)
    return _table(MAX_SIXTEENTHS + 1, lambda i: min(16 * _CONTEXT.ln(1 + i / 16) / log_2, most))


WEIGHT_BITS = 20
UNIT = 256  # of what the network says: 1 is 2^-8


@cache
def weight_table() -> Table:
    """2^20 exp(-i / 256), rounded, for i = 0, 1, ... to the first that is 0."""
    size = 1 + int(UNIT * _CONTEXT.ln(Decimal(2 << WEIGHT_BITS)))
    return _table(size + 1, lambda i: (1 << WEIGHT_BITS) * _CONTEXT.exp(-i / UNIT))


LEAST_LOG_SCALE, MOST_LOG_SCALE = -896, 1280  # 1/256 nats: 0.03 to 148 grey values
INVERSE_BITS = 12


@cache
def inverse_scale_table() -> Table:
    """2^12 / s for log s from -3.5 to 5 in steps of 1/256."""
    size = MOST_LOG_SCALE - LEAST_LOG_SCALE + 1
    return _table(size, lambda i: (1 << INVERSE_BITS) * _CONTEXT.exp(-(i + LEAST_LOG_SCALE) / UNIT))


LOGISTIC_BITS = 22
LOGISTIC_STEPS = 64  # entries for each unit
LOGISTIC_RANGE = 16


@cache
def logistic_table() -> Table:
    """2^22 / (1 + exp(-t)) for t from -16 to 16 in steps of 1/64."""
    half = LOGISTIC_STEPS * LOGISTIC_RANGE
    return _table(
        2 * half + 1,
        lambda i: (1 << LOGISTIC_BITS) / (1 + _CONTEXT.exp((half - i) / LOGISTIC_STEPS)),
    )
