"""Arrival times of a segment of candidates, as in `rec.arrivals`."""

import numpy as np

from recvae.jit import inlined, kernel
from recvae.rec import arrivals
from recvae.rec.search.numba.constants import U64

ORDERED, UNORDERED, POISSON = range(3)
ARRIVALS = {"ordered": ORDERED, "unordered": UNORDERED, "poisson": POISSON}

_MANTISSA_MASK, _ONE_PATTERN = U64(arrivals.MANTISSA_MASK), U64(arrivals.ONE_PATTERN)
_TIME_FRACTION = float(arrivals.TIME_FRACTION_BITS)


@inlined
def _series_log2(x):
    pattern = np.float64(x).view(np.uint64)
    exponent = np.float64(np.int32(np.int32(pattern >> U64(52)) - 1023))
    mantissa = U64((pattern & _MANTISSA_MASK) | _ONE_PATTERN).view(np.float64)
    large = mantissa > arrivals.SQRT_2
    exponent = exponent + 1.0 if large else exponent
    mantissa = mantissa * 0.5 if large else mantissa
    t = (mantissa - 1.0) / (mantissa + 1.0)
    square = t * t
    series = arrivals.SERIES[0]
    for coefficient in arrivals.SERIES[1:]:
        series = series * square + coefficient
    return exponent + t * series * arrivals.TWO_OVER_LN_2


@kernel
def arrive(first, width, kind, num_candidates, words, time, log_times):
    """Fill log_times; return the time of the segment's last candidate."""
    constant = np.float64(num_candidates if kind == UNORDERED else 1)
    left = np.float64(num_candidates - first)
    for i in range(width):
        exponential_bits = 33.0 - _series_log2(2.0 * np.float64(words[i]) + 1.0)
        factor = num_candidates / (left - np.float64(np.int32(i)))
        factor = factor if kind == ORDERED else constant
        log_times[i] = exponential_bits * arrivals.NATS_TO_TIME * factor
    for i in range(width):
        since_last = np.int64(log_times[i]) + 1
        time = since_last if kind == UNORDERED else time + since_last
        log_times[i] = np.float64(time)
    for i in range(width):
        log_times[i] = _series_log2(log_times[i]) - _TIME_FRACTION
    return time
