"""Codes for the rank: what the entropy coder sends after the bin.

A code cuts the ranks 0 .. N-1 into buckets of 2^w consecutive ranks. The bucket is coded with a
frequency, the place within it with w raw bits. Frequencies are integers that sum to 2^24: fitted
once with floats, they are stored as they are, so that all machines code with the same ones.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recvae.exact.frequencies import PRECISION_BITS
from recvae.rec.arrivals import MAX_LOG2_CANDIDATES

# Zeta buckets hold ranks that agree in this many bits after the leading one of rank + 1: within a
# bucket zeta's own probabilities differ by less than a factor 1.01 to the power s.
ZETA_MANTISSA_BITS = 7

LOG2_E_OVER_E = math.log2(math.e) / math.e


@dataclass(frozen=True)
class IndexCode:
    """Frequencies of buckets of ranks.

    Args:
        frequencies: one integer >= 1 a bucket; their sum is 2^24.
        raw_bits: w of each bucket: it holds the 2^w ranks after those of the buckets before it.

    Raises:
        ValueError: if the arguments are not such.
    """

    frequencies: tuple[int, ...]
    raw_bits: tuple[int, ...]

    def __post_init__(self) -> None:
        given = self.frequencies
        if not all(type(f) is int and f >= 1 for f in given) or sum(given) != 1 << PRECISION_BITS:
            raise ValueError("frequencies: got others, need integers >= 1 with the sum 2^24")
        if len(self.raw_bits) != len(given):
            raise ValueError(f"raw_bits: got {len(self.raw_bits)}, need {len(given)}, one a bucket")
        if not all(type(w) is int and 0 <= w <= MAX_LOG2_CANDIDATES for w in self.raw_bits):
            raise ValueError(f"raw_bits: got {self.raw_bits}, need integers in [0, 24]")

    @cached_property
    def _starts(self) -> Tensor:
        """First rank of each bucket, and one past the last rank."""
        return torch.tensor([0, *(1 << w for w in self.raw_bits)]).cumsum(0)

    def split(self, ranks: Tensor) -> tuple[Tensor, Tensor]:
        """Bucket of each rank and its place there, of raw_bits[bucket] bits; int64 like ranks.

        Raises:
            ValueError: if a rank lies outside all buckets.
        """
        starts = self._starts.to(ranks.device)
        if not bool(((ranks >= 0) & (ranks < starts[-1])).all()):
            raise ValueError(f"ranks: got one out of range, need [0, {int(starts[-1])})")
        buckets = torch.searchsorted(starts, ranks.contiguous(), right=True) - 1
        return buckets, ranks - starts[buckets]

    def join(self, buckets: Tensor, places: Tensor) -> Tensor:
        """Inverse of `split`."""
        return self._starts.to(buckets.device)[buckets] + places

    def bits(self, ranks: Tensor) -> Tensor:
        """Ideal code length of ranks, float64 of their shape."""
        buckets, _ = self.split(ranks)
        frequencies = torch.tensor(self.frequencies, dtype=torch.float64, device=ranks.device)
        raw_bits = torch.tensor(self.raw_bits, device=ranks.device)
        return PRECISION_BITS - torch.log2(frequencies)[buckets] + raw_bits[buckets]

    def to_json(self) -> dict[str, list[int]]:
        """Plain integers, for a model file."""
        return {"frequencies": list(self.frequencies), "raw_bits": list(self.raw_bits)}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "IndexCode":
        """Inverse of `to_json`; raises ValueError where the fields do not make a code."""
        if set(fields) != {"frequencies", "raw_bits"}:
            raise ValueError(f"index code: got fields {sorted(fields)}, need frequencies, raw_bits")
        return IndexCode(tuple(fields["frequencies"]), tuple(fields["raw_bits"]))


def fit_bucket_code(ranks: Tensor, num_candidates: int) -> IndexCode:
    """A histogram over e = floor(log2(rank + 1)), with e raw bits in bucket e.

    Args:
        ranks: (n,) int64 in [0, num_candidates), as coded on training data; n may be 0.
        num_candidates: N, in [1, 2^24].

    Raises:
        ValueError: if an argument is out of its range.
    """
    _check_ranks(ranks, num_candidates)
    buckets = np.frexp(_to_numpy(ranks) + 1.0)[1] - 1
    counts = np.bincount(buckets, minlength=num_candidates.bit_length())
    # Half an observation each (Krichevsky and Trofimov) for the buckets not seen in training.
    return IndexCode(_to_frequencies(counts + 0.5), tuple(range(len(counts))))


def zeta_code(exponent: float, num_candidates: int) -> IndexCode:
    """The zeta distribution, P(rank) ~ (rank + 1)^-exponent, cut off at num_candidates.

    Args:
        exponent: s, in [0, 64].
        num_candidates: N, in [1, 2^24].

    Raises:
        ValueError: if an argument is out of its range.
    """
    _check_num_candidates(num_candidates)
    if not 0 <= exponent <= 64:
        raise ValueError(f"exponent: got {exponent}, need a number in [0, 64]")
    raw_bits: list[int] = []
    masses: list[float] = []
    weights = np.arange(1.0, num_candidates + 1) ** -exponent
    start = 0
    while start < num_candidates:
        raw_bits.append(max(0, (start + 1).bit_length() - 1 - ZETA_MANTISSA_BITS))
        stop = start + (1 << raw_bits[-1])
        masses.append(weights[start:stop].sum())
        start = stop
    return IndexCode(_to_frequencies(np.array(masses)), tuple(raw_bits))


def zeta_exponent(kl_bits: float) -> float:
    """The exponent with which a zeta code meets the bound of the Poisson functional representation.

    s = 1 + 1 / (KL + log2(e)/e + 1), KL in bits; of a block's rank within its bin, KL - log2 J.
    Source: Li & El Gamal, "Strong functional representation lemma" (2018), section III.
    """
    return 1 + 1 / (max(kl_bits, 0.0) + LOG2_E_OVER_E + 1)


def fit_zeta_exponent(ranks: Tensor, num_candidates: int) -> float:
    """The exponent under which the ranks are likeliest, in [0, 64].

    Args:
        ranks: (n,) int64 in [0, num_candidates), n at least 1.
        num_candidates: N, in [1, 2^24].

    Raises:
        ValueError: if an argument is out of its range.
    """
    _check_ranks(ranks, num_candidates)
    if not len(ranks):
        raise ValueError("ranks: got none, need at least one to fit")
    observed = float(np.log(_to_numpy(ranks) + 1.0).mean())
    logs = np.log(np.arange(1.0, num_candidates + 1))
    low, high = 0.0, 64.0
    # At the maximum the mean of log(rank + 1) is the observed one; it falls with the exponent.
    for _ in range(50):
        middle = (low + high) / 2
        weights = np.exp(-middle * logs)
        low, high = (middle, high) if weights @ logs > observed * weights.sum() else (low, middle)
    return (low + high) / 2


def _to_numpy(ranks: Tensor) -> np.ndarray:
    return ranks.cpu().numpy()


def _to_frequencies(weights: np.ndarray) -> tuple[int, ...]:
    """Integers >= 1 that sum to 2^24, in proportion to weights but for rounding."""
    spread = (1 << PRECISION_BITS) - len(weights)
    frequencies = 1 + np.floor(weights / weights.sum() * spread).astype(np.int64)
    frequencies[weights.argmax()] += (1 << PRECISION_BITS) - frequencies.sum()
    return tuple(frequencies.tolist())


def _check_num_candidates(num_candidates: int) -> None:
    if not 1 <= num_candidates <= 1 << MAX_LOG2_CANDIDATES:
        raise ValueError(f"num_candidates: got {num_candidates}, need 1 to 2^24")


def _check_ranks(ranks: Tensor, num_candidates: int) -> None:
    _check_num_candidates(num_candidates)
    if ranks.dtype != torch.int64 or ranks.dim() != 1:
        given = f"{ranks.dtype} of shape {tuple(ranks.shape)}"
        raise ValueError(f"ranks: got {given}, need torch.int64 of shape (n,)")
    if not bool(((ranks >= 0) & (ranks < num_candidates)).all()):
        raise ValueError(f"ranks: got one out of range, need [0, {num_candidates})")
