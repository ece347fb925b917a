"""The constants of a model, from a trained network and the pictures that it was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.hierarchy.classes import ClassTables, band_of, contexts
from recvae.codec.hierarchy.layout import Integers, Layout
from recvae.codec.hierarchy.sender import by_region, run_chain
from recvae.codec.hierarchy.tables import MAX_LOG2_RANKS, LayerTables, Tables
from recvae.hierarchy.network import Hierarchy
from recvae.hierarchy.quality import position_of
from recvae.rec import IndexCode
from recvae.rec.index_codes import fit_bucket_code, to_frequencies
from recvae.vae.objective import NATS_PER_BIT, kl_nats

MAX_DIMENSIONS = 256
MAX_LOG2_BINS = 60
PICTURES_AT_ONCE = 32
ENOUGH = 200  # regions or ranks that a class needs for numbers of its own


@dataclass(frozen=True)
class CalibrationOptions:
    """How blocks are made.

    Fields:
        block_bits: information of a block.
        bins_per_information: log2 J of a block, as a fraction of that.
        classes: of regions, besides class 0.
        least_bits: regions with less KL are of class 0, whose latents are not sent.
        least_channel_bits: channels with less KL per position in a class are not sent in it.
        bands: bands of qualities with frequencies of classes of their own.
    """

    block_bits: float = 28.0
    bins_per_information: float = 0.8
    classes: int = 14
    least_bits: float = 1.0
    least_channel_bits: float = 0.02
    bands: int = 10


@dataclass(frozen=True, eq=False)
class Information:
    """KL of posteriors at one quality, bits.

    Fields:
        quality: 1 to 100.
        layers: of each layer in each region by channel, (n, rows, columns, channels) float32.
    """

    quality: int
    layers: list[NDArray[np.float32]]

    @property
    def regions(self) -> NDArray[np.float32]:
        """Of all layers, (n, rows, columns)."""
        total: NDArray[np.float32] = sum(layer.sum(-1) for layer in self.layers)
        return total


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

    for batch in pictures.split(PICTURES_AT_ONCE):
        pixels = (batch.float() / 255).contiguous(memory_format=torch.channels_last)
        run_chain(network, pixels, torch.full((len(batch),), position_of(quality)), draw)
    return Information(quality, [np.concatenate(parts) for parts in layers])


def fit_tables(
    network: Hierarchy, information: Sequence[Information], options: CalibrationOptions
) -> Tables:
    """Tables of a model but for the codes of ranks, which are fitted to what is sent."""
    regions = np.concatenate([one.regions.flatten() for one in information])
    edges = class_edges(regions, options).astype(np.float16).astype(np.float32)
    classes = [np.searchsorted(edges, one.regions, side="right") for one in information]
    frequencies = fit_classes(classes, [one.quality for one in information], options)
    layers = []
    for index in range(len(network.layers)):
        region = network.region_of(index)
        channels = [one.layers[index] / region**2 for one in information]
        intervals = [
            intervals_of(bits, options) for bits in mean_by_class(channels, classes, options)
        ]
        layout = Layout(region, tuple(intervals))
        layers.append(LayerTables(layout, (unfitted_code(),) * len(intervals)))
    return Tables(ClassTables(frequencies, edges), tuple(layers))


def class_edges(
    regions_bits: NDArray[np.float32], options: CalibrationOptions
) -> NDArray[np.float64]:
    """Edges between classes in KL of a region, evenly spaced in its logarithm."""
    high = max(float(np.quantile(regions_bits, 0.995)), 2 * options.least_bits)
    return np.geomspace(options.least_bits, high, options.classes + 1)[:-1]


def mean_by_class(
    channels_bits: Sequence[NDArray[np.float32]],
    classes: Sequence[Integers],
    options: CalibrationOptions,
) -> NDArray[np.float64]:
    """Mean KL per position of each channel in regions of each class from 1 on, bits.

    Args:
        channels_bits: KL per position at each quality, (n, rows, columns, channels).
        classes: of the regions, (n, rows, columns).
        options: of the calibration.
    """
    flat = np.concatenate([kl.reshape(-1, kl.shape[-1]) for kl in channels_bits])
    of_region = np.concatenate([c.flatten() for c in classes])
    means = np.zeros((options.classes + 1, flat.shape[1]))
    for k in range(options.classes + 1):
        own = flat[of_region == k]
        # What is seldom seen leans on the class below, which carries less.
        below = 1.3 * means[k - 1] if k else np.zeros(flat.shape[1])
        means[k] = (own.sum(0) + ENOUGH * below) / (len(own) + ENOUGH if k else max(len(own), 1))
    return means[1:]


def intervals_of(information_bits: NDArray[np.float64], options: CalibrationOptions) -> Integers:
    """Intervals of the positions of a block, (positions, channels), given the KL of a position.

    Each channel's share of log2 J runs through the positions and is paid out as soon as it makes
    another interval: a block of fewer positions has its share too.
    """
    sent = information_bits >= options.least_channel_bits
    information_bits = np.where(sent, information_bits, 0.0)
    channels = len(information_bits)
    total = max(float(information_bits.sum()), 1e-3)
    most = MAX_DIMENSIONS // max(int(sent.sum()), 1)
    count = int(np.clip(round(options.block_bits / total), 1, most))
    share = options.bins_per_information * information_bits
    # Channels begin at different points of their way, or they would all pay out at once.
    debt_bits = ((np.arange(channels) * 0.618) % 1) * np.minimum(share * count, 1.0) * 0.5
    rows = np.zeros((count, channels), np.int64)
    left_bits = float(MAX_LOG2_BINS)
    for p in range(count):
        debt_bits = debt_bits + share
        for c in np.flatnonzero(sent):
            rows[p, c] = int(2 ** np.clip(debt_bits[c], 0, min(left_bits, 20)) + 1e-9)
            paid = float(np.log2(rows[p, c]))
            debt_bits[c] -= paid
            left_bits -= paid
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
    # Contexts that were seldom seen lean on those that know less, bands on all qualities.
    overall = _normalised(counts.sum((0, 1), keepdims=True) + 0.5)
    by_context = _normalised(counts.sum(0, keepdims=True) + 8 * overall)
    smoothed = counts + 8 * by_context
    return np.apply_along_axis(to_frequencies, -1, smoothed).astype(np.int32)


def _normalised(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts / counts.sum(-1, keepdims=True)


def unfitted_code() -> IndexCode:
    """A code of ranks to begin with: half as likely from bucket to bucket."""
    weights = 2.0 ** -np.arange(MAX_LOG2_RANKS + 1) + 1e-4
    return IndexCode(to_frequencies(weights), tuple(range(MAX_LOG2_RANKS + 1)))


def fitted_codes(ranks: Sequence[Integers]) -> tuple[IndexCode, ...]:
    """Codes of ranks for each class from 1 on, by what was sent in it."""
    every = np.concatenate(list(ranks))
    return tuple(
        _rank_code(own if len(own) >= ENOUGH else every) for own in ranks
    )


def _rank_code(ranks: Integers) -> IndexCode:
    code = fit_bucket_code(torch.from_numpy(ranks), (1 << MAX_LOG2_RANKS + 1) - 1)
    assert len(code.raw_bits) == MAX_LOG2_RANKS + 1
    return code
