"""Constants shared by sender and receiver besides the networks: all integers."""

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
    """The tables for sending a layer of latents.

    Fields:
        layout: its blocks.
        cut_frequencies: (classes + 1, classes) int32, rows sum to 2^24: frequencies of the cuts
            from 1 on, for blocks of each class.
        rank_codes: one for each cut from 1 on; bucket e holds the ranks 2^e - 1 to 2^(e+1) - 2.
    """

    layout: Layout
    cut_frequencies: NDArray[np.int32]
    rank_codes: tuple[IndexCode, ...]

    @cached_property
    def bucket_frequencies(self) -> NDArray[np.int32]:
        """Frequencies of the rank buckets for each cut from 1 on, (classes, buckets)."""
        return np.array([code.frequencies for code in self.rank_codes], dtype=np.int32)

    @cached_property
    def buckets(self) -> tuple[Integers, Integers]:
        """First rank and size of each bucket, the same for all cuts."""
        sizes = np.array([1 << bits for bits in self.rank_codes[0].raw_bits], dtype=np.int64)
        return sizes.cumsum() - sizes, sizes


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables for everything that is sent.

    Fields:
        classes: for the classes of regions.
        layers: for each layer.
    """

    classes: ClassTables
    layers: tuple[LayerTables, ...]
