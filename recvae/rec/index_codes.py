"""Codes for the rank, which the entropy coder sends after the bin.

A code divides the ranks 0 .. N-1 into buckets of 2^w consecutive ranks. The bucket is coded with a
frequency, the offset within it with w raw bits. Frequencies are integers that sum to 2^24: they are
fitted once in floats and then stored, so that all machines use the same ones.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recvae.exact.frequencies import PRECISION_BITS
from recvae.rec.devices import constant

MAX_LOG2_RANKS = 40  # of an index code; a model file may hold less
MAX_LOG2_REACH = 41  # of all buckets; the last one may begin below 2^40 and end above


@dataclass(frozen=True)
class IndexCode:
    """Frequencies of buckets of ranks.

    Args:
        frequencies: one integer >= 1 a bucket; their sum is 2^24.
        raw_bits: w of each bucket, in [0, 40]: a bucket holds the 2^w ranks after those of the
            buckets before it. Together they hold at most 2^41 ranks.

    Raises:
        ValueError: if the arguments are invalid.
    """

    frequencies: tuple[int, ...]
    raw_bits: tuple[int, ...]

    def __post_init__(self) -> None:
        given = self.frequencies
        if not all(type(f) is int and f >= 1 for f in given) or sum(given) != 1 << PRECISION_BITS:
            raise ValueError("frequencies: got others, need integers >= 1 with the sum 2^24")
        if len(self.raw_bits) != len(given):
            raise ValueError(f"raw_bits: got {len(self.raw_bits)}, need {len(given)}, one a bucket")
        if not all(type(w) is int and 0 <= w <= MAX_LOG2_RANKS for w in self.raw_bits):
            raise ValueError(f"raw_bits: got {self.raw_bits}, need integers in [0, 40]")
        if sum(1 << w for w in self.raw_bits) > 1 << MAX_LOG2_REACH:
            raise ValueError("raw_bits: got more than 2^41 ranks in all, need at most that")

    def _starts(self, device: torch.device) -> Tensor:
        """First rank of each bucket, then one past the last rank."""
        starts = tuple(accumulate((1 << w for w in self.raw_bits), initial=0))
        return constant(starts, torch.int64, device)

    def split(self, ranks: Tensor) -> tuple[Tensor, Tensor]:
        """Bucket of each rank and its offset in it, of raw_bits[bucket] bits; int64 like ranks.

        Raises:
            ValueError: if a rank lies outside all buckets.
        """
        starts = self._starts(ranks.device)
        if not bool(((ranks >= 0) & (ranks < starts[-1])).all()):
            raise ValueError(f"ranks: got one out of range, need [0, {int(starts[-1])})")
        buckets = torch.searchsorted(starts, ranks.contiguous(), right=True) - 1
        return buckets, ranks - starts[buckets]

    def join(self, buckets: Tensor, places: Tensor) -> Tensor:
        """Inverse of `split`."""
        return self._starts(buckets.device)[buckets] + places

    def bits(self, ranks: Tensor) -> Tensor:
        """Ideal code length of ranks in bits, float64 of their shape."""
        buckets, _ = self.split(ranks)
        frequencies = constant(self.frequencies, torch.float64, ranks.device)
        raw_bits = constant(self.raw_bits, torch.int64, ranks.device)
        return PRECISION_BITS - torch.log2(frequencies)[buckets] + raw_bits[buckets]

    def to_json(self) -> dict[str, list[int]]:
        """Plain integers, for a model file."""
        return {"frequencies": list(self.frequencies), "raw_bits": list(self.raw_bits)}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "IndexCode":
        """Inverse of `to_json`; raises ValueError if the fields do not make a code."""
        if set(fields) != {"frequencies", "raw_bits"}:
            raise ValueError(f"index code: got fields {sorted(fields)}, need frequencies, raw_bits")
        return IndexCode(tuple(fields["frequencies"]), tuple(fields["raw_bits"]))


def fit_bucket_code(ranks: Tensor, num_candidates: int) -> IndexCode:
    """Fit a histogram over e = floor(log2(rank + 1)), with e raw bits in bucket e.

    Args:
        ranks: (n,) int64 in [0, num_candidates), as coded on training data; n may be 0.
        num_candidates: N, in [1, 2^40].

    Raises:
        ValueError: if an argument is out of range.
    """
    check_ranks(ranks, num_candidates)
    buckets = np.frexp(ranks.cpu().numpy() + 1.0)[1] - 1
    counts = np.bincount(buckets, minlength=num_candidates.bit_length())
    # Half an observation is added to each bucket (Krichevsky and Trofimov).
    return IndexCode(to_frequencies(counts + 0.5), tuple(range(len(counts))))


def halving_code(num_buckets: int) -> IndexCode:
    """A code to start from: each bucket, of 2^e ranks, is half as likely as the one before."""
    weights = 2.0 ** -np.arange(num_buckets) + 1e-4
    return IndexCode(to_frequencies(weights), tuple(range(num_buckets)))


def fixed_length_code(num_candidates: int) -> IndexCode:
    """A code of ceil(log2 N) bits for all ranks, as in minimal random coding.

    Args:
        num_candidates: N, in [1, 2^40].

    Raises:
        ValueError: if N is out of range.
    """
    check_num_candidates(num_candidates)
    return IndexCode((1 << PRECISION_BITS,), ((num_candidates - 1).bit_length(),))


def elias_delta_code() -> IndexCode:
    """Elias's delta code of rank + 1, for ranks below 2^40, without parameters.

    With e = floor(log2(rank + 1)) and g = floor(log2(e + 1)), a rank takes 2 g + 1 + e bits, the
    last e of them raw. Cut off, the code is not complete: the space of larger integers, 0.027 of
    all, goes to a last bucket that holds only the rank 2^40 - 1.
    Source: Elias, "Universal codeword sets and representations of the integers" (1975).
    """
    raw_bits = tuple(range(MAX_LOG2_RANKS))
    lengths = [2 * ((e + 1).bit_length() - 1) + 1 for e in raw_bits]
    frequencies = [1 << (PRECISION_BITS - length) for length in lengths]
    rest = (1 << PRECISION_BITS) - sum(frequencies)
    return IndexCode((*frequencies, rest), (*raw_bits, 0))


def to_frequencies(weights: np.ndarray) -> tuple[int, ...]:
    """Integers >= 1 that sum to 2^24, proportional to weights up to rounding."""
    spread = (1 << PRECISION_BITS) - len(weights)
    frequencies = 1 + np.floor(weights / weights.sum() * spread).astype(np.int64)
    frequencies[weights.argmax()] += (1 << PRECISION_BITS) - frequencies.sum()
    return tuple(frequencies.tolist())


def check_num_candidates(num_candidates: int) -> None:
    """Raise ValueError for a number of candidates outside [1, 2^40]."""
    if not 1 <= num_candidates <= 1 << MAX_LOG2_RANKS:
        raise ValueError(f"num_candidates: got {num_candidates}, need 1 to 2^40")


def check_ranks(ranks: Tensor, num_candidates: int) -> None:
    """Raise ValueError for ranks that are not (n,) int64 in [0, num_candidates)."""
    check_num_candidates(num_candidates)
    if ranks.dtype != torch.int64 or ranks.dim() != 1:
        given = f"{ranks.dtype} of shape {tuple(ranks.shape)}"
        raise ValueError(f"ranks: got {given}, need torch.int64 of shape (n,)")
    if not bool(((ranks >= 0) & (ranks < num_candidates)).all()):
        raise ValueError(f"ranks: got one out of range, need [0, {num_candidates})")
