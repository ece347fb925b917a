"""The interface of latent codecs, which code the latents of a group, and their registry.

A model names its latent codec and holds its constants: see `recvae.codec.vae.model`. How the sender
chooses among codes is its own business: the receiver need not know.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.rec import Code, Coder, DiagonalGaussian
from recvae.rec.devices import to_cpu

SENDER_SEED = 0  # of the sender's private randomness


@dataclass(frozen=True, eq=False)
class Sent:
    """A sender's choice for n images.

    Args:
        codes: one for each coder, each of n items, on CPU.
        capped: images whose search hit its cap, (n,) bool. Their samples are not exact, which
            lossless coding does not need.
    """

    codes: list[Code]
    capped: Tensor


@dataclass(frozen=True)
class LayoutOptions:
    """Options for the layout of latents when a model is exported.

    Args:
        num_blocks: number of blocks; 0 tries 1, 2, 3, 4, 6 and 8 and keeps the best.
        bins_per_information: log2 J of a block over its mutual information.
        extra_bits: t in N = 2^(KL[Q||P'] + t).
        max_log2_candidates: upper limit of log2 N, which bounds the time of encoding. For an exact
            algorithm, its cap.
        algorithm: relative entropy coding algorithm; None for the latent codec's default.
    """

    num_blocks: int = 0
    bins_per_information: float = 0.9
    extra_bits: float = 4.0
    max_log2_candidates: int = 14
    algorithm: str | None = field(default=None, kw_only=True)


def refuse_bins(options: LayoutOptions, what: str) -> None:
    """Raise ValueError if the options ask for bins, since `what` has none."""
    given, default = options.bins_per_information, LayoutOptions.bins_per_information
    if given != default:
        needed = f"{what} has no bins: leave it at {default}"
        raise ValueError(f"bins_per_information: got {given}, {needed}")


@dataclass(frozen=True)
class LatentCodec(ABC):
    """A code for all latents of an image, with the constants that sender and receiver share.

    Args:
        key: names the shared randomness, 64 bits.

    Raises:
        ValueError: if an argument is out of range.
    """

    name: ClassVar[str]
    """Name in model files."""
    incomplete_message: ClassVar[str] = "latents: every latent dimension must be coded once"
    """Error message for a model whose latents are not all coded."""

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
        """The relative entropy coders, if any; each codes some of the latents."""
        return ()

    @abstractmethod
    def send(self, target: DiagonalGaussian, images: Tensor | None = None) -> Sent:
        """Choose codes for posteriors (n, D) of images (n, h, w) uint8.

        Only senders that look at the pixels need the images.
        """

    @abstractmethod
    def receive(self, codes: Sequence[Code]) -> Tensor:
        """Latents (n, D) from their codes, int64 in units of 2^-28, on CPU."""

    @abstractmethod
    def encode(self, encoder: RangeEncoder, codes: Sequence[Code]) -> None:
        """Write the codes of one group."""

    @abstractmethod
    def decode(self, decoder: RangeDecoder, count: int) -> list[Code]:
        """Read the codes of one group of `count` images; ValueError if the data is invalid."""

    @abstractmethod
    def bits(self, codes: Sequence[Code]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ideal code length of bins and of ranks, (n,) each."""

    @property
    def summary(self) -> str:
        """A short description, reported when a model is exported."""
        return self.name

    @classmethod
    def check_options(cls, options: LayoutOptions) -> None:
        """Raise ValueError for options that `layouts` does not take."""
        raise ValueError(f"latents: {cls.name!r} has no layouts: make its model in Python")

    @classmethod
    def layouts(
        cls, key: int, target: DiagonalGaussian, sample: DiagonalGaussian, options: LayoutOptions
    ) -> Iterator["LatentCodec"]:
        """Codecs worth trying for a model.

        Args:
            key: names the shared randomness, 64 bits.
            target: posteriors of all training images, (n, D).
            sample: posteriors of the images that searches are tried on.
            options: checked by `check_options`.
        """
        cls.check_options(options)
        return iter(())

    def fitted(self, codes: Sequence[Code]) -> "LatentCodec":
        """A copy with its constants fitted to the codes sent for training images."""
        return self

    def to_json(self) -> dict[str, Any]:
        """All constants but the key as plain JSON values; by default, the fields."""
        return {constant.name: getattr(self, constant.name) for constant in fields(self)[1:]}

    @classmethod
    def from_json(cls, key: int, constants: dict[str, Any]) -> "LatentCodec":
        """Inverse of `to_json`; raises ValueError if the constants do not make a codec."""
        for constant in fields(cls)[1:]:
            given, needed = constants.get(constant.name), constant.type
            if isinstance(needed, type) and type(given) is not needed:
                raise ValueError(f"{constant.name}: got {given!r}, need {needed.__name__}")
        return cls(key, **constants)


LATENT_CODECS: dict[str, type[LatentCodec]] = {}

C = TypeVar("C", bound=type[LatentCodec])


def register_latent_codec(codec: C) -> C:
    """Register a latent codec under its name: a decorator. ValueError if the name is taken."""
    if codec.name in LATENT_CODECS:
        raise ValueError(f"name: got {codec.name!r}, need one that is not taken")
    LATENT_CODECS[codec.name] = codec
    return codec


def join_codes(parts: Iterable[Sequence[Code]]) -> list[Code]:
    """Concatenate the codes of consecutive batches of images."""
    return [
        Code(torch.cat([code.bins for code in codes]), torch.cat([code.ranks for code in codes]))
        for codes in zip(*parts, strict=True)
    ]


def search_within_reach(
    coders: Sequence[Coder], targets: Iterable[DiagonalGaussian], key: int
) -> Sent:
    """Search with each coder, after moving targets into its reach where needed."""
    parts: list[Tensor] = []
    for coder, target in zip(coders, targets, strict=True):
        generator = torch.Generator().manual_seed(SENDER_SEED)
        found = coder.search(coder.within_reach(target), key, generator)
        capped = found.capped.long()
        each = capped if capped.dim() == 1 else capped.amax(dim=1)
        parts += (found.code.bins, found.code.ranks, each)
    parts = to_cpu(parts)
    codes = [Code(bins, ranks) for bins, ranks in zip(parts[::3], parts[1::3], strict=True)]
    return Sent(codes, torch.stack(parts[2::3]).bool().any(dim=0))
