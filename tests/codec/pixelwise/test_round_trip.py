"""Pictures to groups and back: all kinds, the same bytes however they are made."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codec.pixelwise.tiny import drawn, noise, smooth, tiny_model
from recvae.codec import Codec
from recvae.codec.container import Group
from recvae.codec.model_folder import save_model
from recvae.codec.pixelwise import coder, tile
from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.errors import InputError
from recvae.images.spec import ImageSpec

SIZES = [(1, 1), (1, 9), (9, 1), (33, 40)]


@pytest.fixture(scope="module")
def model() -> PixelwiseModel:
    return tiny_model()


@pytest.fixture(scope="module")
def large(model: PixelwiseModel) -> tuple[np.ndarray, Group]:
    """Two pictures of four tiles, in one group."""
    pixels = smooth(2, 258, 300)
    pixels[0, :, 40:] = drawn(258, 260)[0]
    return pixels, model.encode(pixels, 2)[0][0]


def modes_of(model: PixelwiseModel, group: Group, tile: int = 0) -> list[int] | None:
    pixels = np.zeros((group.num_images, *group.spec.shape), np.uint8)
    return coder.decode_into(model.networks, group, tile, pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_was_encoded(model: PixelwiseModel, size: tuple[int, int], channels: int) -> None:
    kinds = smooth(5, *size, channels), noise(2, *size, channels), drawn(*size, channels)
    constant = np.full_like(kinds[2], 0), np.full_like(kinds[2], 255), np.full_like(kinds[2], 77)
    pixels = np.concatenate([*kinds, *constant])
    for group_size in (1, 4):
        groups, bits = model.encode(pixels, group_size)
        assert [group.num_images for group in groups] == (
            [1] * 11 if group_size == 1 else [4, 4, 3]
        )
        assert bits["pixels"].sum() == pytest.approx(8 * sum(g.num_bytes for g in groups))
        assert all(group.num_bytes <= group.raw_bytes for group in groups)
        np.testing.assert_array_equal(model.decode(groups), pixels)
        assert model.written(groups) == [True] * len(groups)


@pytest.mark.parametrize("channels", [1, 3])
def test_how_parts_are_coded(model: PixelwiseModel, channels: int) -> None:
    """By the network, by copies, as they are; each where it is shorter."""
    expected = {"smooth": [tile.NETWORK], "drawn": [tile.COPIES], "noise": None}
    pictures = {
        "smooth": smooth(1, 33, 40, channels),
        "drawn": drawn(60, 60, channels),
        "noise": noise(1, 33, 40, channels),
    }
    for name, pixels in pictures.items():
        (group,), _ = model.encode(pixels, 1)
        assert modes_of(model, group) == expected[name]
    (stored,), _ = model.encode(pictures["noise"], 1)
    assert stored.streams == (pictures["noise"].tobytes(),)


def test_a_stream_of_no_bytes(model: PixelwiseModel) -> None:
    """What begins at 0 and is likely needs none; it is not taken for one that is too long."""
    black = np.zeros((1, 1, 1), np.uint8)
    (group,), _ = model.encode(black, 1)
    assert group.streams == (b"",)
    assert modes_of(model, group) == [tile.NETWORK]
    np.testing.assert_array_equal(Codec(model).decompress(Codec(model).compress(black)), black)


def test_colour_and_alpha_by_themselves(model: PixelwiseModel) -> None:
    pixels = smooth(1, 40, 40, 4)
    pixels[..., 3] = drawn(40, 40, 1)
    (group,), _ = model.encode(pixels, 1)
    assert modes_of(model, group) == [tile.NETWORK, tile.COPIES]
    opaque = pixels.copy()
    opaque[..., 3] = 255
    alone, _ = model.encode(pixels[..., :3], 1)
    with_alpha, _ = model.encode(opaque, 1)
    assert with_alpha[0].num_bytes - alone[0].num_bytes <= 16


def test_groups_learn_from_image_to_image(model: PixelwiseModel) -> None:
    same = np.concatenate([drawn(40, 40)] * 4)
    together, _ = model.encode(same, 4)
    apart, _ = model.encode(same, 1)
    assert together[0].num_bytes < 0.85 * sum(group.num_bytes for group in apart)
    np.testing.assert_array_equal(model.decode(apart), model.decode(together))


def test_tiles(model: PixelwiseModel, large: tuple[np.ndarray, Group]) -> None:
    pixels, group = large
    assert (group.tile, len(group.streams)) == ((256, 256), 4)
    np.testing.assert_array_equal(model.decode([group]), pixels)
    alone, _ = model.encode(np.ascontiguousarray(pixels[:, 256:, 256:]), 2)
    assert alone[0].tile is None
    assert alone[0].streams == group.streams[-1:]  # context does not cross tiles


@pytest.mark.parametrize(
    ("rows", "columns", "needed"),
    [
        (slice(0, 1), slice(0, 1), {0}),
        (slice(255, 257), slice(100, 200), {0, 2}),
        (slice(256, 258), slice(255, 257), {2, 3}),
        (slice(255, 257), slice(255, 257), {0, 1, 2, 3}),
    ],
)
def test_areas(
    model: PixelwiseModel,
    large: tuple[np.ndarray, Group],
    rows: slice,
    columns: slice,
    needed: set[int],
) -> None:
    """The streams of other tiles are not looked at."""
    pixels, group = large
    streams = tuple(s if i in needed else b"" for i, s in enumerate(group.streams))
    part = Group(group.num_images, group.spec, streams, tile=group.tile)
    np.testing.assert_array_equal(model.decode_area(part, rows, columns), pixels[:, rows, columns])


def test_written_by_no_encoder(model: PixelwiseModel, large: tuple[np.ndarray, Group]) -> None:
    _, group = large
    head, stream, *tail = group.streams
    middle = len(stream) // 2
    changed = stream[:middle] + bytes([stream[middle] ^ 1]) + stream[middle + 1 :]
    for other in (changed, stream + b"\0", stream + b"\1"):
        forged = Group(group.num_images, group.spec, (head, other, *tail), tile=group.tile)
        assert model.written([forged]) == [False]
    assert model.written([group]) == [True]


def test_endings_that_no_encoder_writes(model: PixelwiseModel) -> None:
    """Of all streams that decode to some pictures one is written by an encoder."""
    for channels in (1, 3):
        pixels = smooth(1, 3, 4, channels)
        (group,), _ = model.encode(pixels, 1)
        (stream,) = group.streams
        others = (stream[:-1] + bytes([last]) for last in range(0, 256, 15) if last != stream[-1])
        written = []
        for other in (stream + b"\0", stream[:-1], *others):
            forged = Group(1, group.spec, (other,))
            if np.array_equal(model.decode([forged]), pixels):
                assert model.written([forged]) == [False]
            written += model.written([forged])
        assert not all(written)


def test_streams_of_anything_decode_or_are_refused(model: PixelwiseModel) -> None:
    random = np.random.default_rng(0)
    outcomes = set()
    for channels in (1, 2, 3, 4):
        spec = ImageSpec.from_shape((1, 7, 9) if channels == 1 else (1, 7, 9, channels))
        for length in (0, 1, 3, 4, 8, 30, 1000):
            stream = random.bytes(length) if length < 1000 else b"\xff" * length
            group = Group(2, spec, (stream,))
            try:
                assert model.decode([group]).shape == (2, *spec.shape)
                outcomes.add("decoded")
            except InputError as error:
                outcomes.add(str(error))
    assert outcomes == {"decoded", "the range coder's data is invalid"}


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            Group(1, ImageSpec(9, 9, 3), (b"",) * 9, tile=(3, 3)),
            "in tiles of another size than 256",
        ),
        (Group(1, ImageSpec(300, 9, 3), (b"",)), "in tiles of another size than 256"),
        (
            Group(1, ImageSpec(9, 9, 3), (b"",) * 2, layers=2),
            "a group of 2 layers: its model has one",
        ),
    ],
)
def test_groups_in_other_forms(model: PixelwiseModel, group: Group, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model.decode([group])
    with pytest.raises(InputError, match=message):
        model.decode_area(group, slice(0, 1), slice(0, 1))
    assert model.written([group]) == [False]


SCRIPT = """
import numpy as np
import recvae
model = recvae.load("model").model
for channels in (1, 2, 3, 4):
    for group in model.encode(np.load(f"{channels}.npy"), 3)[0]:
        for stream in group.streams:
            print(stream.hex())
