"""Arrival times of the race, the same to the last bit on every device.

Times are integers in units of 2^-32, so that their running sum is exact in any order. Logarithms
are a short series of float64 operations that IEEE 754 rounds in one way only; libm's would differ
between devices, and between eager and fused code.
"""

import math

import torch
from torch import Tensor

MAX_LOG2_CANDIDATES = 24
TIME_FRACTION_BITS = 32
NATS_TO_TIME = math.log(2) * 2.0**TIME_FRACTION_BITS

SQRT_2 = math.sqrt(2)
TWO_OVER_LN_2 = 2 / math.log(2)
SERIES = (1 / 9, 1 / 7, 1 / 5, 1 / 3, 1.0)
MANTISSA_MASK = (1 << 52) - 1
ONE_PATTERN = 1023 << 52


def series_log2(x: Tensor) -> Tensor:
    """log2 of positive float64 numbers, to a relative error below 2^-28.

    x = 2^e m with m around 1, and log m = 2 artanh(t), t = (m - 1) / (m + 1).
    """
    pattern = x.view(torch.int64)
    exponent = ((pattern >> 52) - 1023).double()
    mantissa = ((pattern & MANTISSA_MASK) | ONE_PATTERN).view(torch.float64)
    large = mantissa > SQRT_2
    exponent = torch.where(large, exponent + 1.0, exponent)
    mantissa = torch.where(large, mantissa * 0.5, mantissa)
    t = (mantissa - 1.0) / (mantissa + 1.0)
    square = t * t
    series = torch.full_like(t, SERIES[0])
    for coefficient in SERIES[1:]:
        series = series * square + coefficient
    return exponent + t * series * TWO_OVER_LN_2


def log2_ordered_arrivals(words: Tensor) -> Tensor:
    """log2 T_n of ordered random coding, T = cumsum(Exp(1) * N / (N - n)).

    These are the sorted values of N exponentials of mean N: the race has the law of N independent
    runners, and yet the early candidates tend to win.

    Args:
        words: (batch, N) int64 uniforms in [0, 2^32), N at most 2^24.

    Returns:
        (batch, N) float64, bits.
    """
    num_candidates = words.shape[1]
    # The uniform is (word + 1/2) / 2^32.
    exponential_bits = 33.0 - series_log2((2 * words + 1).double())
    left = torch.arange(num_candidates, 0, -1, device=words.device).double()
    spacings = exponential_bits * NATS_TO_TIME * (num_candidates / left)
    # At least one unit each: the logarithm needs T > 0.
    times = torch.cumsum(spacings.long() + 1, dim=1)
    return series_log2(times.double()) - float(TIME_FRACTION_BITS)
