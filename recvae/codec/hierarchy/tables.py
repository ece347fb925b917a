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
        rank_codes: for each class from 1 on; bucket e holds the ranks from 2^e - 1 to 2^(e+1) - 2.
    """

    layout: Layout
    rank_codes: tuple[IndexCode, ...]

    @cached_property
    def bucket_frequencies(self) -> NDArray[np.int32]:
        """Of the buckets of ranks, (classes, buckets); those of class 0 are never used."""
        rows = [code.frequencies for code in self.rank_codes]
        return np.array([rows[0], *rows], dtype=np.int32)

    @cached_property
    def buckets(self) -> tuple[Integers, Integers]:
        """The first rank of each bucket and how many it holds: the same for all classes."""
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
