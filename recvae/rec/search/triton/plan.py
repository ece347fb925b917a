"""The kernels' data about a partition, as tensors on a device."""

from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from recvae.exact.gaussian import gaussian_table
from recvae.rec.partition import Partition
from recvae.rec.search.screening import quantile_pieces
from recvae.rec.search.triton.draws import ROW

DIGIT_BITS = 64  # in each of the two integers that digits are packed into


def digit_words(partition: Partition) -> int:
    """Number of 64-bit integers for the digits of a bin: 0 without a partition, else 1 or 2."""
    if not partition.cut_dimensions:
        return 0
    bits = sum((count - 1).bit_length() for count in partition.intervals)
    return 1 if bits <= DIGIT_BITS else 2


@lru_cache(64)
def plan_table(partition: Partition, device: torch.device) -> Tensor:
    """The instructions for each private word and each dimension, then the quantile's pieces.

    Private word 0 is for the time, word 1 + c for the cut dimension c. Rows are padded to whole
    counters of four words with rows that have no effect.

    Returns:
        int64 of one axis. For each word, ROW entries: first step of the binary search, intervals,
        their start in the tables of a `Proposal`, stride of the bin's number, shift and mask of the
        packed digit. For each dimension, ROW entries: intervals, magic = ceil(2^64 / intervals),
        start, shift, mask. For each piece, start in the low half, slope in the high one.
    """
    cut = partition.cut_dimensions
    words = np.zeros((4 * (-(-(1 + len(cut)) // 4)), ROW.value), np.int64)
    dimensions = np.zeros((4 * (-(-partition.dim // 4)), ROW.value), np.int64)
    words[:, 1] = dimensions[:, 0] = 1
    start = shift = 0
    for position, d in enumerate(cut):
        intervals = partition.intervals[d]
        levels = (intervals - 1).bit_length()
        if shift < DIGIT_BITS < shift + levels:
            shift = DIGIT_BITS
        mask = (1 << levels) - 1
        magic = -(-(1 << 64) // intervals)
        words[1 + position, :6] = (
            (mask + 1) >> 1,
            intervals,
            start,
            partition.strides[d],
            shift,
            mask,
        )
        signed = magic - (1 << 64) if magic >> 63 else magic
        dimensions[d, :5] = intervals, signed, start, shift, mask
        start, shift = start + intervals, shift + levels
    pieces = quantile_pieces().view(np.int64)[:, 0]
    return torch.from_numpy(np.concatenate([words.ravel(), dimensions.ravel(), pieces])).to(device)


@cache
def quantile_table(device: torch.device) -> Tensor:
    """The Gaussian table, int32."""
    return torch.from_numpy(gaussian_table().copy()).to(device)
