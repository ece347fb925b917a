"""Pictures of any size and kind through real files, whole, in part, damaged and resumed."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codec.hierarchy.tiny import QUICK, smooth
from recvae.codec import Codec, compress_file, open_truncated, salvage
from recvae.codec.container import ContainerReader, Group
from recvae.codec.container.group import tile_areas
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.hierarchy.pictures import from_network, to_network, to_spec
from recvae.codec.hierarchy.sender import send
from recvae.errors import InputError
from recvae.images import ImageSpec

SIZES = [((1, 1), 3), ((1, 50), 1), ((7, 9), 1), ((32, 32), 3), ((64, 70), 3)]


def groups_of(data: bytes) -> list[Group]:
    with ContainerReader(data) as reader:
        return [group for _, group in zip(range(reader.num_groups), reader.groups(), strict=True)]


def far(left: np.ndarray, right: np.ndarray) -> tuple[int, float]:
    """The largest difference, and how many values differ."""
    difference = np.abs(left.astype(int) - right.astype(int))
    return int(difference.max()), float((difference > 0).mean())


def senders_pictures(model: PictureModel, pictures: np.ndarray) -> np.ndarray:
    """What the sender's own pass through the network ends with, of pictures of one tile."""
    network = model.shared.network
    pixels = to_network(pictures, network.arguments.stride)
    ends: list[tuple[torch.Tensor, torch.Tensor]] = []
    descend = network.descend

    def kept(*arguments: Any) -> Any:
        found = descend(*arguments)
        ends.append(found[:2])
        return found

    network.descend = kept  # type: ignore[method-assign]
    try:
        send(network, model.shared.tables, model.shared.key, pixels, model.quality, model.search)
    finally:
        del network.descend
    decoded = from_network(network.finish(*ends[-1]), *pictures.shape[1:3])
    spec = ImageSpec.from_shape(pictures.shape)
    return np.stack([to_spec(picture, spec) for picture in decoded])


@pytest.mark.parametrize(("size", "channels"), SIZES)
def test_pictures_come_back_as_the_sender_saw_them(
    pictures_codec: Codec, size: tuple[int, int], channels: int
) -> None:
    pictures, model = smooth(3, *size, channels), pictures_codec.model
    assert isinstance(model, PictureModel)
    expected = senders_pictures(model, pictures)
    for group_size in (1, 3):
        data = pictures_codec.compress(pictures, group_size, channels=channels)
        groups = groups_of(data)
        assert len(groups) == 3 // group_size
        assert all(group.layers == (2 if size == (64, 70) else 1) for group in groups)
        assert all(group.tile is None for group in groups)
        decoded = pictures_codec.decompress(data)
        assert decoded.shape == pictures.shape
        assert decoded.dtype == np.uint8
        first = 0
        for group in groups:
            some = slice(first, first := first + group.num_images)
            if group.num_bytes == group.raw_bytes:
                assert model.quality_of(group) is None
                assert np.array_equal(decoded[some], pictures[some])
            else:
                assert model.quality_of(group) == model.quality
                most, share = far(decoded[some], expected[some])
                assert most <= 1
                assert share <= 0.01
        assert model.written(groups) == [True] * len(groups)


def test_what_is_no_shorter_than_its_pixels_is_stored(pictures_codec: Codec) -> None:
    for channels in (1, 3):
        tiny = smooth(2, 1, 1, channels)
        data = pictures_codec.compress(tiny, channels=channels)
        assert np.array_equal(pictures_codec.decompress(data), tiny)
        assert all(group.num_bytes == group.raw_bytes for group in groups_of(data))
        image = pictures_codec.open(data)
        assert np.array_equal(image.preview(1, 1), tiny[1])
        assert np.array_equal(image.region(0, 0, 1, 0, 1), tiny[0])


def test_tiles_of_a_large_picture(pictures_codec: Codec, large: tuple[np.ndarray, bytes]) -> None:
    picture, data = large
    model = pictures_codec.model
    (group,) = groups_of(data)
    assert (group.tile, group.layers, len(group.streams)) == ((256, 256), 2, 8)
    decoded = pictures_codec.decompress(data)
    assert decoded.shape == picture.shape
    for area in tile_areas(group.spec, group.tile):
        alone = pictures_codec.decompress(pictures_codec.compress(picture[:, *area], channels=3))
        if alone[0].size > 60:  # no stored one
            most, share = far(decoded[:, *area], alone)
            assert (most, share) <= (1, 0.01)
    assert model.quality_of(group) == model.quality
    assert model.written([group]) == [True]


