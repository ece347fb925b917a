"""Tables of functions, rounded: `decimal` computes them with 40 digits."""

from collections.abc import Callable, Iterable
from decimal import Decimal, localcontext

import numpy as np


def rounded(function: Callable[[Decimal], Decimal], numbers: Iterable[int]) -> list[int]:
    """A function of numbers, to the nearest integer."""
    with localcontext(prec=40):
        return [round(function(Decimal(number))) for number in numbers]


_ABOVE = rounded(lambda d: 44 * (1 + d / 16).ln(), range(256))
DIFFERENCES = {d: (d > 0) * _ABOVE[abs(d)] - (d < 0) * _ABOVE[abs(d)] for d in range(-255, 256)}
_LOG_2 = rounded(lambda d: 16 * (1 + d / 16).ln() / Decimal(2).ln(), range(16 * 255 + 1))
MAGNITUDES = [min(number, 127) for number in _LOG_2]

WEIGHTS = np.array(rounded(lambda d: (1 << 20) * (-d / 256).exp(), range(3728)))
INVERSES = np.array(rounded(lambda t: (1 << 12) * (-t / 256).exp(), range(-896, 1281)))
LOGISTIC = np.array(rounded(lambda t: (1 << 22) / (1 + (-t / 64).exp()), range(-1024, 1025)))
