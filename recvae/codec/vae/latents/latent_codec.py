"""How the latents of a group are coded: what every code for them must do, and which there are.

A model names its latent codec and holds its constants: see `recvae.codec.vae.model`. The sender may
choose as it likes; the receiver needs to know nothing of that.
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
class LayoutOptions:
    """How latents may be laid out when a model is exported.

    Args:
        num_blocks: blocks of latents; 0 tries 1, 2, 3, 4, 6 and 8 and takes what codes best.
        bins_per_information: log2 J of a block over its mutual information.
        extra_bits: t in N = 2^(KL[Q||P'] + t).
        max_log2_candidates: upper limit of log2 N: the most time that encoding may take. The cap
            of an exact algorithm.
        algorithm: of relative entropy coding; None for what the latent codec has by default.
    """

    num_blocks: int = 0
    bins_per_information: float = 0.9
    extra_bits: float = 4.0
    max_log2_candidates: int = 14
    algorithm: str | None = field(default=None, kw_only=True)


def refuse_bins(options: LayoutOptions, what: str) -> None:
    """Raises ValueError where bins are asked for of what has none."""
    given, default = options.bins_per_information, LayoutOptions.bins_per_information
    if given != default:
        needed = f"{what} has no bins: leave it at {default}"
        raise ValueError(f"bins_per_information: got {given}, {needed}")


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
    incomplete_message: ClassVar[str] = "latents: every latent dimension must be coded once"
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
    def encode(self, encoder: RangeEncoder, codes: Sequence[Code]) -> None:
        """Writes the codes of one group."""

    @abstractmethod
    def decode(self, decoder: RangeDecoder, count: int) -> list[Code]:
        """Reads the codes of one group of `count` images; ValueError where none can be."""

    @abstractmethod
    def bits(self, codes: Sequence[Code]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ideal code length of bins and of ranks, (n,) each."""

    @property
    def summary(self) -> str:
        """What is said of it when a model is exported."""
        return self.name

    @classmethod
    def check_options(cls, options: LayoutOptions) -> None:
        """Raises ValueError for options that `layouts` cannot have."""
        raise ValueError(f"latents: {cls.name!r} lays nothing out: make a model of it in Python")

    @classmethod
    def layouts(
        cls, key: int, target: DiagonalGaussian, sample: DiagonalGaussian, options: LayoutOptions
    ) -> Iterator["LatentCodec"]:
        """Codecs worth trying for a model.

        Args:
            key: 64-bit name of the shared randomness.
            target: posteriors of all training images, (n, D).
            sample: of those that searches are tried on.
            options: that `check_options` has passed.
        """
        cls.check_options(options)
        return iter(())

    def fitted(self, codes: Sequence[Code]) -> "LatentCodec":
        """With what can be fitted to the codes sent for training images."""
        return self

    def to_json(self) -> dict[str, Any]:
        """All constants but the key, plain, for a model file: here the fields as they are."""
        return {constant.name: getattr(self, constant.name) for constant in fields(self)[1:]}

    @classmethod
    def from_json(cls, key: int, constants: dict[str, Any]) -> "LatentCodec":
        """Inverse of `to_json`; raises ValueError where the constants do not make a codec."""
        for constant in fields(cls)[1:]:
            given, needed = constants.get(constant.name), constant.type
            if isinstance(needed, type) and type(given) is not needed:
                raise ValueError(f"{constant.name}: got {given!r}, need {needed.__name__}")
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


def search_within_reach(
    coders: Sequence[Coder], targets: Iterable[DiagonalGaussian], key: int
) -> Sent:
    """What each coder finds for its targets, which it may have to move into its reach."""
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
