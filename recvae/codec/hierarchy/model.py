"""The image coder that is a hierarchical VAE: networks and tables as safetensors and JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jsonschema import Draft202012Validator
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.container import Group
from recvae.codec.hierarchy.coder import (
    Shared,
    decode_groups,
    decode_tile,
    encode_groups,
    group_quality,
)
from recvae.codec.hierarchy.layout import Layout
from recvae.codec.hierarchy.search import SearchEffort
from recvae.codec.hierarchy.tables import MAX_LOG2_RANKS, LayerTables
from recvae.codec.image_coder import Bits, ImageCoder, Pixels, register_image_coder
from recvae.codec.container.group import tile_areas
from recvae.codec.model_folder import (
    HASH_BYTES,
    WEIGHTS_NAME,
    content_hash,
    read_tensors,
    write_files,
)
from recvae.codec.models import JSON_NAME, read_object
from recvae.errors import InputError
from recvae.exact.frequencies import PRECISION_BITS
from recvae.hierarchy.network import Hierarchy, HierarchyArguments
from recvae.hierarchy.quality import MAX_QUALITY, MIN_QUALITY
from recvae.images.spec import ImageSpec
from recvae.rec import IndexCode
from recvae.rec.partition import MAX_LOG2_BINS

FORMAT = "recvae-hierarchy-1"
DEFAULT_QUALITY = 50
MAX_BLOCK_DIMENSIONS = 256
LIMITS = {"region": 64, "classes": 64, "bands": 100, "positions": 1 << 14}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["format", "name", "architecture", "key", "layers", "facts", "hash"],
    "properties": {
        "format": {"const": FORMAT},
        "name": {"type": "string", "maxLength": 100},
        "key": {"type": "integer", "minimum": 0, "maximum": (1 << 64) - 1},
        "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "facts": {"type": "object"},
        "architecture": {"type": "object"},
        "layers": {
            "type": "array",
            "maxItems": 255,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["region", "bands", "block_positions"],
                "properties": {
                    "region": {"type": "integer", "minimum": 1, "maximum": LIMITS["region"]},
                    "bands": {"type": "integer", "minimum": 1, "maximum": LIMITS["bands"]},
                    "block_positions": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": LIMITS["classes"],
                        "items": {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": MAX_BLOCK_DIMENSIONS,
                        },
                    },
                },
            },
        },
    },
}


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureModel(ImageCoder):
    """A trained hierarchy ready to code with.

    Fields:
        name: for people.
        shared: networks, tables and key.
        quality: of what is sent, 1 to 100.
        search: how long the sender searches.
        metadata: what is known about the model; no bit depends on it.
    """

    name: str
    shared: Shared
    quality: int = DEFAULT_QUALITY
    search: SearchEffort = SearchEffort()
    metadata: dict[str, Any] = field(default_factory=dict)

    summary = "lossy, pictures of any size"
    parts = ("classes", "bins", "ranks", "kl")
    plain = False
    lossy = True
    tiles_apart = True

    @property
    def layers(self) -> int:  # type: ignore[override]
        """How many layers, coarse to fine, a picture is made of."""
        return len(self.shared.tables)

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
        return replace(self, quality=quality)

    def quality_of(self, group: Group) -> int | None:
        """See `ImageCoder.quality_of`: None of pictures that are stored as they are."""
        return group_quality(group)

    def to(self, device: torch.device) -> "PictureModel":
        """See `ImageCoder.to`."""
        self.shared.network.to(device)
        return self

    @cached_property
    def hash(self) -> str:
        """SHA-256 over description and tensors, as hexadecimal digits."""
        return content_hash(self.description(), self.tensors())

    @property
    def file_id(self) -> bytes:
        """The part of the hash that stands in a file's header."""
        return bytes.fromhex(self.hash)[:HASH_BYTES]

    def description(self) -> dict[str, Any]:
        """What `model.json` states, but for the hash."""
        architecture = asdict(self.shared.network.arguments)
        return {
            "format": FORMAT,
            "name": self.name,
            "architecture": {
                k: list(v) if isinstance(v, tuple) else v for k, v in architecture.items()
            },
            "key": self.shared.key,
            "layers": [
                {
                    "region": tables.layout.region,
                    "bands": len(tables.class_frequencies),
                    "block_positions": tables.layout.block_positions[1:].tolist(),
                }
                for tables in self.shared.tables
            ],
            "facts": self.metadata,
        }

    def tensors(self) -> dict[str, Tensor]:
        """What `weights.safetensors` holds: the networks in float16, the tables in integers."""
        network = self.shared.network.state_dict().items()
        found = {f"network.{name}": tensor.half() for name, tensor in network}
        for layer, tables in enumerate(self.shared.tables):
            intervals = np.concatenate(tables.layout.intervals).astype(np.int32)
            ranks = np.array([code.frequencies for code in tables.rank_codes], np.int32)
            found |= {
                f"layers.{layer}.intervals": torch.from_numpy(intervals),
                f"layers.{layer}.classes": torch.from_numpy(tables.class_frequencies),
                f"layers.{layer}.ranks": torch.from_numpy(ranks),
                f"layers.{layer}.edges": torch.from_numpy(tables.edges_bits).half(),
            }
        return {name: tensor.cpu().contiguous() for name, tensor in found.items()}

    def save(self, folder: Path) -> None:
        """Write the two files into a folder that exists."""
        write_files(folder, self.description(), self.tensors())

    def _is_written(self, group: Group) -> bool:
        try:
            decode_groups(self.shared, [group], checking=True)
        except InputError:
            return False
        return True


