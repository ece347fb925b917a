"""How the latents of a group are coded: what every code for them must do, and which there are.

A model names its latent codec and holds its constants: see `recvae.codec.model`. The sender may
choose as it likes; the receiver needs to know nothing of that.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.range_coder import Decoder, Encoder
from recvae.rec import Code, Coder, DiagonalGaussian

SENDER_SEED = 0  # of the sender's own randomness; no receiver needs it


@dataclass(frozen=True, eq=False)
class Sent:
    """What a sender chose for n images.

    Args:
        codes: a list whose elements all have n items, on CPU.
        capped: the images with a search that ended at its cap: their samples are not exact, which
            lossless coding does not need. (n,) bool.
    """

    codes: list[Code]
    capped: Tensor


@dataclass(frozen=True)
class LatentCodec(ABC):
    """A code for all latents of an image: the constants that sender and receiver share.

    Args:
        key: 64-bit name of the shared randomness.

    Raises:
        ValueError: if an argument is out of its range.
    """

    name: ClassVar[str]
    """What a model file calls it."""
    incomplete: ClassVar[str] = "latents: every latent dimension must be coded once"
    """Why a model whose latents are not all coded is refused."""

    key: int

    def __post_init__(self) -> None:
        if type(self.key) is not int or not 0 <= self.key < 1 << 64:
            raise ValueError(f"key is {self.key}; allowed: 0 to 2^64 - 1")

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """D, the number of latents."""

    @property
    def coders(self) -> tuple[Coder, ...]:
        """The relative entropy coders, if any, each of which codes some of the latents."""
        return ()

    @abstractmethod
    def send(self, target: DiagonalGaussian, images: Tensor | None = None) -> Sent:
        """Chooses codes for posteriors (n, D) of images (n, h, w) uint8.

        Only senders that look at the pixels need the images.
        """

    @abstractmethod
    def receive(self, codes: Sequence[Code]) -> Tensor:
        """Latents (n, D) from their codes, int64 in units of 2^-28, on CPU."""

    @abstractmethod
    def encode(self, encoder: Encoder, codes: Sequence[Code]) -> None:
        """Writes the codes of one group."""

    @abstractmethod
    def decode(self, decoder: Decoder, count: int) -> list[Code]:
        """Reads the codes of one group of `count` images; ValueError where none can be."""

    @abstractmethod
    def bits(self, codes: Sequence[Code]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ideal code length of bins and of ranks, (n,) each."""

    def to_json(self) -> dict[str, Any]:
        """All constants but the key, plain, for a model file: here the fields as they are."""
        return {field.name: getattr(self, field.name) for field in fields(self)[1:]}

    @classmethod
    def from_json(cls, key: int, constants: dict[str, Any]) -> "LatentCodec":
        """Inverse of `to_json`; raises ValueError where the constants do not make a codec."""
        return cls(key, **constants)


LATENT_CODECS: dict[str, type[LatentCodec]] = {}

C = TypeVar("C", bound=type[LatentCodec])


def register_latent_codec(codec: C) -> C:
    """Makes a latent codec known by its name: a decorator. ValueError if the name is taken."""
    if codec.name in LATENT_CODECS:
        raise ValueError(f"name: got {codec.name!r}, need one that is not taken")
    LATENT_CODECS[codec.name] = codec
    return codec


def join_codes(parts: Iterable[Sequence[Code]]) -> list[Code]:
    """The codes of some images, then those of others, and so on, as the codes of all of them."""
    return [
        Code(torch.cat([code.bins for code in codes]), torch.cat([code.ranks for code in codes]))
        for codes in zip(*parts, strict=True)
    ]


def search_on_cpu(coder: Coder, target: DiagonalGaussian, key: int) -> tuple[Code, Tensor]:
    """What a coder finds for targets that it may have to move into its reach.

    Returns:
        the code and, for each item, whether a search ended at its cap, (n,) bool; both on CPU.
    """
    generator = torch.Generator().manual_seed(SENDER_SEED)
    found = coder.search(coder.within_reach(target), key, generator)
    capped = found.capped if found.capped.dim() == 1 else found.capped.any(dim=1)
    return Code(found.code.bins.cpu(), found.code.ranks.cpu()), capped.cpu()
