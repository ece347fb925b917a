"""The model of a hierarchical VAE: networks and tables as safetensors and JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recvae.codec.container import Group
from recvae.codec.container.group import tile_areas
from recvae.codec.hierarchy.classes import ClassTables
from recvae.codec.hierarchy.coder import (
    Shared,
    decode_groups,
    decode_tile,
    encode_groups,
    group_quality,
)
from recvae.codec.hierarchy.layout import Layout
from recvae.codec.hierarchy.pictures import CHANNELS
from recvae.codec.hierarchy.search import SearchEffort
from recvae.codec.hierarchy.tables import MAX_LOG2_RANKS, LayerTables, Tables
from recvae.codec.image_coder import Bits, ImageCoder, Pixels
from recvae.codec.model_folder import (
    WEIGHTS_NAME,
    FolderModel,
    Spec,
    Tensors,
    check_schema,
    content_hash,
    read_tensors,
)
from recvae.codec.models import JSON_NAME, read_object
from recvae.errors import InputError
from recvae.exact.frequencies import PRECISION_BITS
from recvae.hierarchy.network import Hierarchy, HierarchyArguments
from recvae.hierarchy.quality import MAX_QUALITY, MIN_QUALITY
from recvae.rec import IndexCode
from recvae.rec.partition import MAX_LOG2_BINS, MAX_LOG2_INTERVALS

FORMAT = "recvae-hierarchy-1"
DEFAULT_QUALITY = 50
FIRST = SearchEffort()
REFINEMENTS = 4  # for each unit of effort
MAX_BLOCK_DIMENSIONS = 256


def _integer(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "format",
        "name",
        "architecture",
        "key",
        "classes",
        "bands",
        "layers",
        "facts",
        "hash",
    ],
    "properties": {
        "format": {"const": FORMAT},
        "name": {"type": "string", "maxLength": 100},
        "key": {"type": "integer", "minimum": 0, "maximum": (1 << 64) - 1},
        "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "facts": {"type": "object"},
        "architecture": {"type": "object"},
        "classes": _integer(1, 64),
        "bands": _integer(1, MAX_QUALITY),
        "layers": {
            "type": "array",
            "maxItems": 255,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["positions"],
                "properties": {"positions": _integer(1, MAX_BLOCK_DIMENSIONS)},
            },
        },
    },
}


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureModel(FolderModel, ImageCoder):
    """A trained hierarchical VAE that is ready to code.

    Fields:
        name: for display.
        shared: networks, tables and key.
        quality: quality to encode at, 1 to 100.
        search: effort of the sender's search.
        metadata: facts about the model; no coded bit depends on them.
    """

    name: str
    shared: Shared
    quality: int = DEFAULT_QUALITY
    search: SearchEffort = FIRST
    metadata: dict[str, Any] = field(default_factory=dict)

    summary = "lossy, pictures of any size"
    channels = CHANNELS
    parts = ("classes", "cuts", "bins", "ranks", "kl")
    plain = False
    lossy = True
    tiles_apart = True

    @property
    def layers(self) -> int:  # type: ignore[override]
        """The number of layers of a picture, coarse to fine."""
        return len(self.shared.tables.layers)

    def encode(self, pixels: Pixels, group_size: int) -> tuple[list[Group], Bits]:
        """See `ImageCoder.encode`."""
        return encode_groups(self.shared, pixels, group_size, self.quality, self.search)

    def decode(self, groups: Sequence[Group]) -> Pixels:
        """See `ImageCoder.decode`."""
        return decode_groups(self.shared, groups)

    def preview(self, groups: Sequence[Group], layers: int) -> Pixels:
        """See `ImageCoder.preview`."""
        if not 1 <= layers <= self.layers:
            raise InputError(f"layers is {layers}: model {self.name!r} has 1 to {self.layers}")
        return decode_groups(self.shared, groups, layers)

    def decode_area(self, group: Group, rows: slice, columns: slice) -> Pixels:
        """See `ImageCoder.decode_area`."""
        pixels = np.zeros((group.num_images, *group.spec.shape), np.uint8)
        for tile, area in enumerate(tile_areas(group.spec, group.tile)):
            wanted = zip((rows, columns), area, strict=True)
            if all(a.start < b.stop and b.start < a.stop for a, b in wanted):
                decode_tile(self.shared, [group], tile, pixels)
        return pixels[:, rows, columns]

    def written(self, groups: Sequence[Group]) -> list[bool]:
        """See `ImageCoder.written`."""
        return [self._is_written(group) for group in groups]

    def with_quality(self, quality: int) -> "PictureModel":
        """See `ImageCoder.with_quality`."""
        if type(quality) is not int or not MIN_QUALITY <= quality <= MAX_QUALITY:
            raise InputError(
                f"quality is {quality!r}: it must be an integer from {MIN_QUALITY} to {MAX_QUALITY}"
            )
        return self._as_sender(quality=quality)

    def quality_of(self, group: Group) -> int | None:
        """See `ImageCoder.quality_of`: None for pictures stored uncompressed."""
        return group_quality(group)

    def with_effort(self, effort: int) -> "PictureModel":
        """A copy whose sender refines posteriors for the pictures and searches longer."""
        if effort == 1:
            return self
        more = math.ceil(math.log2(effort))
        search = SearchEffort(
            margin_bits=FIRST.margin_bits + more / 2,
            max_log2_candidates=min(FIRST.max_log2_candidates + more // 2, MAX_LOG2_RANKS),
            keep=FIRST.keep * (1 + more),
            refinements=FIRST.refinements + REFINEMENTS * effort,
        )
        return self._as_sender(search=search)

    def to(self, device: torch.device) -> "PictureModel":
        """See `ImageCoder.to`."""
        self.shared.network.to(device)
        return self

    def description(self) -> dict[str, Any]:
        """The contents of `model.json` without the hash."""
        architecture, tables = asdict(self.shared.network.arguments), self.shared.tables
        return {
            "format": FORMAT,
            "name": self.name,
            "architecture": {
                k: list(v) if isinstance(v, tuple) else v for k, v in architecture.items()
            },
            "key": self.shared.key,
            "classes": tables.classes.count - 1,
            "bands": len(tables.classes.frequencies),
            "layers": [{"positions": own.layout.intervals.shape[1]} for own in tables.layers],
            "facts": self.metadata,
        }

    def tensors(self) -> Tensors:
        """The contents of `weights.safetensors`: networks in float16, tables in integers."""
        network = self.shared.network.state_dict().items()
        tables = self.shared.tables
        found: dict[str, NDArray[Any]] = {
            f"network.{name}": tensor.half().cpu().numpy() for name, tensor in network
        }
        found["classes.frequencies"] = tables.classes.frequencies
        found["classes.edges"] = tables.classes.edges_bits.astype(np.float16)
        for layer, own in enumerate(tables.layers):
            parts: dict[str, NDArray[Any]] = {
                "block_positions": own.layout.block_positions,
                "intervals": own.layout.intervals,
                "cuts": own.cut_frequencies,
                "ranks": own.bucket_frequencies,
            }
            for part, values in parts.items():
                found[f"layers.{layer}.{part}"] = values.astype(np.int32)
        return found

    def _as_sender(self, **changes: Any) -> "PictureModel":
        """A copy with other sender options; reuses the hash, which does not depend on them."""
        sender = replace(self, **changes)
        sender.__dict__["hash"] = self.hash
        return sender

    def _is_written(self, group: Group) -> bool:
        try:
            decode_groups(self.shared, [group], checking=True)
        except InputError:
            return False
        return True


def as_stored(network: Hierarchy) -> Hierarchy:
    """Round a network's weights to float16, as stored, and prepare it for coding."""
    stored = {name: tensor.half().float() for name, tensor in network.state_dict().items()}
    network.load_state_dict(stored)
    return network.eval().requires_grad_(False)


