"""What kernels need of a partition, as tensors on a device."""

from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from recvae.exact.gaussian import gaussian_table
from recvae.rec.partition import Partition
from recvae.rec.search.screening import quantile_pieces

FIELDS = 8
"""Entries of a row in the tables below, so that a row is a cache line's half."""

DIGIT_BITS = 64  # of each of the two integers that digits are packed into


@lru_cache(64)
def partition_tables(partition: Partition, device: torch.device) -> tuple[Tensor, Tensor]:
    """What to do with each private word, and with each dimension.

    Private word 0 is for the time, word 1 + c for the cut dimension c. Rows are padded to whole
    counters of four words with some that change nothing.

    Returns:
        words: (4 q, FIELDS) int64: levels of the binary search, intervals, where they start in the
            tables of a `Proposal`, stride of the bin's number, shift and mask of the packed digit.
        dimensions: (4 q', FIELDS) int64: intervals, magic = ceil(2^64 / intervals), start, shift,
            mask.
    """
    cut = partition.cut_dimensions
    words = np.zeros((4 * (-(-(1 + len(cut)) // 4)), FIELDS), np.int64)
    dimensions = np.zeros((4 * (-(-partition.dim // 4)), FIELDS), np.int64)
    words[:, 1] = dimensions[:, 0] = 1
    start = shift = 0
    for position, d in enumerate(cut):
        intervals = partition.intervals[d]
        levels = (intervals - 1).bit_length()
        if shift < DIGIT_BITS < shift + levels:
            shift = DIGIT_BITS
        mask = (1 << levels) - 1
        magic = -(-(1 << 64) // intervals)
        words[1 + position, :6] = levels, intervals, start, partition.strides[d], shift, mask
        signed = magic - (1 << 64) if magic >> 63 else magic
        dimensions[d, :5] = intervals, signed, start, shift, mask
        start, shift = start + intervals, shift + levels
    return torch.from_numpy(words).to(device), torch.from_numpy(dimensions).to(device)


@cache
def quantile_tables(device: torch.device) -> tuple[Tensor, Tensor]:
    """The Gaussian table, int32; and its pieces, start in the low half of an int64, then slope."""
    pieces = quantile_pieces().view(np.int64)[:, 0]
    return tuple(torch.from_numpy(table.copy()).to(device) for table in (gaussian_table(), pieces))
