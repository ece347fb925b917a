"""The sender's search: a code for every block of a layer, in batches of one layout and one N."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.hierarchy.draws import block_keys
from recvae.codec.hierarchy.layout import Blocks, Integers
from recvae.codec.hierarchy.payload import LayerCode
from recvae.codec.hierarchy.tables import LayerTables
from recvae.rec import DiagonalGaussian, PartitionedORC
from recvae.rec.finishers import cheapest_finishers
from recvae.rec.partition import MAX_LOG2_BINS, Partition
from recvae.rec.target import on_grid
from recvae.vae.objective import NATS_PER_BIT

MIN_LOG2_CANDIDATES = 4
LEAST_FREQUENCY = 1 << 12  # rarer cuts are not tried
SEARCH_COST = 0.05  # bits counted for a bit of search KL

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SearchEffort:
    """The effort of the sender's search.

    Fields:
        margin_bits: log2 N exceeds the search KL of a block by this much,
        max_log2_candidates: but does not exceed this.
        keep: number of first finishers of a race, the cheapest of which is sent.
        refinements: steps by which posteriors are first refined for the pictures; see `refine`.
    """

    margin_bits: float = 4.0
    max_log2_candidates: int = 19
    keep: int = 64
    refinements: int = 8


@dataclass(frozen=True, eq=False)
class Search:
    """Searches the blocks of a layer.

    Fields:
        tables: the layer's tables.
        layer: its index, which selects its randomness.
        key: the model's key.
        effort: of the search.
    """

    tables: LayerTables
    layer: int
    key: int
    effort: SearchEffort

    def __call__(
        self, shape: tuple[int, int], blocks: Blocks, mean: Floats, scale: Floats
    ) -> LayerCode:
        """Find a code for each block.

        Args:
            shape: height and width of the layer.
            blocks: those of all pictures.
            mean, scale: posteriors of all positions, (positions, channels) each.
        """
        channels = self.tables.layout.channels
        bins = np.zeros((len(blocks.positions), channels), np.int64)
        ranks = np.zeros(len(blocks.classes), np.int64)
        cuts = np.zeros(len(blocks.classes), np.int64)
        keys = block_keys(self.key, blocks.numbers)
        for which in _alike(blocks.classes, blocks.lengths):
            rows = blocks.starts[which][:, None] + np.arange(blocks.lengths[which[0]])
            at = blocks.positions[rows]
            cuts[which] = self._cheapest_cuts(int(blocks.classes[which[0]]), mean[at], scale[at])
        for which in _alike(cuts, blocks.lengths):
            rows = blocks.starts[which][:, None] + np.arange(blocks.lengths[which[0]])
            at = blocks.positions[rows]
            bins[rows], ranks[which] = self._codes(
                int(cuts[which[0]]), mean[at], scale[at], keys[which]
            )
        return LayerCode(shape, blocks, cuts, bins, ranks)

    def _cheapest_cuts(self, k: int, mean: Floats, scale: Floats) -> Integers:
        """The cheapest cut for each of some blocks of class `k`: (blocks, positions, channels).

        Minimises bits - log2 q/p of the receiver's latents: for dimensions that are sent, about
        log2(J + 2^KL) - KL, for the others, that of 0. Search KL beyond the limit of the search
        costs as many bits.
        """
        at_zero = -np.log2(scale) - 0.5 * (mean / scale) ** 2 / NATS_PER_BIT
        costs: list[tuple[int, Floats]] = []
        layout, length = self.tables.layout, mean.shape[1]
        frequencies = self.tables.cut_frequencies[k]
        for cut in range(1, len(frequencies) + 1):
            log2_bins = layout.log2_bins[cut - 1, length]
            if log2_bins > MAX_LOG2_BINS or (frequencies[cut - 1] < LEAST_FREQUENCY and costs):
                continue
            coder, target, sent = self._coder(cut, mean, scale, 1)
            search_bits = coder.search_kl_bits(target).numpy()
            kl_bits = target.kl_bits().sum(1).numpy()
            missing = search_bits + self.effort.margin_bits - self.effort.max_log2_candidates
            overhead = np.logaddexp2(log2_bins, kl_bits) - kl_bits
            cost = overhead - at_zero[:, ~sent].sum(1) - np.log2(frequencies[cut - 1])
            costs.append((cut, cost + SEARCH_COST * search_bits + np.maximum(missing, 0)))
        best = np.array([cost for _, cost in costs]).argmin(axis=0)
        return np.array([cut for cut, _ in costs])[best]

    def _codes(
        self, cut: int, mean: Floats, scale: Floats, keys: Tensor
    ) -> tuple[Integers, Integers]:
        """Bins (blocks, positions, channels) and ranks (blocks,) for blocks with one cut."""
        code = self.tables.rank_codes[cut - 1]
        bins, ranks = np.zeros(mean.shape, np.int64), np.zeros(len(mean), np.int64)
        coder, target, sent = self._coder(cut, mean, scale, 1)
        log2_n = torch.ceil(coder.search_kl_bits(target) + self.effort.margin_bits).long()
        log2_n = log2_n.clamp(MIN_LOG2_CANDIDATES, self.effort.max_log2_candidates)
        for exponent in log2_n.unique().tolist():
            some = np.flatnonzero(log2_n.numpy() == exponent)
            coder, part, _ = self._coder(cut, mean[some], scale[some], 1 << exponent)
            found = cheapest_finishers(coder, code, part, keys[some], self.effort.keep)
            ranks[some] = found.ranks.numpy()
            own = np.zeros((len(some), *mean.shape[1:]), np.int64)
            own[:, sent] = found.bins.numpy()
            bins[some] = own
        return bins, ranks

    def _coder(
        self, cut: int, mean: Floats, scale: Floats, num_candidates: int
    ) -> tuple[PartitionedORC, DiagonalGaussian, NDArray[np.bool_]]:
        """The coder of a cut, its targets, and a mask of dimensions sent, (positions, channels)."""
        intervals = self.tables.layout.intervals[cut - 1, : mean.shape[1]]
        sent = intervals > 0
        partition = Partition(tuple(intervals[sent].tolist()))
        target = DiagonalGaussian(*(torch.from_numpy(t[:, sent]) for t in (mean, scale)))
        return (
            PartitionedORC(partition, num_candidates, block=self.layer),
            on_grid(target),
            sent,
        )


def _alike(*numbers: Integers) -> Iterator[Integers]:
    """Indices of equal tuples of numbers, one array for each tuple."""
    _, kinds = np.unique(np.stack(numbers), axis=1, return_inverse=True)
    for kind in range(kinds.max() + 1 if kinds.size else 0):
        yield np.flatnonzero(kinds == kind)
