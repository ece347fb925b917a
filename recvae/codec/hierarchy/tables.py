"""What sender and receiver share besides the networks: integer constants of the model."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recvae.codec.hierarchy.classes import Frequencies
from recvae.codec.hierarchy.layout import Layout
from recvae.hierarchy.quality import MAX_QUALITY, MIN_QUALITY
from recvae.rec import IndexCode

MAX_LOG2_RANKS = 20


@dataclass(frozen=True, eq=False)
class LayerTables:
    """How a layer of latents is sent.

    Fields:
        layout: its blocks.
        class_frequencies: (bands, ...) of `Frequencies`: for each band of qualities those of the
            classes.
        rank_codes: for each class from 1 on.
        edges_bits: the least KL per position of each class from 1 on, which a sender may go by.
    """

    layout: Layout
    class_frequencies: NDArray[np.int32]
    rank_codes: tuple[IndexCode, ...]
    edges_bits: NDArray[np.float32]

    def classes_at(self, quality: int) -> Frequencies:
        """Frequencies of classes for a quality."""
        bands = len(self.class_frequencies)
        band = (quality - MIN_QUALITY) * bands // (MAX_QUALITY - MIN_QUALITY + 1)
        return self.class_frequencies[band]

    @cached_property
    def bucket_frequencies(self) -> NDArray[np.int32]:
        """Of the buckets of ranks, (classes + 1, buckets); those of class 0 are never used."""
        rows = [code.frequencies for code in self.rank_codes]
        return np.array([rows[0], *rows], dtype=np.int32)
