"""Arrival times of the race, the same to the last bit on every device.

Times are integers in units of 2^-32, so that their running sum is exact in any order. Logarithms
are a short series of float64 operations that IEEE 754 rounds in one way only; libm's would differ
between devices, and between the backends of the search.
"""

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Arrivals: TypeAlias = Literal["ordered", "unordered", "poisson"]

MAX_LOG2_CANDIDATES = 24  # for ordered and unordered arrivals
MAX_LOG2_POISSON_CANDIDATES = 30
TIME_FRACTION_BITS = 32
NATS_TO_TIME = math.log(2) * 2.0**TIME_FRACTION_BITS

SQRT_2 = math.sqrt(2)
TWO_OVER_LN_2 = 2 / math.log(2)
SERIES = (1 / 9, 1 / 7, 1 / 5, 1 / 3, 1.0)
MANTISSA_MASK = (1 << 52) - 1
ONE_PATTERN = 1023 << 52


def check_cap(max_candidates: int) -> None:
    """Raise ValueError for a cap on Poisson arrivals that is out of range."""
    if not 1 <= max_candidates <= 1 << MAX_LOG2_POISSON_CANDIDATES:
        raise ValueError(f"max_candidates: got {max_candidates}, need 1 to 2^30")


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


def arrival_times(words: Tensor, start: int, arrivals: Arrivals, num_candidates: int) -> Tensor:
    """Arrival times of the candidates start, start + 1, .., relative to the one before start.

    Args:
        words: (batch, n) int64 uniforms in [0, 2^32).
        start: index of the first of these candidates.
        arrivals: "poisson": T = cumsum(Exp(1)). "ordered": T = cumsum(Exp(1) * N / (N - n)), the
            sorted values of N exponentials of mean N: the race has the law of N independent
            runners, yet early candidates tend to win. "unordered": those runners.
        num_candidates: N, at most 2^30, or 2^24 for ordered and unordered ones.

    Returns:
        (batch, n) int64 in units of 2^-32, at least one unit each.
    """
    # The uniform is (word + 1/2) / 2^32.
    exponential_bits = 33.0 - series_log2((2 * words + 1).double())
    times = exponential_bits * NATS_TO_TIME
    if arrivals == "unordered":
        return (times * float(num_candidates)).long() + 1
    if arrivals == "ordered":
        n = torch.arange(start, start + words.shape[1], device=words.device)
        times = times * (num_candidates / (num_candidates - n).double())
    # One more unit each, as the logarithm needs T > 0.
    return torch.cumsum(times.long() + 1, dim=1)


def log2_times(times: Tensor) -> Tensor:
    """log2 T in bits, float64, of int64 times in units of 2^-32."""
    return series_log2(times.double()) - float(TIME_FRACTION_BITS)
