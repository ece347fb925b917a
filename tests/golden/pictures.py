"""Golden pictures of the hierarchy, and the latents in a file as the real decoder finds them."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from golden.make_version_2 import V2
from golden.steps import MODELS as MADE
from recvae.codec.container import Group
from recvae.codec.container.group import num_tiles, tile_areas
from recvae.codec.hierarchy.draws import draw_latents
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.hierarchy.streams import decode_streams
from recvae.codec.models import PRETRAINED

TINY = MADE / "pictures"
KEPT = {"tiny": TINY, "cifar10-85": MADE / "cifar10-85"}
"""Models that do not ship: one of random weights, and what shipped as `cifar10` before."""

MODELS = KEPT | {"cifar10": PRETRAINED / "cifar10"}
FILES = sorted(V2.glob("pictures-*.recvae"))

MOST_THAT_DIFFER = 1e-3
"""docs/format.md: of the values of pictures, on another machine, by 1."""


def latents_of(
    model: PictureModel, groups: Iterable[Group], checking: bool = True
) -> list[list[np.ndarray]]:
    """Latents of each layer: those of all pictures in order, tile by tile, (h, w, channels) int64.

    ValueError for data that no encoder writes; with `checking`, even if it decodes.
    """
    found: list[list[np.ndarray]] = [[] for _ in range(model.layers)]
    for group in groups:
        by_tile = []
        tiles = num_tiles(group.spec, group.tile)
        for tile, (rows, columns) in enumerate(tile_areas(group.spec, group.tile)):
            size = rows.stop - rows.start, columns.stop - columns.start
            streams = group.streams[tile::tiles]
            raw = group.num_images * size[0] * size[1] * group.spec.channels
            if group.layers > 1 or len(streams[0]) != raw:
                by_tile.append(_of_tile(model, group, streams, size, checking))
        for picture in range(group.num_images):
            for layers in by_tile:
                for own, one in zip(found, layers[picture], strict=True):
                    own.append(one)
    return found


def layer_digests(latents: Iterable[Sequence[np.ndarray]]) -> list[str]:
    """SHA-256 of each layer, as little-endian integers of 64 bits."""
    return [
        hashlib.sha256(b"".join(one.astype("<i8").tobytes() for one in layer)).hexdigest()
        for layer in latents
    ]


def pictures_of(file: Path) -> list[np.ndarray]:
    """The pictures of a golden file, as they were decoded when it was made."""
    with np.load(file.with_suffix(".npz")) as kept:
        return [kept[f"arr_{number}"] for number in range(len(kept))]


def part_that_differs(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """The share of values that differ by 1; AssertionError if one differs by more."""
    apart = [
        np.abs(left.astype(int) - right.reshape(left.shape)).ravel()
        for left, right in zip(ours, theirs, strict=True)
    ]
    values = np.concatenate(apart)
    assert values.max() <= 1
    return float(values.mean())


def _of_tile(
    model: PictureModel,
    group: Group,
    streams: Sequence[bytes],
    size: tuple[int, int],
    checking: bool,
) -> list[list[np.ndarray]]:
    """The latents of each picture and layer."""
    shared = model.shared
    shapes = shared.shapes(*size)
    codes = decode_streams(
        shared.tables, streams, group.num_images, shapes, group.layers > 1, checking
    )
    return [
        [
            draw_latents(own.layout, layer, shared.key, code, h * w).reshape(h, w, -1)
            for layer, (own, code, (h, w)) in enumerate(
                zip(shared.tables.layers, picture.layers, shapes, strict=True)
            )
        ]
        for picture in codes
    ]