def load(folder: Path) -> PictureModel:
    """Load the model in a folder; ValueError if it cannot be used."""
    text = read_object(folder / JSON_NAME)
    check_schema(text, SCHEMA)
    try:
        arguments = HierarchyArguments(**text["architecture"])
    except TypeError as error:
        raise ValueError(f"{JSON_NAME}: architecture: {error}") from error
    with torch.device("meta"):
        network = Hierarchy(arguments)
    tensors = read_tensors(folder / WEIGHTS_NAME, _tensor_specs(network, text))
    stated_hash = text.pop("hash")
    if content_hash(text, tensors) != stated_hash:
        raise ValueError("its contents do not match its hash: the files are damaged or mixed up")
    weights = {
        name.removeprefix("network."): torch.from_numpy(tensor).float()
        for name, tensor in tensors.items()
        if name.startswith("network.")
    }
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ValueError("a weight of its networks is not finite")
    network.load_state_dict(weights, assign=True)
    network = network.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    layers = tuple(_layer_tables(layer, network, tensors) for layer in range(len(text["layers"])))
    shared = Shared(network, Tables(_class_tables(tensors), layers), text["key"])
    model = PictureModel(name=text["name"], shared=shared, metadata=text["facts"])
    if model.description() != text:
        raise ValueError(f"{JSON_NAME}: is not in canonical form")
    return model


