"""What sender and receiver share besides the networks: integer constants of the model."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recvae.codec.hierarchy.classes import ClassTables
from recvae.codec.hierarchy.layout import Integers, Layout
from recvae.rec import IndexCode

MAX_LOG2_RANKS = 20


@dataclass(frozen=True, eq=False)
class LayerTables:
    """How a layer of latents is sent.

    Fields:
        layout: its blocks.
        cut_frequencies: (classes + 1, classes) int32, rows sum to 2^24: of the cuts from 1 on of
            blocks of each class.
        rank_codes: for each cut from 1 on; bucket e holds the ranks from 2^e - 1 to 2^(e+1) - 2.
    """

    layout: Layout
    cut_frequencies: NDArray[np.int32]
    rank_codes: tuple[IndexCode, ...]

    @cached_property
    def bucket_frequencies(self) -> NDArray[np.int32]:
        """Of the buckets of ranks for each cut from 1 on, (classes, buckets)."""
        return np.array([code.frequencies for code in self.rank_codes], dtype=np.int32)

    @cached_property
    def buckets(self) -> tuple[Integers, Integers]:
        """The first rank of each bucket and how many it holds: the same for all cuts."""
        sizes = np.array([1 << bits for bits in self.rank_codes[0].raw_bits], dtype=np.int64)
        return sizes.cumsum() - sizes, sizes


@dataclass(frozen=True, eq=False)
class Tables:
    """Of all that is sent.

    Fields:
        classes: of regions.
        layers: of each layer.
    """

    classes: ClassTables
    layers: tuple[LayerTables, ...]
