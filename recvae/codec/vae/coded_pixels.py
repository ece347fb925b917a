"""The interface of the ways to code pixels given the latents."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.range_coder import CheckingRangeDecoder, RangeDecoder, RangeEncoder

Write: TypeAlias = Callable[[RangeEncoder], None]
"""Encodes the pixels of a group."""


class CodedPixels(ABC):
    """Pixels of some images as symbols with frequencies."""

    @property
    @abstractmethod
    def bits(self) -> NDArray[np.float64]:
        """Ideal code length of each image's pixels, (n,)."""

    @abstractmethod
    def by_group(self, group_numbers: NDArray[np.int64], num_groups: int) -> list[Write]:
        """Encoding functions for each group; group_numbers: (n,), -1 for images left out."""


class PixelCoding(ABC):
    """The exact decoder of a model, and the range coder it needs."""

    @abstractmethod
    def new_encoder(self) -> RangeEncoder:
        """Return an encoder of a group."""

    @abstractmethod
    def new_decoder(self, data: bytes) -> RangeDecoder:
        """Return a decoder of a group's bytes."""

    @abstractmethod
    def checking_decoder(self, data: bytes) -> CheckingRangeDecoder:
        """Return a decoder that tells whether an encoder can have written the bytes."""

    @abstractmethod
    def code(self, z: Tensor, images: Tensor) -> CodedPixels:
        """Code images (n, h, w) uint8 given latents (n, D) int64 in units of 2^-28."""

    @abstractmethod
    def decode(
        self, z: Tensor, decoders: Sequence[RangeDecoder], counts: Sequence[int]
    ) -> NDArray[np.uint8]:
        """Decode images (n, h, w), `counts` of them by group, given latents (n, D) as in `code`.

        Raises ValueError for data that no encoder writes, where this is detectable.
        """
