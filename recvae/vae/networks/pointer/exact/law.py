"""Laws of symbols as frequencies, in integers: as in `recvae.exact.frequencies`, with pointers.

With E(i) = floor(2^20 exp(-i / 2^f)), f fraction bits, class v of n has the weight E(max l - l_v),
times a factor if pointers lead to it, and the frequency

    1 + floor(weight_v (2^24 - n) / sum of weights)        class 0 also gets the rest of 2^24.

All functions are compiled by numba.
"""

import numpy as np

from recvae.jit import bare, bare_inlined
from recvae.kernels.range_coder import TOTAL
from recvae.vae.networks.pointer.attention import MAX_STRENGTH

ONE = 22512  # floor(2^26 exp(-8)): a strength of 0, as in `strength`, and a share of 1
SHARE_BITS = 14
FACTOR_SHIFT = 8
MAX_WEIGHT_BITS = 38  # of the sum of weights, which times 2^24 must fit 63 bits


@bare_inlined
def strength(exponentials, logit, fraction_bits):
    """2^20 exp(logit - 8), for a logit clamped to -8 to 8."""
    most = MAX_STRENGTH << fraction_bits
    below = most - min(max(logit, -most), most)
    return np.int64(exponentials[min(below, exponentials.size - 1)])


@bare_inlined
def weigh(logits, exponentials, weights, count):
    """Set weights[v] = E(max l - l_v) for the first `count` logits."""
    most = logits[0]
    for v in range(1, count):
        most = max(most, logits[v])
    last = exponentials.size - 1
    for v in range(count):
        weights[v] = exponentials[min(most - logits[v], last)]


@bare_inlined
def point(weights, pointed, count):
    """Multiply weights for pointed[v], the sum of strength times share."""
    for v in range(count):
        weights[v] *= ONE + (pointed[v] >> FACTOR_SHIFT)


@bare
def count_up(weights, frequencies, count):
    """Set frequencies of the first `count` classes, int64, each at least 1, to the sum 2^24."""
    total = np.int64(0)
    for v in range(count):
        total += weights[v]
    shift = 0
    while total >> shift >= np.int64(1) << MAX_WEIGHT_BITS:
        shift += 1
    if shift > 0:
        total = np.int64(0)
        for v in range(count):
            weights[v] >>= shift
            total += weights[v]
    left = np.int64(TOTAL)
    for v in range(count):
        frequencies[v] = 1 + weights[v] * (TOTAL - count) // total
        left -= frequencies[v]
    frequencies[0] += left
