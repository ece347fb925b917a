"""docs/format.md suffices for a hierarchy: a decoder written from it finds every latent."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recvae
from codec.hierarchy.tiny import QUICK, smooth
from golden.pictures import (
    FILES,
    MODELS,
    MOST_THAT_DIFFER,
    TINY,
    latents_of,
    layer_digests,
    part_that_differs,
    pictures_of,
)
from recvae.codec.container import Group
from recvae.codec.hierarchy.model import PictureModel
from recvae.images.spec import ImageSpec
from spec import hierarchy, version_2
from spec.synthesis import Synthesis, to_pixels

TABLE_FILE = Path(recvae.__file__).parent / "exact" / "gaussian_table.npy"
TABLE = np.frombuffer(TABLE_FILE.read_bytes()[-32772:], "<i4").tolist()


@pytest.fixture(scope="module")
def model() -> PictureModel:
    return replace(recvae.load(TINY).model, search=QUICK)


@pytest.fixture(scope="module")
def second() -> hierarchy.Hierarchy:
    return hierarchy.read(TINY)


def plain(group: Group) -> version_2.Group:
    spec = version_2.Spec(
        group.spec.height, group.spec.width, group.spec.channels, group.spec.levels
    )
    tile = group.tile or (group.spec.height, group.spec.width)
    return version_2.Group(
        group.num_images, spec, tile, group.layers, group.model, list(group.streams)
    )


def in_order(
    second: hierarchy.Hierarchy, groups: Sequence[version_2.Group]
) -> list[list[np.ndarray]]:
    """Latents of each layer, picture after picture, tile by tile."""
    found: list[list[np.ndarray]] = [[] for _ in second.layers]
    for group in groups:
        tiles = hierarchy.decode_group(second, group, TABLE)
        for picture in range(group.count):
            for tile in tiles:
                if isinstance(tile, hierarchy.Tile):
                    for own, layer in zip(found, tile.latents, strict=True):
                        own.append(layer[picture])
    return found


def synthesised(
    second: hierarchy.Hierarchy, groups: Sequence[version_2.Group]
) -> Iterator[np.ndarray]:
    """The pictures of groups, (h, w, channels)."""
    for group in groups:
        height, width, channels, _ = group.spec
        pixels = np.zeros((group.count, height, width, channels), np.uint8)
        tiles = hierarchy.decode_group(second, group, TABLE)
        areas = version_2.tile_slices(group.spec, group.tile)
        for tile, (rows, columns) in zip(tiles, areas, strict=True):
            if not isinstance(tile, hierarchy.Tile):
                pixels[:, rows, columns] = tile
                continue
            networks = Synthesis(second, tile.quality)
            size = rows.stop - rows.start, columns.stop - columns.start
            for picture in range(group.count):
                own = [layer[picture] for layer in tile.latents]
                part = to_pixels(networks.picture(own, *size), channels)
                pixels[picture, rows, columns] = part
        yield from pixels


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_golden_file(file: Path) -> None:
    """Latents are bit-identical; pictures, in float64, differ by 1 in a few values."""
    expected = json.loads(file.with_suffix(".json").read_text())
    second = hierarchy.read(MODELS[expected["model"]])
    read = version_2.read(file.read_bytes())
    assert read.models == [second.hash[:16]]
    assert layer_digests(in_order(second, read.groups)) == expected["n"]
    pictures = list(synthesised(second, read.groups))
    assert part_that_differs(pictures_of(file), pictures) <= MOST_THAT_DIFFER


@pytest.mark.parametrize(
    ("quality", "count", "group_size", "height", "width", "channels"),
    [
        (1, 2, 1, 5, 40, 3),
        (33, 3, 2, 17, 8, 1),
        (34, 5, 5, 3, 9, 3),
        (67, 2, 2, 65, 66, 1),
        (100, 1, 1, 257, 16, 3),
    ],
)
def test_any_group(
    model: PictureModel,
    second: hierarchy.Hierarchy,
    quality: int,
    count: int,
    group_size: int,
    height: int,
    width: int,
    channels: int,
) -> None:
    """With one stream, in layers, in tiles; with a quality in each band."""
    pixels = smooth(count, height, width, channels, seed=5)
    groups, _ = model.with_quality(quality).encode(pixels, group_size)
    assert {
        hierarchy.decode_group(second, plain(group), TABLE)[-1].quality for group in groups
    } == {quality}
    theirs = in_order(second, [plain(group) for group in groups])
    for layer, ours in zip(theirs, latents_of(model, groups), strict=True):
        assert all(map(np.array_equal, layer, ours))
    assert any(z.any() for layer in theirs for z in layer)


def test_first_layers(model: PictureModel, second: hierarchy.Hierarchy) -> None:
    (group,), _ = model.encode(smooth(1, 70, 66), 1)
    whole = plain(group)
    for layers in (1, 3):
        streams = [*whole.streams[:layers], *[None] * (group.layers - layers)]
        pictures = list(synthesised(second, [whole._replace(streams=streams)]))
        ours = model.preview([group], layers)
        assert part_that_differs(ours, pictures) <= MOST_THAT_DIFFER


def test_what_both_refuse(model: PictureModel, second: hierarchy.Hierarchy) -> None:
    spec = ImageSpec(8, 8, 3)
    for bad in (
        Group(1, spec, (b"a", b"b"), layers=2),
        Group(1, spec, (b"a", b"b"), tile=(4, 8)),
        Group(1, spec, (bytes([255] * 8),)),
    ):
        with pytest.raises(recvae.InputError):
            model.decode([bad])
        with pytest.raises(ValueError, match=r"layers|tiles|no encoder"):
            hierarchy.decode_group(second, plain(bad), TABLE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2), st.binary(max_size=60), st.binary(max_size=20))
def test_any_streams(
    model: PictureModel, second: hierarchy.Hierarchy, kind: int, first: bytes, other: bytes
) -> None:
    """Both decoders find the same latents in them, or both refuse them."""
    spec, streams, layers, tile = (
        (ImageSpec(17, 9, 3), [first], 1, None),
        (ImageSpec(2, 260), [first, other], 1, (2, 256)),
        (ImageSpec(8, 16), [first, other, other, first], 4, None),
    )[kind]
    group = Group(2, spec, tuple(streams), layers, tile)
    try:
        ours = latents_of(model, [group], checking=False)
    except ValueError:
        with pytest.raises(ValueError, match="no encoder"):
            in_order(second, [plain(group)])
        return
    for layer, theirs in zip(ours, in_order(second, [plain(group)]), strict=True):
        assert all(map(np.array_equal, layer, theirs))
