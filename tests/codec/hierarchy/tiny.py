"""The smallest possible hierarchy, calibrated on smooth pictures; it codes nothing well."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from recvae.codec.hierarchy.calibrate import CalibrationOptions, calibrate_pictures
from recvae.codec.hierarchy.classes import ClassTables
from recvae.codec.hierarchy.layout import Layout, cut_blocks
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.hierarchy.payload import LayerCode
from recvae.codec.hierarchy.search import SearchEffort
from recvae.codec.hierarchy.tables import MAX_LOG2_RANKS, LayerTables, Tables
from recvae.hierarchy.lightning import PictureVAE
from recvae.hierarchy.network import HierarchyArguments
from recvae.rec import IndexCode
from recvae.rec.index_codes import to_frequencies

TWO_LAYERS = HierarchyArguments(8, (1, 1, 0), (3, 4, 1), (1, 1, 1), 1, 1)
ONE_LAYER = HierarchyArguments(8, (1,), (4,), (1,), 1, 1)
LARGEST_RANK = (1 << MAX_LOG2_RANKS + 1) - 2
QUICK = SearchEffort(margin_bits=1.0, max_log2_candidates=8, keep=4)


def smooth(count: int, height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Pictures, (count, height, width) or (count, height, width, 3): waves, the left half noisy."""
    random = np.random.default_rng([seed, height, width])
    y, x = np.mgrid[:height, :width]
    pictures = np.zeros((count, height, width, channels))
    for picture, channel in np.ndindex(count, channels):
        down, right, phase = random.uniform(0.1, 0.6, 3)
        pictures[picture, ..., channel] = 128 + 90 * np.sin(down * y + right * x + 9 * phase)
    pictures += random.normal(0, 25, pictures.shape) * (x < width / 2)[..., None]
    pixels = np.clip(pictures, 0, 255).astype(np.uint8)
    return pixels if channels == 3 else pixels[..., 0]


def module_of(arguments: HierarchyArguments, seed: int = 0) -> PictureVAE:
    """Networks whose every part has an effect, unlike before training."""
    torch.manual_seed(seed)
    module = PictureVAE(arguments)
    with torch.no_grad():
        for parameter in module.network.parameters():
            parameter += torch.randn_like(parameter) * 0.15
    return module.eval().requires_grad_(False)


@cache
def tiny_model(arguments: HierarchyArguments = TWO_LAYERS) -> PictureModel:
    """A calibrated model with a short search."""
    options = CalibrationOptions(classes=5, bands=3, least_bits=4.0, block_bits=12.0)
    pictures = list(torch.from_numpy(smooth(2, 32, 32)).permute(0, 3, 1, 2))
    facts = {"note": "random"}
    module = module_of(arguments)
    model = calibrate_pictures(module, pictures, "tiny", facts, lambda text: None, options)
    return replace(model, search=QUICK)


def random_layout(random: np.random.Generator, classes: int, region: int, channels: int) -> Layout:
    """Blocks of up to six positions; some classes and some dimensions send nothing."""
    positions = int(random.integers(1, 7))
    block_positions = random.integers(0, positions + 1, classes + 1)
    block_positions[0] = 0
    most = 2 ** random.integers(0, 13, (classes, 1, 1))
    intervals = random.integers(0, most + 1, (classes, positions, channels))
    intervals *= random.random((classes, 1, channels)) < 0.7
    intervals[:, 0, 0] = np.maximum(intervals[:, 0, 0], 1)
    return Layout(region, block_positions, intervals)


def random_class_tables(random: np.random.Generator, classes: int, bands: int = 3) -> ClassTables:
    """Tables of classes from 0 on, some of them far likelier than others."""
    weights = random.random((bands, classes + 2, classes + 1)) ** 6
    frequencies = np.apply_along_axis(to_frequencies, -1, weights).astype(np.int32)
    return ClassTables(frequencies, np.arange(1, classes + 1, dtype=np.float32))


def random_tables(seed: int, classes: int = 4, regions: tuple[int, ...] = (1, 1, 2)) -> Tables:
    """Tables of layers whose regions have these sides."""
    random = np.random.default_rng(seed)
    layers = []
    for region in regions:
        layout = random_layout(random, classes, region, int(random.integers(1, 5)))
        cuts = np.apply_along_axis(to_frequencies, -1, random.random((classes + 1, classes)))
        ranks = random.random((classes, MAX_LOG2_RANKS + 1)) ** 6
        raw_bits = tuple(range(MAX_LOG2_RANKS + 1))
        codes = tuple(IndexCode(to_frequencies(row), raw_bits) for row in ranks)
        layers.append(LayerTables(layout, cuts.astype(np.int32), codes))
    return Tables(random_class_tables(random, classes), tuple(layers))


def random_code(
    random: np.random.Generator, layout: Layout, regions: np.ndarray, shape: tuple[int, int]
) -> LayerCode:
    """A code that an encoder might have found, including first and last bins and ranks."""
    blocks = cut_blocks(layout, layout.at_positions(regions, *shape))
    cuts = random.integers(1, len(layout.intervals) + 1, len(blocks.classes))
    last = np.maximum(layout.intervals_of(blocks, cuts) - 1, 0)
    bins = np.where(random.random(last.shape) < 0.3, last, random.integers(0, last + 1))
    ranks = random.integers(0, 1 << random.integers(1, MAX_LOG2_RANKS + 1, len(cuts)))
    ranks[random.random(len(cuts)) < 0.2] = LARGEST_RANK
    return LayerCode(shape, blocks, cuts, bins, ranks)
