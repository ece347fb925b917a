"""The effect on files of other partitions of the blocks, with an equal search."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recvae.codec.container.group import num_tiles
from recvae.codec.hierarchy.calibrate import (
    CalibrationOptions,
    fit_layout,
    fitted_codes,
    unfitted_code,
)
from recvae.codec.hierarchy.coder import Shared, decode_groups, encode_groups, tile_codes
from recvae.codec.hierarchy.layout import Integers, Layout
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.hierarchy.payload import layer_bits
from recvae.codec.hierarchy.search import SearchEffort
from recvae.codec.hierarchy.tables import LayerTables, Tables
from recvae.codec.image_coder import Pixels
from recvae.exact.frequencies import PRECISION_BITS
from recvae.images.psnr import psnr_db
from recvae.rec.partition import random_intervals

STRATEGIES = ("mutual information", "informative only", "random", "none")
"""Bins by the information of each dimension; the same without sending dimensions that carry little;
bins assigned at random; no bins. All dimensions are sent except in the second."""

LEAST_BITS = 0.1  # from here on a dimension counts as informative


def partition_point(
    model: PictureModel,
    pictures: Pixels,
    quality: int,
    strategy: str,
    block_bits: int,
    log2_candidates: int,
    seed: int,
) -> tuple[float, float, float]:
    """Overhead in bits per block, bits per pixel and PSNR in dB with another partition.

    The overhead is that of bins and ranks, under a code fitted to them, over the KL; classes come
    from the model, and each block is cut according to its class.

    Args:
        model: gives the networks, the classes, and the information of each dimension.
        pictures: (n, h, w, 3) uint8.
        quality: 1 to 100.
        strategy: one of `STRATEGIES`.
        block_bits: information of a block.
        log2_candidates: log2 N, the same for every block.
        seed: for the random strategy.
    """
    shared = model.shared
    layers = tuple(
        _layer(own, strategy, block_bits, seed + index)
        for index, own in enumerate(shared.tables.layers)
    )
    other = Shared(shared.network, Tables(shared.tables.classes, layers), shared.key)
    effort = SearchEffort(margin_bits=100, max_log2_candidates=log2_candidates)
    groups, by_part = encode_groups(other, pictures, 1, quality, effort)
    sent = [
        code
        for group in groups
        for tile in range(num_tiles(group.spec, group.tile))
        for code in tile_codes(other, group, tile) or ()
    ]
    bits, blocks = 0.0, 0
    for layer, own in enumerate(layers):
        codes = [code.layers[layer] for code in sent]
        ranks = np.concatenate([code.ranks for code in codes])
        blocks += len(ranks)
        if len(ranks):
            fitted = replace(own, rank_codes=fitted_codes([ranks] * len(own.rank_codes)))
            for code in codes:
                parts = layer_bits(fitted, code)
                bits += parts["bins"] + parts["ranks"]
    decibels = psnr_db(decode_groups(other, groups), pictures).mean()
    overhead_bits = (bits - float(by_part["kl"].sum())) / max(blocks, 1)
    return overhead_bits, bits / pictures[..., 0].size, float(decibels)


def _layer(own: LayerTables, strategy: str, block_bits: int, seed: int) -> LayerTables:
    """A copy of a layer with another layout; cuts follow the classes."""
    information = _information_bits(own.layout)
    least = LEAST_BITS if strategy == "informative only" else 0.0
    options = CalibrationOptions(block_bits=block_bits, least_channel_bits=least)
    layout = fit_layout(own.layout.region, information, options)
    if strategy == "none":
        layout = replace(layout, intervals=np.minimum(layout.intervals, 1))
    if strategy == "random":
        layout = replace(layout, intervals=_shuffled(layout, seed))
    count = len(own.rank_codes)
    cuts = np.ones((count + 1, count), np.int32)
    cuts[np.arange(count + 1), np.maximum(np.arange(count + 1) - 1, 0)] += (
        1 << PRECISION_BITS
    ) - count
    return LayerTables(layout, cuts, (unfitted_code(),) * count)


def _information_bits(layout: Layout) -> NDArray[np.float64]:
    """KL per position of each channel by class, (classes, channels), estimated from its cuts."""
    share = CalibrationOptions().bins_per_information
    sent = (layout.intervals > 0).any(1)
    shares = np.log2(np.maximum(layout.intervals, 1)).mean(1) / share
    return np.where(sent, np.maximum(shares, CalibrationOptions().least_channel_bits), 0.0)


def _shuffled(layout: Layout, seed: int) -> Integers:
    """Redistribute a layout's bins at random among the dimensions of each cut."""
    intervals = layout.intervals.copy()
    for cut, rows in enumerate(intervals):
        sent = rows > 0
        log2_bins = min(float(np.log2(rows[sent]).sum()), 60.0)
        shared = random_intervals(int(sent.sum()), log2_bins, seed * len(intervals) + cut)
        rows[sent] = shared.intervals
    return intervals