def as_stored(network: Hierarchy) -> Hierarchy:
    """A network whose weights are what float16 keeps of them, ready to code with."""
    stored = {name: tensor.half().float() for name, tensor in network.state_dict().items()}
    network.load_state_dict(stored)
    return network.eval().requires_grad_(False)


def _load(folder: Path) -> PictureModel:
    """The model in a folder; ValueError if it cannot be used."""
    text = read_object(folder / JSON_NAME)
    if error := next(Draft202012Validator(SCHEMA).iter_errors(text), None):
        raise ValueError(f"{JSON_NAME}: {error.json_path[2:]}: {error.message[:200]}")
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
        name.removeprefix("network."): tensor.float()
        for name, tensor in tensors.items()
        if name.startswith("network.")
    }
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ValueError("a weight of its networks is not finite")
    network.load_state_dict(weights, assign=True)
    network = network.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    tables = tuple(
        _tables(layer, fields, tensors) for layer, fields in enumerate(text["layers"])
    )
    shared = Shared(network, tables, text["key"])
    model = PictureModel(name=text["name"], shared=shared, metadata=text["facts"])
    if model.description() != text:
        raise ValueError(f"{JSON_NAME}: is not in the form in which a model states itself")
    return model


def _tensor_specs(network: Hierarchy, text: dict[str, Any]) -> dict[str, Any]:
    """What `weights.safetensors` must hold."""
    if len(text["layers"]) != len(network.layers):
        raise ValueError(
            f"{JSON_NAME}: layers: {len(text['layers'])}, the architecture has {len(network.layers)}"
        )
    specs: dict[str, Any] = {
        f"network.{name}": (torch.float16, tuple(tensor.shape))
        for name, tensor in network.state_dict().items()
    }
    for layer, fields in enumerate(text["layers"]):
        channels = network.arguments.channels[network.resolution[layer]]
        positions = fields["block_positions"]
        count = len(positions) + 1
        if max(positions) * channels > MAX_BLOCK_DIMENSIONS:
            raise ValueError(f"{JSON_NAME}: layers: a block of more than 256 dimensions")
        specs |= {
            f"layers.{layer}.intervals": (torch.int32, (sum(positions), channels)),
            f"layers.{layer}.classes": (
                torch.int32,
                (fields["bands"], count + 1, count + 1, count),
            ),
            f"layers.{layer}.ranks": (torch.int32, (count - 1, MAX_LOG2_RANKS + 1)),
            f"layers.{layer}.edges": (torch.float16, (count - 1,)),
        }
    return specs


def _tables(layer: int, fields: dict[str, Any], tensors: dict[str, Tensor]) -> LayerTables:
    """The tables of a layer; ValueError for values that no model has."""
    own = {part: tensors[f"layers.{layer}.{part}"].numpy() for part in _PARTS}
    ends = np.cumsum(fields["block_positions"])[:-1]
    intervals = tuple(np.split(own["intervals"].astype(np.int64), ends))
    for rows in intervals:
        if rows.min() < 1 or rows.max() > 1 << 20 or np.log2(rows).sum() > MAX_LOG2_BINS:
            raise ValueError(f"layers.{layer}.intervals: a block of more than 2^62 bins, or of none")
    sums = own["classes"].astype(np.int64).sum(-1)
    if own["classes"].min() < 1 or (sums != 1 << PRECISION_BITS).any():
        raise ValueError(f"layers.{layer}.classes: frequencies that do not sum to 2^24")
    raw_bits = tuple(range(MAX_LOG2_RANKS + 1))
    codes = tuple(IndexCode(tuple(row), raw_bits) for row in own["ranks"].tolist())
    edges = own["edges"].astype(np.float32)
    if not bool(np.isfinite(edges).all()) or (np.diff(edges) < 0).any():
        raise ValueError(f"layers.{layer}.edges: not in order")
    return LayerTables(Layout(fields["region"], intervals), own["classes"], codes, edges)


_PARTS = ("intervals", "classes", "ranks", "edges")

register_image_coder(FORMAT, _load)
