"""The interface of relative entropy coders, and the code that they send."""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from recvae.rec.target import DiagonalGaussian


@dataclass(frozen=True, eq=False)
class Code:
    """The code of one candidate per item.

    Args:
        bins: (..., dim) int64, the bin tuple; all zeros without partition.
        ranks: (...) int64, number of earlier candidates in the same bin.

    Coders that code dimensions separately send bins (batch, dim, 1) and ranks (batch, dim).
    """

    bins: Tensor
    ranks: Tensor

    def __post_init__(self) -> None:
        for name, tensor in (("bins", self.bins), ("ranks", self.ranks)):
            if tensor.dtype != torch.int64:
                raise ValueError(f"{name}: got {tensor.dtype}, need torch.int64")
        if self.bins.shape[:-1] != self.ranks.shape or self.bins.dim() < 2:
            given = f"{tuple(self.bins.shape)} with ranks {tuple(self.ranks.shape)}"
            raise ValueError(f"bins: got shape {given}, need the shape of ranks and (dim,)")

    def __getitem__(self, index: int | slice | Tensor | tuple[int | slice | Tensor, ...]) -> "Code":
        return Code(self.bins[index], self.ranks[index])


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The result of a sender's search, and its effort.

    Args:
        code: the code to send.
        num_drawn: number of candidates drawn, int64 of the shape of code.ranks.
        capped: whether the search ended at its cap before the choice was certain, bool of that
            shape: the sample is then close to the target's law but not exactly of it.
    """

    code: Code
    num_drawn: Tensor
    capped: Tensor


class CappedSearchWarning(UserWarning):
    """The search of an exact coder ended at its cap on candidates: the sample is not exact."""


@runtime_checkable
class Racing(Protocol):
    """A coder that can find several candidates of each item, any of which it could send."""

    def encode_best(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator, keep: int
    ) -> tuple[Code, Tensor]:
        """The `keep` best candidates of each item, best first.

        Returns:
            codes with bins (batch, keep, dim) and ranks (batch, keep), for `decode`, and
            scores (batch, keep) float64, decreasing.
        """
        ...


class Coder(ABC):
    """A relative entropy coder: a set of parameters without mutable state.

    The bits of a code are those of its bins, `bin_bits`, and those of its ranks under whichever
    index code carries them, `index_code.bits(code.ranks)`, summed over an item.
    """

    @abstractmethod
    def search(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator
    ) -> SearchResult:
        """Code one sample of each target and report the effort.

        Args:
            target: (batch, dim).
            key: names the shared randomness, 64 bits: an integer in [0, 2^64), or (batch,) int64.
                Items that share a key share all randomness.
            generator: the sender's private randomness; one 64-bit seed is drawn from it.

        Raises:
            ValueError: if the coder cannot code the target, or key is not as above.
        """

    @abstractmethod
    def decode(self, code: Code, key: int | Tensor) -> Tensor:
        """Decode the samples: (batch, dim) int64 in units of 2^-28.

        Args:
            code: as found by `search`.
            key: as given to `search`.

        Raises:
            ValueError: if no encoder could have sent the code, or key does not fit.
        """

    @abstractmethod
    def bin_bits(self, code: Code, key: int | Tensor) -> Tensor:
        """Ideal code length of each item's bins in bits, (batch,) float64."""

    def within_reach(self, target: DiagonalGaussian) -> DiagonalGaussian:
        """The nearest target to this one that the coder can code.

        For senders that need a good sample rather than an exact one, such as a lossless codec's.
        """
        return target

    def encode(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator
    ) -> Code:
        """Return the code that `search` finds.

        Warns:
            CappedSearchWarning: if a search ended at the coder's cap on candidates.
        """
        found = self.search(target, key, generator)
        if bool(found.capped.any()):
            message = (
                f"{int(found.capped.sum())} of {found.capped.numel()} searches ended at the cap on "
                "candidates: their samples are not exact; raise max_candidates or use a partition"
            )
            warnings.warn(message, CappedSearchWarning, stacklevel=2)
        return found.code
