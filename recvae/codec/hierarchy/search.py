"""The sender's search: a code for every block of a layer, in batches of one layout and one N."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.hierarchy.draws import block_keys
from recvae.codec.hierarchy.layout import Blocks, Integers, Layout
from recvae.exact import to_float
from recvae.rec import DiagonalGaussian, IndexCode, PartitionedORC
from recvae.rec.partition import Partition
from recvae.rec.target import on_grid

MIN_LOG2_CANDIDATES = 4
FINISHERS_AT_ONCE = 1 << 20  # latents of candidates that are compared


@dataclass(frozen=True)
class SearchEffort:
    """How long the sender searches.

    Fields:
        margin_bits: log2 N exceeds the search KL of a block by so much,
        max_log2_candidates: but does not exceed this.
        keep: of the first so many finishers of the race the cheapest is sent.
    """

    margin_bits: float = 3.0
    max_log2_candidates: int = 18
    keep: int = 64


def search_blocks(
    layout: Layout,
    layer: int,
    key: int,
    blocks: Blocks,
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    codes: tuple[IndexCode, ...],
    effort: SearchEffort,
) -> tuple[Integers, Integers]:
    """A code for each block: bins (total, channels) by position, and ranks (blocks,).

    Among the first finishers of a block's race the one with the largest log2 q/p minus the bits of
    its rank is sent. A posterior is in proportion to the prior times exp(-distortion / lambda), so
    that one has the least distortion + lambda * rate.

    Args:
        layout, layer, key, blocks: as for `draw_latents`.
        mean, scale: of the posteriors of all positions, (positions, channels).
        codes: of the ranks, for each class from 1 on.
        effort: how long to search.
    """
    bins = np.zeros((len(blocks.positions), layout.channels), np.int64)
    ranks = np.zeros(len(blocks.classes), np.int64)
    keys = block_keys(key, blocks.numbers)
    for partition, code, which, rows in _alike(layout, blocks, codes):
        at = blocks.positions[rows]
        target = on_grid(
            DiagonalGaussian(
                *(torch.from_numpy(t[at].reshape(len(which), -1)) for t in (mean, scale))
            )
        )
        kl_bits = PartitionedORC(partition, 1).search_kl_bits(target)
        log2_n = torch.ceil(kl_bits + effort.margin_bits).long()
        log2_n = log2_n.clamp(MIN_LOG2_CANDIDATES, effort.max_log2_candidates)
        for exponent in log2_n.unique().tolist():
            some = torch.nonzero(log2_n == exponent)[:, 0]
            coder = PartitionedORC(partition, 1 << exponent, block=layer)
            part = DiagonalGaussian(target.mean[some], target.scale[some])
            best_bins, best_ranks = _cheapest(coder, code, part, keys[which][some], effort.keep)
            chosen = some.numpy()
            bins[rows[chosen]] = best_bins.reshape(len(chosen), -1, layout.channels)
            ranks[which[chosen]] = best_ranks
    return bins, ranks


def _alike(
    layout: Layout, blocks: Blocks, codes: tuple[IndexCode, ...]
) -> Iterator[tuple[Partition, IndexCode, Integers, Integers]]:
    """Blocks of one partition at a time: which they are, and their rows among all positions."""
    kinds = blocks.classes * (int(layout.block_positions.max()) + 1) + blocks.lengths
    for kind in np.unique(kinds):
        which = np.flatnonzero(kinds == kind)
        k, length = int(blocks.classes[which[0]]), int(blocks.lengths[which[0]])
        intervals = layout.intervals[k - 1][:length].flatten()
        rows = blocks.starts[which][:, None] + np.arange(length)
        yield Partition(tuple(intervals.tolist())), codes[k - 1], which, rows


def _cheapest(
    coder: PartitionedORC, code: IndexCode, target: DiagonalGaussian, keys: Tensor, keep: int
) -> tuple[Integers, Integers]:
    keep = min(keep, coder.num_candidates)
    step = max(1, FINISHERS_AT_ONCE // (keep * target.dim))
    bins, ranks = [], []
    for start in range(0, target.batch, step):
        items = slice(start, start + step)
        found, _ = coder.encode_best(target[items], keys[items], torch.Generator(), keep)
        z = to_float(coder.decode(found, keys[items]), torch.float64).transpose(0, 1)
        gain_bits = target[items].log2_ratio(z).T - code.bits(found.ranks)
        best = gain_bits.argmax(dim=1)
        rows = torch.arange(len(best))
        bins.append(found.bins[rows, best])
        ranks.append(found.ranks[rows, best])
    return torch.cat(bins).numpy(), torch.cat(ranks).numpy()