@pytest.mark.parametrize(
    "area",
    [(0, 300, 0, 260), (0, 10, 0, 10), (250, 262, 250, 260), (299, 300, 0, 1), (256, 300, 7, 256)],
)
def test_regions_are_cut_from_the_whole(
    pictures_codec: Codec, large: tuple[np.ndarray, bytes], area: tuple[int, int, int, int]
) -> None:
    _, data = large
    rows, columns = slice(*area[:2]), slice(*area[2:])
    with pictures_codec.open(data) as images:
        whole, region = images[0], images.region(0, *area)
    assert np.array_equal(region, whole[rows, columns])
    (group,) = groups_of(data)
    found = pictures_codec.model.decode_area(group, rows, columns)
    assert np.array_equal(found, whole[None, rows, columns])


def test_regions_need_the_streams_of_their_tiles_alone(
    pictures_codec: Codec, large: tuple[np.ndarray, bytes]
) -> None:
    (group,) = groups_of(large[1])
    whole = pictures_codec.model.decode([group])
    streams = tuple(s if place % 4 == 1 else b"" for place, s in enumerate(group.streams))
    part = pictures_codec.model.decode_area(
        replace(group, streams=streams), slice(3, 200), slice(256, 260)
    )
    assert np.array_equal(part, whole[:, 3:200, 256:260])


def test_layers_from_coarse_to_fine(pictures_codec: Codec, large: tuple[np.ndarray, bytes]) -> None:
    model = pictures_codec.model
    with pictures_codec.open(large[1]) as images:
        one, two, whole = images.preview(0, 1), images.preview(0, 2), images[0]
        for layers in (0, 3, -1, True, 1.0):
            with pytest.raises(InputError, match=r"layers is .*: model 'tiny' needs 1 to 2"):
                images.preview(0, layers)  # type: ignore[arg-type]
    assert np.array_equal(two, whole)
    assert far(one, whole)[1] > 0.1
    (group,) = groups_of(large[1])
    without = replace(group, streams=(*group.streams[:4], *[b""] * 4))
    assert np.array_equal(model.preview([without], 1)[0], one)
    for layers in (0, 3):
        with pytest.raises(InputError, match="has 1 to 2"):
            model.preview([group], layers)
    # A picture of one stream has all layers in it.
    small = smooth(1, 32, 32)
    with pictures_codec.open(pictures_codec.compress(small, channels=3)) as images:
        assert np.array_equal(images.preview(0, 2), images[0])
        assert far(images.preview(0, 1), images[0])[1] > 0.1


def test_a_truncated_file_gives_the_layers_that_it_holds(
    pictures_codec: Codec, large: tuple[np.ndarray, bytes], model: PictureModel, tmp_path: Path
) -> None:
    model.save(tmp_path)
    _, data = large
    (group,) = groups_of(data)
    end = len(data) - sum(map(len, group.streams[4:])) // 2 - 60
    with open_truncated(data[:end], tmp_path) as images:
        assert (len(images), images.layers) == (1, 1)
        (shown,) = images.batches()
    with pictures_codec.open(data) as images:
        most, share = far(shown[0], images.preview(0, 1))
    assert (most, share) <= (1, 0.01)


@pytest.mark.parametrize("quality", [0, 101, -3, 50.0, True, "50", None])
def test_qualities_that_there_are_not(model: PictureModel, quality: object) -> None:
    with pytest.raises(InputError, match=r"^quality is .*: it must be an integer from 1 to 100$"):
        model.with_quality(quality)  # type: ignore[arg-type]


def test_qualities_grow_from_coarse_to_fine(model: PictureModel) -> None:
    """Each is written into its file; another one gives another file."""
    pictures = smooth(1, 32, 32)
    files = {q: Codec(model).compress(pictures, channels=3, quality=q) for q in (1, 50, 100)}
    assert len(set(files.values())) == 3
    for quality, data in files.items():
        assert [model.quality_of(group) for group in groups_of(data)] == [quality]
    assert files[100] == Codec(model.with_quality(100)).compress(pictures, channels=3)


def test_effort_fits_the_posteriors_to_the_picture(model: PictureModel) -> None:
    assert model.with_effort(1) is model
    most = model.with_effort(256).search
    assert most.max_log2_candidates <= 20
    tried = replace(model, search=replace(QUICK, refinements=2))
    pictures = smooth(1, 32, 32)
    data = Codec(tried).compress(pictures, channels=3)
    assert data != Codec(model).compress(pictures, channels=3)
    assert Codec(model).decompress(data).shape == pictures.shape


def test_one_layer(one_layer: PictureModel) -> None:
    codec, pictures = Codec(one_layer), smooth(1, 40, 110)
    data = codec.compress(pictures, channels=3)
    groups = groups_of(data)
    assert [group.layers for group in groups] == [1]
    most, share = far(codec.decompress(data), senders_pictures(one_layer, pictures))
    assert (most, share) <= (1, 0.01)


