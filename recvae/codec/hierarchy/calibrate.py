"""Computes the constants of a model from a trained network and its training pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.hierarchy.classes import ClassTables, band_of, contexts
from recvae.codec.hierarchy.coder import Shared
from recvae.codec.hierarchy.layout import Integers, Layout
from recvae.codec.hierarchy.model import PictureModel, as_stored
from recvae.codec.hierarchy.payload import LayerCode
from recvae.codec.hierarchy.search import SearchEffort
from recvae.codec.hierarchy.sender import by_region, run_chain, send
from recvae.codec.hierarchy.tables import MAX_LOG2_RANKS, LayerTables, Tables
from recvae.exact.frequencies import PRECISION_BITS
from recvae.hierarchy.lightning import PictureVAE
from recvae.hierarchy.network import Hierarchy
from recvae.hierarchy.quality import position_of
from recvae.rec import IndexCode
from recvae.rec.index_codes import fit_bucket_code, halving_code, to_frequencies
from recvae.vae.objective import NATS_PER_BIT, kl_nats

KEY = 1
MAX_DIMENSIONS = 256
MAX_POSITIONS = 64
MAX_INTERVALS = 1 << 16
MAX_SIDE = 256  # of the part used of a picture, pixels
QUALITIES = (6, 15, 24, 33, 42, 51, 60, 69, 78, 87, 96)
CODED_QUALITIES = (20, 40, 60, 80)
MEASURED_PIXELS, CODED_PIXELS = 400 << 10, 40 << 10
PIXELS_AT_ONCE = 1 << 15
SEARCHES = (
    SearchEffort(max_log2_candidates=12, keep=8, refinements=0),
    SearchEffort(),  # fits the final codes to what this sends
)
ENOUGH = 200  # regions or ranks a class needs for statistics of its own


@dataclass(frozen=True)
class CalibrationOptions:
    """Options for the blocks.

    Fields:
        block_bits: information of a block.
        bins_per_information: log2 J of a block, as a fraction of that.
        classes: number of classes of regions, besides class 0.
        least_bits: regions with less KL are of class 0, whose latents are not sent.
        least_channel_bits: in a class, channels with less KL per position are not sent.
        bands: number of bands of qualities with their own class frequencies.
    """

    block_bits: float = 32.0
    bins_per_information: float = 1.0
    classes: int = 8
    least_bits: float = 1.0
    least_channel_bits: float = 0.01
    bands: int = 10


@dataclass(frozen=True, eq=False)
class Information:
    """KL of posteriors at one quality, in bits.

    Fields:
        quality: 1 to 100.
        layers: KL by layer, region and channel, each (n, rows, columns, channels) float32.
    """

    quality: int
    layers: list[NDArray[np.float32]]

    @property
    def regions(self) -> NDArray[np.float32]:
        """KL summed over layers and channels, (n, rows, columns)."""
        total: NDArray[np.float32] = sum(layer.sum(-1) for layer in self.layers)
        return total


def calibrate_pictures(
    module: PictureVAE,
    pictures: Sequence[Tensor],
    name: str,
    metadata: dict[str, Any],
    say: Callable[[str], None],
    options: CalibrationOptions = CalibrationOptions(),
) -> PictureModel:
    """Make the model of a trained network, calibrated on pictures, (3, h, w) uint8 each.

    Raises ValueError if there is nothing to calibrate on.
    """
    network = as_stored(module.network)
    batches = alike_batches(pictures, network.arguments.stride, MEASURED_PIXELS)
    if not batches:
        raise ValueError(f"no picture of at least {network.arguments.stride} pixels a side")
    information = [
        one for batch in batches for one in measure_information(network, batch, QUALITIES)
    ]
    say(f"measured {sum(map(len, batches))} pictures at {len(QUALITIES)} qualities")
    tables = fit_tables(network, information, options)
    some = alike_batches(pictures, network.arguments.stride, CODED_PIXELS)
    for search in SEARCHES:
        tables = fit_codes(network, tables, some, search)
        say(f"coded {sum(map(len, some))} pictures at {len(CODED_QUALITIES)} qualities")
    return PictureModel(name=name, shared=Shared(network, tables, KEY), metadata=metadata)


def alike_batches(pictures: Sequence[Tensor], stride: int, max_pixels: int) -> list[Tensor]:
    """Pictures, or their centres, in batches (n, 3, h, w) of one size each.

    Takes the first pictures, up to `max_pixels` pixels.
    """
    by_size: dict[tuple[int, ...], list[Tensor]] = {}
    left = max_pixels
    for picture in pictures:
        sides = [min(side, MAX_SIDE) // stride * stride for side in picture.shape[1:]]
        if not all(sides):
            continue
        top, left_edge = (
            (whole - side) // 2 for whole, side in zip(picture.shape[1:], sides, strict=True)
        )
        part = picture[:, top : top + sides[0], left_edge : left_edge + sides[1]]
        by_size.setdefault(tuple(part.shape), []).append(part)
        left -= sides[0] * sides[1]
        if left <= 0:
            break
    return [torch.stack(same) for same in by_size.values()]


def measure_information(
    network: Hierarchy, pictures: Tensor, qualities: Sequence[int], seed: int = 0
) -> list[Information]:
    """KL of the posteriors of pictures (n, 3, h, w) uint8 at some qualities, by one sample each."""
    generator = torch.Generator().manual_seed(seed)
    return [_measure(network, pictures, quality, generator) for quality in qualities]


def _measure(
    network: Hierarchy, pictures: Tensor, quality: int, generator: torch.Generator
) -> Information:
    layers: list[list[NDArray[np.float32]]] = [[] for _ in network.layers]

    def draw(index: int, mean: Tensor, log_scale: Tensor) -> Tensor:
        kl = (kl_nats(mean, log_scale) / NATS_PER_BIT).transpose(0, 1)
        sums = torch.stack([by_region(channel, network.region_of(index)) for channel in kl], -1)
        layers[index].append(sums.numpy())
        return mean + log_scale.exp() * torch.randn(mean.shape, generator=generator)

    at_once = max(1, PIXELS_AT_ONCE // pictures[0, 0].numel())
    for batch in pictures.split(at_once):
        pixels = (batch.float() / 255).contiguous(memory_format=torch.channels_last)
        run_chain(network, pixels, torch.full((len(batch),), position_of(quality)), draw)
    return Information(quality, [np.concatenate(parts) for parts in layers])


def fit_tables(
    network: Hierarchy, information: Sequence[Information], options: CalibrationOptions
) -> Tables:
    """Tables of a model except the codes of ranks, which are fitted to what is sent."""
    regions = np.concatenate([one.regions.flatten() for one in information])
    edges = class_edges(regions, options).astype(np.float16).astype(np.float32)
    classes = [
        np.searchsorted(edges, one.regions, side="right").astype(np.int64) for one in information
    ]
    frequencies = fit_classes(classes, [one.quality for one in information], options)
    layers = []
    for index in range(len(network.layers)):
        region = network.region_of(index)
        channels = [one.layers[index] / region**2 for one in information]
        layout = fit_layout(region, mean_by_class(channels, classes, options), options)
        codes = (unfitted_code(),) * options.classes
        layers.append(LayerTables(layout, unfitted_cuts(options.classes), codes))
    return Tables(ClassTables(frequencies, edges), tuple(layers))


def class_edges(
    regions_bits: NDArray[np.float32], options: CalibrationOptions
) -> NDArray[np.float64]:
    """Edges between classes in KL of a region, evenly spaced in its logarithm."""
    low, high = np.quantile(regions_bits, (0.003, 0.995))
    low = max(float(low), options.least_bits)
    return np.geomspace(low, max(float(high), 2 * low), options.classes + 1)[:-1]


def mean_by_class(
    channels_bits: Sequence[NDArray[np.floating]],
    classes: Sequence[Integers],
    options: CalibrationOptions,
) -> NDArray[np.float64]:
    """Mean KL per position of each channel in regions of each class from 1 on, in bits.

    Args:
        channels_bits: KL per position at each quality, (n, rows, columns, channels).
        classes: classes of the regions, (n, rows, columns).
        options: options of the calibration.
    """
    flat = np.concatenate([kl.reshape(-1, kl.shape[-1]) for kl in channels_bits])
    of_region = np.concatenate([c.flatten() for c in classes])
    means = np.zeros((options.classes + 1, flat.shape[1]))
    for k in range(options.classes + 1):
        own = flat[of_region == k]
        # Rare classes are smoothed towards the class below, which carries less.
        below = 1.3 * means[k - 1] if k else np.zeros(flat.shape[1])
        means[k] = (own.sum(0) + ENOUGH * below) / (len(own) + ENOUGH if k else max(len(own), 1))
    return means[1:]


def fit_layout(region: int, means_bits: NDArray[np.float64], options: CalibrationOptions) -> Layout:
    """Blocks of about `block_bits`, given the KL per position of classes, (classes, channels)."""
    sent = means_bits >= options.least_channel_bits
    totals = np.where(sent, means_bits, 0).sum(1)
    most = min(MAX_POSITIONS, MAX_DIMENSIONS // max(int(sent.sum(1).max()), 1))
    counts = np.clip(np.rint(options.block_bits / np.maximum(totals, 1e-3)), 1, most)
    counts = np.where(totals > 0, counts, 0).astype(np.int64)
    rows = max(int(counts.max()), 1)
    # A cut must send something of a layer: else it takes over the cut of the class above.
    for k in range(len(sent) - 2, -1, -1):
        if not sent[k].any():
            sent[k], means_bits[k] = sent[k + 1], means_bits[k + 1] / 2
    intervals = [
        intervals_of(np.where(own, options.bins_per_information * bits, 0), own, rows)
        for own, bits in zip(sent, means_bits, strict=True)
    ]
    return Layout(region, np.array([0, *counts]), np.array(intervals))


def intervals_of(share_bits: NDArray[np.float64], sent: NDArray[np.bool_], count: int) -> Integers:
    """Intervals of the positions of a block, (count, channels), given log2 J of each channel.

    Position by position, J_d is incremented for the channel with most of its share left, until the
    share of all channels is used: a block with fewer positions then has its share too.
    """
    rows = np.where(sent, 1, 0).astype(np.int64) * np.ones((count, 1), np.int64)
    left_bits = np.where(sent, 0.0, -np.inf)
    for row in rows:
        left_bits = left_bits + share_bits
        while (total := left_bits[sent].sum()) > 0:
            c = int(left_bits.argmax())
            raised_bits = float(np.log2((row[c] + 1) / row[c]))
            if raised_bits > 2 * total or row[c] == MAX_INTERVALS:
                break
            row[c] += 1
            left_bits[c] -= raised_bits
    return rows


def fit_classes(
    classes: Sequence[Integers], qualities: Sequence[int], options: CalibrationOptions
) -> NDArray[np.int32]:
    """Frequencies of classes in each band of qualities and context; see `ClassTables`."""
    count = options.classes + 1
    counts = np.zeros((options.bands, count + 1, count))
    for maps, quality in zip(classes, qualities, strict=True):
        band = band_of(quality, options.bands)
        for place, context in contexts(maps):
            np.add.at(counts[band], (context, maps[place]), 1)
    # Rare contexts are smoothed towards coarser ones, bands towards all qualities.
    overall = _normalised(counts.sum((0, 1), keepdims=True) + 0.5)
    by_context = _normalised(counts.sum(0, keepdims=True) + 8 * overall)
    smoothed = counts + 8 * by_context
    return np.apply_along_axis(to_frequencies, -1, smoothed).astype(np.int32)


def _normalised(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts / counts.sum(-1, keepdims=True)


def fit_codes(
    network: Hierarchy, tables: Tables, pictures: Sequence[Tensor], search: SearchEffort
) -> Tables:
    """A copy of the tables with frequencies of cuts and ranks fitted to the codes of pictures."""
    sent: list[list[LayerCode]] = [[] for _ in tables.layers]
    for batch in pictures:
        pixels = (batch.float() / 255).contiguous(memory_format=torch.channels_last)
        for quality in CODED_QUALITIES:
            for picture in send(network, tables, KEY, pixels, quality, search).codes:
                for codes, code in zip(sent, picture.layers, strict=True):
                    codes.append(code)
    layers = []
    for own, codes in zip(tables.layers, sent, strict=True):
        count = len(own.rank_codes)
        classes = np.concatenate([code.blocks.classes for code in codes])
        cuts = np.concatenate([code.cuts for code in codes])
        ranks = np.concatenate([code.ranks for code in codes])
        layers.append(
            replace(
                own,
                cut_frequencies=fitted_cuts(classes, cuts, count),
                rank_codes=fitted_codes([ranks[cuts == cut] for cut in range(1, count + 1)]),
            )
        )
    return replace(tables, layers=tuple(layers))


def unfitted_code() -> IndexCode:
    """An initial code of ranks."""
    return halving_code(MAX_LOG2_RANKS + 1)


def unfitted_cuts(classes: int) -> NDArray[np.int32]:
    """Initial frequencies of cuts: the nearer to the class, the likelier."""
    away = np.abs(np.arange(classes + 1)[:, None] - np.arange(1, classes + 1))
    rows = [to_frequencies(weights + 1e-4) for weights in 0.5**away]
    return np.array(rows, dtype=np.int32)


def fitted_cuts(classes: Integers, cuts: Integers, count: int) -> NDArray[np.int32]:
    """Frequencies of cuts for each class, fitted to what was sent."""
    counts = 0.02 * ENOUGH * unfitted_cuts(count) / float(1 << PRECISION_BITS)
    np.add.at(counts, (classes, cuts - 1), 1)
    return np.apply_along_axis(to_frequencies, -1, counts).astype(np.int32)


def fitted_codes(ranks: Sequence[Integers]) -> tuple[IndexCode, ...]:
    """Codes of ranks for each cut from 1 on, fitted to what was sent with it."""
    every = np.concatenate(list(ranks))
    return tuple(_rank_code(own if len(own) >= ENOUGH else every) for own in ranks)


def _rank_code(ranks: Integers) -> IndexCode:
    code = fit_bucket_code(torch.from_numpy(ranks), (1 << MAX_LOG2_RANKS + 1) - 1)
    assert len(code.raw_bits) == MAX_LOG2_RANKS + 1
    return code
