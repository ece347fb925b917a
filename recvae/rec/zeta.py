"""The zeta distribution as a code for the rank: P(rank) ~ (rank + 1)^-s, cut off at N."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recvae.rec.index_codes import IndexCode, check_num_candidates, check_ranks, to_frequencies

Array: TypeAlias = NDArray[np.float64]

# Buckets hold ranks that agree in this many bits after the leading one of rank + 1: within a
# bucket zeta's own probabilities differ by less than a factor of 1.01 to the power s.
MANTISSA_BITS = 7
MAX_EXPONENT = 64.0

LOG2_E_OVER_E = math.log2(math.e) / math.e


def zeta_code(exponent: float, num_candidates: int) -> IndexCode:
    """The zeta distribution's code.

    Args:
        exponent: s, in [0, 64].
        num_candidates: N, in [1, 2^40]. Time and memory grow with log N.

    Raises:
        ValueError: if an argument is out of range.
    """
    check_num_candidates(num_candidates)
    if not 0 <= exponent <= MAX_EXPONENT:
        raise ValueError(f"exponent: got {exponent}, need a number in [0, 64]")
    raw_bits = _bucket_bits(num_candidates)
    masses, _ = _masses(exponent, *_bucket_terms(raw_bits, num_candidates))
    return IndexCode(to_frequencies(masses), tuple(raw_bits))


def zeta_exponent(kl_bits: float, excess_bits: float = LOG2_E_OVER_E) -> float:
    """The exponent for which a zeta code meets an algorithm's bound: 1 + 1 / (KL + excess + 1).

    Args:
        kl_bits: KL in bits; for a block's rank within its bin, KL - log2 J; below 0 it counts as 0.
        excess_bits: by how much E[log2 index] may exceed the KL. The default, log2(e) / e, is for
            the Poisson functional representation; greedy Poisson rejection sampling has 0.

    Source: Li & El Gamal, "Strong functional representation lemma" (2018), section III; Flamich,
    "Greedy Poisson rejection sampling" (2023).
    """
    return 1 + 1 / (max(kl_bits, 0.0) + excess_bits + 1)


def fit_zeta_exponent(ranks: Tensor, num_candidates: int) -> float:
    """The maximum likelihood exponent for the ranks, in [0, 64].

    Args:
        ranks: (n,) int64 in [0, num_candidates), n at least 1.
        num_candidates: N, in [1, 2^40].

    Raises:
        ValueError: if an argument is out of range.
    """
    check_ranks(ranks, num_candidates)
    if not len(ranks):
        raise ValueError("ranks: got none, need at least one to fit")
    observed = float(np.log(ranks.cpu().numpy() + 1.0).mean())
    terms = _bucket_terms(_bucket_bits(num_candidates), num_candidates)
    low, high = 0.0, MAX_EXPONENT
    # At the maximum the mean of log(rank + 1) equals the observed one; it falls with the exponent.
    for _ in range(50):
        middle = (low + high) / 2
        masses, mean_logs = _masses(middle, *terms)
        too_low = masses @ mean_logs > observed * masses.sum()
        low, high = (middle, high) if too_low else (low, middle)
    return (low + high) / 2


def _bucket_bits(num_candidates: int) -> list[int]:
    """Raw bits of the buckets for the ranks below N; the last is no larger than needed."""
    raw_bits: list[int] = []
    start = 1  # of rank + 1
    while start <= num_candidates:
        width = max(0, start.bit_length() - 1 - MANTISSA_BITS)
        raw_bits.append(min(width, (num_candidates - start).bit_length()))
        start += 1 << raw_bits[-1]
    return raw_bits


def _bucket_terms(raw_bits: list[int], num_candidates: int) -> tuple[Array, Array]:
    """The number of the integers 1 .. N in each bucket, and their mean."""
    stops = np.cumsum([0, *(1 << w for w in raw_bits)])
    stops[-1] = num_candidates
    return np.diff(stops).astype(float), (stops[:-1] + stops[1:] + 1) / 2


def _masses(exponent: float, counts: Array, middles: Array) -> tuple[Array, Array]:
    """Sums of k^-s over each bucket, and the means of log k under it.

    With n integers around m, sum k^-s = n m^-s (1 + s (s + 1) (n^2 - 1) / (24 m^2) + ...): exact
    for n = 1, and n / m < 2^-7 leaves a relative error below (s + 3)^4 2^-38. The mean is -d/ds of
    the sum's logarithm.
    """
    curvature = (np.square(counts) - 1) / (24 * np.square(middles))
    growth = 1 + exponent * (exponent + 1) * curvature
    masses = counts * middles**-exponent * growth
    return masses, np.log(middles) - curvature * (2 * exponent + 1) / growth
