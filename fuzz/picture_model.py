"""Target: the loader of models of the hierarchy. Inputs are as for `model`."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from fuzz.invariants import refusal_is_one_line, scratch
from fuzz.model import SEPARATOR, WHOLE_FILE, folder_of, mutate, parts_of
from recvae.codec import load_model
from recvae.codec.hierarchy.classes import ClassTables
from recvae.codec.hierarchy.coder import Shared
from recvae.codec.hierarchy.layout import Layout
from recvae.codec.hierarchy.model import PictureModel, as_stored
from recvae.codec.hierarchy.search import SearchEffort
from recvae.codec.hierarchy.tables import MAX_LOG2_RANKS, LayerTables, Tables
from recvae.hierarchy.network import Hierarchy, HierarchyArguments
from recvae.rec import IndexCode
from recvae.rec.index_codes import to_frequencies
from recvae.rec.partition import MAX_LOG2_BINS

__all__ = ["check", "mutate", "seeds"]

ARGUMENTS = (
    HierarchyArguments(8, (1, 1), (2, 3), (1, 1), 1, 1),
    HierarchyArguments(8, (1,), (1,), (1,), 1, 1),
)
QUICK = SearchEffort(margin_bits=0.0, max_log2_candidates=4, keep=2)
TABLE_TYPES = ("I32",)  # which safetensors puts before narrower types


def seeds() -> Iterator[bytes]:
    """The smallest possible models: their tables, then zeros; one as a whole file."""
    for model in tiny_models():
        text, header, data, weights = parts_of(model)
        tables = [e for e in json.loads(header).values() if e.get("dtype") in TABLE_TYPES]
        end = max(e["data_offsets"][1] for e in tables)
        yield bytes([0]) + SEPARATOR.join([text, header, data[:end]])
        yield bytes([0]) + SEPARATOR.join([text, header, data[: end // 2]])
    yield bytes([WHOLE_FILE]) + SEPARATOR.join([text, b"", weights])


def tiny_models() -> list[PictureModel]:
    """Models with two layers at two resolutions, and with a single layer."""
    return [_tiny(arguments) for arguments in ARGUMENTS]


def _tiny(arguments: HierarchyArguments) -> PictureModel:
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    network = Hierarchy(arguments)
    for parameter in network.parameters():
        parameter.data += torch.randn_like(parameter) * 0.1
    raw_bits = tuple(range(MAX_LOG2_RANKS + 1))

    def rows(*shape: int) -> np.ndarray:
        return np.apply_along_axis(to_frequencies, -1, random.random(shape) ** 2).astype(np.int32)

    layers = []
    for layer, resolution in enumerate(network.resolution):
        intervals = random.integers(0, 4, (2, 2, arguments.channels[resolution]))
        intervals[:, 0, 0] = 3
        layout = Layout(network.region_of(layer), np.array([0, layer, 2]), intervals)
        codes = tuple(IndexCode(tuple(row), raw_bits) for row in rows(2, len(raw_bits)).tolist())
        layers.append(LayerTables(layout, rows(3, 2), codes))
    classes = ClassTables(rows(2, 4, 3), np.array([1, 8], np.float32))
    shared = Shared(as_stored(network), Tables(classes, tuple(layers)), (1 << 64) - 1)
    return PictureModel(name="tiny", shared=shared, search=QUICK)


def pictures_for(height: int, width: int, channels: int, count: int = 1) -> np.ndarray:
    """Arbitrary pictures."""
    shape = (count, height, width) if channels == 1 else (count, height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def check(data: bytes) -> None:
    """Check that a model that loads matches its hash, saves identically, and codes."""
    folder = folder_of(data)
    with refusal_is_one_line():
        model = load_model(folder)
        if not isinstance(model, PictureModel):
            return
        assert model.hash == json.loads((folder / "model.json").read_bytes())["hash"]
        copy = scratch("copy")
        copy.mkdir(exist_ok=True)
        model.save(copy)
        assert load_model(copy).file_id == model.file_id
        # A receiver may get bins that no sender can use.
        tables = model.shared.tables.layers
        if max(own.layout.log2_bins.max() for own in tables) <= MAX_LOG2_BINS:
            groups, _ = replace(model, search=QUICK).encode(pictures_for(5, 9, 3), 1)
            assert model.decode(groups).shape == (1, 5, 9, 3)
            assert model.written(groups) == [True]
