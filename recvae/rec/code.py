"""What a relative entropy coder sends, and what every such coder can do."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recvae.rec.target import DiagonalGaussian


@dataclass(frozen=True, eq=False)
class Code:
    """One candidate per item, as sent.

    Args:
        bins: (..., dim) int64, the bin tuple; all zeros without partition.
        ranks: (...) int64, how many earlier candidates share that bin.
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

    def __getitem__(self, index: int | slice | Tensor | tuple[int | slice, ...]) -> "Code":
        return Code(self.bins[index], self.ranks[index])


class Coder(Protocol):
    """A relative entropy coder: a set of parameters, no state that changes."""

    def encode(
        self, target: DiagonalGaussian, key: int | Tensor, generator: torch.Generator
    ) -> Code:
        """Codes one sample of each target; key names the shared randomness of each item."""
        ...

    def decode(self, code: Code, key: int | Tensor) -> Tensor:
        """The samples that were coded: (batch, dim) int64 in units of 2^-28."""
        ...