def test_tiles_that_are_stored(one_layer: PictureModel) -> None:
    """A single stream that is no shorter than its tile is not sent."""
    picture = smooth(1, 257, 1, 1)
    (group,), _ = one_layer.encode(picture, 1)
    assert group.streams[1] == picture[:, 256].tobytes()
    decoded = one_layer.decode([group])
    assert np.array_equal(decoded[:, 256], picture[:, 256])
    assert not np.array_equal(decoded, picture)
    assert one_layer.quality_of(group) == one_layer.quality
    stored = replace(group, streams=(picture[:, :256].tobytes(), group.streams[1]))
    assert one_layer.quality_of(stored) is None
    assert np.array_equal(one_layer.decode([stored]), picture)


def test_black_pictures_of_no_information(model: PictureModel) -> None:
    """All regions may be of class 0: the file is small, and decodes."""
    edges = np.full_like(model.shared.tables.classes.edges_bits, 1e4)
    tables = replace(
        model.shared.tables, classes=replace(model.shared.tables.classes, edges_bits=edges)
    )
    nothing = replace(model, shared=replace(model.shared, tables=tables))
    pictures = np.zeros((3, 64, 70, 3), np.uint8)
    groups, bits = nothing.encode(pictures, 3)
    assert groups[0].num_bytes < 200
    assert bits["bins"].tolist() == bits["ranks"].tolist() == bits["cuts"].tolist() == [0, 0, 0]
    assert model.decode(groups).shape == pictures.shape
    assert model.written(groups) == [True]


def test_bits_are_what_the_groups_take(model: PictureModel) -> None:
    groups, bits = model.encode(smooth(3, 64, 70), 1)
    assert set(bits) == set(model.parts)
    sent = sum(bits[part] for part in ("classes", "cuts", "bins", "ranks"))
    for group, ideal in zip(groups, sent, strict=True):
        assert ideal - 64 < 8 * group.num_bytes < ideal * 1.01 + 60
    assert (bits["kl"] > 0).all()


def test_interrupted_and_resumed_to_the_same_bytes(model: PictureModel, tmp_path: Path) -> None:
    codec, pictures, path = Codec(model, batch_size=1), smooth(4, 20, 24), tmp_path / "x.recvae"
    how = {"channels": 3, "quality": 33}
    expected = codec.compress(pictures, **how)  # type: ignore[arg-type]

    def stop(done: int, num_bytes: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="--resume continues"):
        compress_file(codec, path, pictures, progress=stop, **how)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the interrupted run had another quality, 33"):
        compress_file(codec, path, pictures, resume=True, channels=3, quality=34)
    report = compress_file(codec, path, pictures, resume=True, **how)  # type: ignore[arg-type]
    assert report.resumed_images == 2
    assert path.read_bytes() == expected


def test_salvage_keeps_what_is_whole(model: PictureModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    codec, pictures = Codec(model), smooth(3, 20, 24)
    data = bytearray(codec.compress(pictures, channels=3))
    with ContainerReader(bytes(data)) as reader:
        span = list(reader.spans(0))[1]
    whole = codec.decompress(bytes(data))
    data[(span.begin + span.end) // 2] ^= 0x10
    found, stream = salvage(bytes(data), model=tmp_path), io.BytesIO()
    assert (found.num_recovered, found.num_images) == (2, 3)
    found.write_to(stream)
    saved = codec.decompress(stream.getvalue())
    most, share = far(np.asarray(saved), np.asarray(whole)[[0, 2]])
    assert (most, share) <= (1, 0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: {"layers": 3, "streams": (*g.streams, b"")}, "a group of 3 layers"),
        (
            lambda g: {"tile": (16, 16), "streams": (b"",) * 40},
            "tiles of another size",
        ),
    ],
)
def test_groups_that_no_encoder_makes(
    model: PictureModel, change: Callable[[Group], dict], message: str
) -> None:
    groups, _ = model.encode(smooth(1, 64, 70), 1)
    hostile = replace(groups[0], **change(groups[0]))
    for some in ([hostile], [groups[0], hostile]):
        with pytest.raises(InputError, match=message):
            model.decode(some)
        with pytest.raises(InputError, match=message):
            model.decode_area(some[-1], slice(0, 9), slice(0, 9))
    assert model.written([groups[0], hostile]) == [True, False]


def test_random_streams_are_refused_or_decode(model: PictureModel) -> None:
    random, spec = np.random.default_rng(0), ImageSpec(30, 20, 3)
    refused = 0
    for length in range(0, 60, 4):
        group = Group(2, spec, (random.bytes(length),))
        assert model.written([group]) in ([True], [False])
        try:
            assert model.decode([group]).shape == (2, 30, 20, 3)
            assert model.quality_of(group) is not None
        except InputError:
            refused += 1
    assert refused < 15


def test_what_is_sent_of_a_picture_depends_on_it_alone(pictures_codec: Codec) -> None:
    pictures = smooth(5, 24, 16, 3)
    together = groups_of(pictures_codec.compress(pictures, 1, channels=3))
    for place in (0, 3):
        (alone,) = groups_of(pictures_codec.compress(pictures[place], 1, channels=3))
        assert alone.streams == together[place].streams