"""


def test_other_processes_and_threads(
    model: PixelwiseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread, several, and another process that loads the model."""
    save_model(model, tmp_path / "model")
    every = {c: np.concatenate([smooth(3, 20, 300, c), drawn(20, 300, c)]) for c in (1, 2, 3, 4)}
    for channels, pixels in every.items():
        np.save(tmp_path / f"{channels}.npy", pixels)
    command = [sys.executable, "-c", SCRIPT]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    other = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    expected = [bytes.fromhex(line) for line in other.stdout.split()]
    assert len(expected) == 16
    for cpus in (1, 7):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cpus=cpus: set(range(cpus)))
        groups = [group for pixels in every.values() for group in model.encode(pixels, 3)[0]]
        assert [stream for group in groups for stream in group.streams] == expected
        for pixels in every.values():
            np.testing.assert_array_equal(model.decode(model.encode(pixels, 3)[0]), pixels)


def test_batches_make_no_difference(model: PixelwiseModel, tmp_path: Path) -> None:
    pixels = np.concatenate([smooth(9, 12, 13), drawn(12, 13)])
    files = {Codec(model, batch_size=size).compress(pixels, channels=3) for size in (1, 3, 64)}
    assert len(files) == 1
    for size in (1, 64):
        codec = Codec(model, batch_size=size)
        np.testing.assert_array_equal(codec.decompress(*files), pixels)


@pytest.mark.parametrize(("side", "expected"), [(32, 64), (64, 16), (300, 1)])
def test_larger_pictures_share_smaller_groups(
    model: PixelwiseModel, side: int, expected: int
) -> None:
    pictures = np.zeros((2, side, side), np.uint8)
    with Codec(model).open(Codec(model).compress(pictures)) as stored:
        assert stored.reader.header.group_size == expected


def test_a_region_keeps_no_more_than_itself(
    model: PixelwiseModel, large: tuple[np.ndarray, Group]
) -> None:
    area = model.decode_area(large[1], slice(3, 5), slice(290, 300))
    assert area.base is None
    assert area.shape == (2, 2, 10, 3)
