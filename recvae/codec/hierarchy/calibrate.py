"""The constants of a model, from a trained network and the pictures that it was trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.hierarchy.classes import contexts
from recvae.codec.hierarchy.layout import Integers, Layout
from recvae.codec.hierarchy.sender import region_means
from recvae.codec.hierarchy.tables import MAX_LOG2_RANKS, LayerTables
from recvae.hierarchy.network import Hierarchy
from recvae.hierarchy.quality import MAX_QUALITY, MIN_QUALITY, position_of
from recvae.rec import IndexCode
from recvae.rec.index_codes import fit_bucket_code, to_frequencies
from recvae.vae.objective import NATS_PER_BIT, kl_nats

MAX_DIMENSIONS = 256
MAX_LOG2_BINS = 60


@dataclass(frozen=True)
class CalibrationOptions:
    """How blocks are made.

    Fields:
        block_bits: information of a block.
        bins_per_information: log2 J of a block, as a fraction of that.
        classes: of regions, besides that of regions that are not sent.
        region_pixels: side of a region in pixels.
        least_bits: regions with less KL per position are not sent.
        bands: bands of qualities with class frequencies of their own.
        strategy: which dimensions are cut: see `intervals_of`.
    """

    block_bits: float = 28.0
    bins_per_information: float = 0.95
    classes: int = 8
    region_pixels: int = 8
    least_bits: float = 0.05
    bands: int = 10
    strategy: str = "information"


@dataclass(frozen=True, eq=False)
class Posteriors:
    """KL of the posteriors of a layer: for each quality (n, channels, h, w) float32, bits."""

    kl_bits: list[NDArray[np.float32]]


def sample_posteriors(
    network: Hierarchy, pictures: Tensor, qualities: Sequence[int], seed: int = 0
) -> list[Posteriors]:
    """KL of each layer for pictures (n, 3, h, w) uint8 at some qualities, by one sample each."""
    torch.manual_seed(seed)
    layers: list[list[NDArray[np.float32]]] = [[] for _ in network.layers]
    for quality in qualities:
        parts: list[list[Tensor]] = [[] for _ in network.layers]
        for batch in pictures.split(50):
            pixels = (batch.float() / 255).contiguous(memory_format=torch.channels_last)
            position = torch.full((len(batch),), position_of(quality))
            with torch.no_grad():
                _, means, scales = network(
                    pixels, position, lambda m, s: m + s.exp() * torch.randn_like(m)
                )
            for part, mean, scale in zip(parts, means, scales, strict=True):
                part.append(kl_nats(mean, scale) / NATS_PER_BIT)
        for layer, part in zip(layers, parts, strict=True):
            layer.append(torch.cat(part).numpy())
    return [Posteriors(layer) for layer in layers]


def fit_tables(
    network: Hierarchy,
    posteriors: Sequence[Posteriors],
    qualities: Sequence[int],
    options: CalibrationOptions,
) -> list[LayerTables]:
    """Tables of all layers, with rank codes that are yet to be fitted."""
    tables: list[LayerTables] = []
    before: list[Integers] | None = None
    coarsest = network.arguments.stride
    for index, layer in enumerate(posteriors):
        step = coarsest >> network.resolution[index]
        region = max(1, options.region_pixels // step)
        at_positions = [kl.sum(1).astype(np.float64) for kl in layer.kl_bits]
        means = [region_means(kl, region) for kl in at_positions]
        edges = class_edges(np.concatenate([m.flatten() for m in means]), options)
        classes = [np.searchsorted(edges, m, side="right").astype(np.int64) for m in means]
        information = _information(layer, classes, region, len(edges))
        layout = Layout(
            region, tuple(intervals_of(bits, options) for bits in information)
        )
        frequencies = fit_classes(classes, before, qualities, len(edges) + 1, options.bands)
        codes = (unfitted_code(),) * len(edges)
        tables.append(LayerTables(layout, frequencies, codes, edges.astype(np.float32)))
        before = classes
    return tables


def class_edges(means_bits: NDArray[np.float64], options: CalibrationOptions) -> NDArray[np.float64]:
    """Edges between classes in KL per position, evenly spaced in its logarithm."""
    high = max(float(np.quantile(means_bits, 0.995)), 2 * options.least_bits)
    return np.geomspace(options.least_bits, high, options.classes + 1)[:-1]


def _information(
    layer: Posteriors, classes: Sequence[Integers], region: int, count: int
) -> NDArray[np.float64]:
    """Mean KL of each channel in regions of each class from 1 on, (count, channels), bits."""
    channels = layer.kl_bits[0].shape[1]
    totals, numbers = np.zeros((count + 1, channels)), np.zeros(count + 1)
    for kl, of_regions in zip(layer.kl_bits, classes, strict=True):
        height, width = kl.shape[2:]
        spread = of_regions.repeat(region, 1).repeat(region, 2)[:, :height, :width]
        for c in range(channels):
            totals[:, c] += np.bincount(
                spread.flatten(), kl[:, c].flatten().astype(np.float64), minlength=count + 1
            )
        numbers += np.bincount(spread.flatten(), minlength=count + 1)
    means = totals / np.maximum(numbers, 1)[:, None]
    for k in range(1, count + 1):  # classes that no region has borrow from those below
        if numbers[k] < 50:
            means[k] = means[k - 1] * 1.5 + 0.01
    return means[1:]


def intervals_of(information_bits: NDArray[np.float64], options: CalibrationOptions) -> Integers:
    """Intervals of the positions of a block, (positions, channels), given those of a position.

    Each channel's share of log2 J runs through the positions and is paid out as soon as it makes
    another interval: a block of fewer positions has its share too.
    """
    total = float(information_bits.sum())
    channels = len(information_bits)
    most = MAX_DIMENSIONS // channels
    count = int(np.clip(round(options.block_bits / total), 1, most))
    share = options.bins_per_information * information_bits
    # Channels do not all start with nothing: they would pay out in the same positions.
    debt = ((np.arange(channels) * 0.618) % 1) * np.minimum(share * count, 1.0) * 0.5
    rows = np.ones((count, channels), np.int64)
    log2_bins = 0.0
    for p in range(count):
        debt = debt + share
        for c in range(channels):
            rows[p, c] = max(1, int(2 ** min(debt[c], 20.0) + 1e-9))
            if log2_bins + np.log2(rows[p, c]) > MAX_LOG2_BINS:
                rows[p, c] = 1
            debt[c] -= np.log2(rows[p, c])
            log2_bins += np.log2(rows[p, c])
    return rows


def fit_classes(
    classes: Sequence[Integers],
    before: Sequence[Integers] | None,
    qualities: Sequence[int],
    count: int,
    bands: int,
) -> NDArray[np.int32]:
    """Frequencies of classes in each band of qualities and context: see `classes.Frequencies`."""
    counts = np.zeros((bands, count + 1, count + 1, count))
    for place, quality in enumerate(qualities):
        band = (quality - MIN_QUALITY) * bands // (MAX_QUALITY - MIN_QUALITY + 1)
        earlier = None if before is None else before[place]
        for where, context in contexts(classes[place], earlier):
            symbols = classes[place][where]
            np.add.at(counts[band], (context[..., 0], context[..., 1], symbols), 1)
    # Contexts that were seldom seen lean on those that know less.
    overall = counts.sum((1, 2), keepdims=True) + 0.5
    overall = overall / overall.sum(-1, keepdims=True)
    by_before = counts.sum(2, keepdims=True) + 4 * overall
    by_before = by_before / by_before.sum(-1, keepdims=True)
    smoothed = counts + 4 * by_before
    return np.apply_along_axis(to_frequencies, -1, smoothed).astype(np.int32)


def unfitted_code() -> IndexCode:
    """A code of ranks to begin with."""
    weights = 2.0 ** -np.arange(MAX_LOG2_RANKS + 1)
    return IndexCode(to_frequencies(weights + 1e-4), tuple(range(MAX_LOG2_RANKS + 1)))


def with_rank_codes(
    tables: LayerTables, ranks_by_class: Sequence[Integers]
) -> LayerTables:
    """The same tables with codes fitted to the ranks that were sent in each class from 1 on."""
    every = np.concatenate(list(ranks_by_class))
    codes = []
    for ranks in ranks_by_class:
        use = ranks if len(ranks) >= 200 else every
        codes.append(fit_bucket_code(torch.from_numpy(use), 1 << MAX_LOG2_RANKS))
    return replace(tables, rank_codes=tuple(codes))


Say = Callable[[str], None]