def _tensor_specs(network: Hierarchy, text: dict[str, Any]) -> dict[str, Spec]:
    """Specs of all tensors in `weights.safetensors`."""
    if len(text["layers"]) != len(network.layers):
        raise ValueError(
            f"{JSON_NAME}: layers: {len(text['layers'])} of them, the architecture has "
            f"{len(network.layers)}"
        )
    specs: dict[str, Spec] = {
        f"network.{name}": (np.float16, tuple(tensor.shape))
        for name, tensor in network.state_dict().items()
    }
    classes, bands = text["classes"], text["bands"]
    specs["classes.frequencies"] = (np.int32, (bands, classes + 2, classes + 1))
    specs["classes.edges"] = (np.float16, (classes,))
    for layer, fields in enumerate(text["layers"]):
        channels = network.arguments.channels[network.resolution[layer]]
        shapes = {
            "block_positions": (classes + 1,),
            "intervals": (classes, fields["positions"], channels),
            "cuts": (classes + 1, classes),
            "ranks": (classes, MAX_LOG2_RANKS + 1),
        }
        specs |= {f"layers.{layer}.{part}": (np.int32, shape) for part, shape in shapes.items()}
    return specs


def _class_tables(tensors: Tensors) -> ClassTables:
    edges = tensors["classes.edges"].astype(np.float32)
    if not bool(np.isfinite(edges).all()) or (np.diff(edges) < 0).any():
        raise ValueError("classes.edges: not in order")
    return ClassTables(_frequencies("classes.frequencies", tensors), edges)


def _layer_tables(layer: int, network: Hierarchy, tensors: Tensors) -> LayerTables:
    """The tables of a layer; ValueError for invalid values."""
    prefix = f"layers.{layer}"
    block_positions, intervals = (
        tensors[f"{prefix}.{part}"].astype(np.int64) for part in ("block_positions", "intervals")
    )
    if block_positions.min() < 0 or block_positions.max() > intervals.shape[1]:
        raise ValueError(f"{prefix}.block_positions: a block has more positions than intervals")
    if block_positions[0]:
        raise ValueError(f"{prefix}.block_positions: must be 0 for class 0")
    if intervals.min() < 0 or intervals.max() > 1 << MAX_LOG2_INTERVALS:
        raise ValueError(f"{prefix}.intervals: must lie between 0 and 2^20")
    if ((intervals > 0).sum((1, 2)) == 0).any() or not (intervals[:, 0] > 0).any(1).all():
        raise ValueError(f"{prefix}.intervals: a cut sends nothing")
    if (intervals > 0).sum((1, 2)).max() > MAX_BLOCK_DIMENSIONS:
        raise ValueError(f"{prefix}.intervals: a block has more than 256 dimensions")
    layout = Layout(network.region_of(layer), block_positions, intervals)
    if layout.log2_bins[:, block_positions.max()].min() > MAX_LOG2_BINS:
        raise ValueError(f"{prefix}.intervals: every cut has more than 2^62 bins")
    ranks = _frequencies(f"{prefix}.ranks", tensors)
    raw_bits = tuple(range(MAX_LOG2_RANKS + 1))
    codes = tuple(IndexCode(tuple(row), raw_bits) for row in ranks.tolist())
    return LayerTables(layout, _frequencies(f"{prefix}.cuts", tensors), codes)


def _frequencies(name: str, tensors: Tensors) -> NDArray[np.int32]:
    """A table of frequencies; ValueError unless its rows are valid."""
    table: NDArray[np.int32] = tensors[name]
    if table.min() < 1 or (table.astype(np.int64).sum(-1) != 1 << PRECISION_BITS).any():
        raise ValueError(f"{name}: must be positive and sum to 2^24")
    return table
