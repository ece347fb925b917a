"""Pictures through real files, whole, in part, damaged and resumed."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codec.inr.tiny import PLAIN, WITH_GRID, pictures_of, tiny_model, tiny_module
from recvae.codec import Codec, compress_file, salvage
from recvae.codec.container import ContainerReader, Group
from recvae.codec.inr import coder
from recvae.codec.inr.model import GROUP_SIZE, InrModel
from recvae.errors import InputError
from recvae.images.spec import ImageSpec
from recvae.inr.network import InrArguments


@pytest.fixture(params=[WITH_GRID, PLAIN], ids=["grid", "plain"])
def model(request: pytest.FixtureRequest) -> InrModel:
    return tiny_model(request.param)


def groups_of(data: bytes) -> list[Group]:
    with ContainerReader(data) as reader:
        return list(reader.groups())


def test_pictures_come_back(model: InrModel) -> None:
    codec, pictures = Codec(model), pictures_of(model, 5)
    data = codec.compress(pictures, 2, channels=3)
    groups = groups_of(data)
    assert [group.num_images for group in groups] == [2, 2, 1]
    assert all(group.layers == 1 and group.tile is None for group in groups)
    assert all(group.num_bytes < group.raw_bytes / 5 for group in groups)
    decoded = codec.decompress(data)
    assert (decoded.shape, decoded.dtype) == (pictures.shape, np.uint8)
    assert model.written(groups) == [True] * 3
    with codec.open(data) as images:
        for number in range(5):
            most = np.abs(images[number].astype(int) - decoded[number]).max()
            assert most <= 1


def test_no_pictures(model: InrModel) -> None:
    codec, none = Codec(model), pictures_of(model, 1)[:0]
    assert codec.decompress(codec.compress(none, channels=3)).shape == none.shape


def test_groups_are_as_large_as_the_model_says() -> None:
    model = tiny_model(PLAIN)
    data = Codec(model).compress(pictures_of(model, GROUP_SIZE + 1), channels=3)
    assert [group.num_images for group in groups_of(data)] == [GROUP_SIZE, 1]


def test_the_bytes_of_a_group_depend_on_its_pictures_alone(model: InrModel) -> None:
    pictures = pictures_of(model, 5)
    together, _ = model.encode(pictures, 2)
    for place, start in enumerate((0, 2, 4)):
        (alone,), _ = model.encode(pictures[start : start + 2], 2)
        assert alone == together[place]


def test_pictures_are_decoded_a_few_at_a_time(
    model: InrModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups, _ = model.encode(pictures_of(model, 5), 3)
    whole, sizes = model.decode(groups), []
    synthesise = coder.synthesise

    def kept(shared, z) -> np.ndarray:
        sizes.append(len(z))
        return synthesise(shared, z)

    monkeypatch.setattr(coder, "synthesise", kept)
    monkeypatch.setattr(coder, "VALUES_AT_ONCE", 1)
    assert np.abs(model.decode(groups).astype(int) - whole).max() <= 1
    assert sizes == [1] * 5


def test_larger_networks_decode_fewer_pictures_at_a_time() -> None:
    usual = coder._pictures_at_once(InrArguments())
    assert usual > 30
    largest = InrArguments(256, 16, (1024,) * 8, False, 128, 1024, (1024,) * 8)
    assert coder._pictures_at_once(largest) == 1


@pytest.mark.parametrize("more", [0, 1])
def test_streams_no_shorter_than_their_pixels_are_not_sent(
    monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """Not even one of the same length, which would be taken for them."""
    model = tiny_model(PLAIN)
    pictures = pictures_of(model, 1)
    monkeypatch.setattr(coder.RangeEncoder, "finish", lambda self: bytes(pictures.size + more))
    (group,), _ = model.encode(pictures, 1)
    assert group.streams == (pictures.tobytes(),)
    assert np.array_equal(model.decode([group]), pictures)
    assert model.written([group]) == [True]


def test_bits_are_what_the_groups_take(model: InrModel) -> None:
    groups, bits = model.encode(pictures_of(model, 4), 2)
    assert set(bits) == set(model.parts)
    sent = (bits["bins"] + bits["ranks"]).reshape(2, 2).sum(1)
    for group, ideal in zip(groups, sent, strict=True):
        assert ideal - 64 < 8 * group.num_bytes < ideal * 1.01 + 60
    assert bits["kl"].shape == (4,)
    assert (bits["kl"] > 0).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda g: {"layers": 2, "streams": (*g.streams, b"")},
        lambda g: {"tile": (4, 8), "streams": (*g.streams, b"")},
        lambda g: {"spec": ImageSpec(8, 8)},
        lambda g: {"spec": ImageSpec(8, 8, 4)},
        lambda g: {"spec": ImageSpec(16, 8, 3)},
    ],
)
def test_groups_that_no_encoder_makes(change: Callable[[Group], dict]) -> None:
    model = tiny_model(PLAIN)
    (group,), _ = model.encode(pictures_of(model, 1), 1)
    hostile = replace(group, **change(group))
    with pytest.raises(InputError, match="a group of another form than whole pictures of 8 x 8 x"):
        model.decode([hostile])
    assert model.written([group, hostile]) == [True, False]


def test_random_streams_are_refused_or_decode(model: InrModel) -> None:
    random, refused = np.random.default_rng(0), 0
    for length in range(0, 60, 3):
        group = Group(2, model.spec, (random.bytes(length),))
        try:
            assert model.decode([group]).shape == (2, *model.spec.shape)
        except InputError:
            refused += 1
            assert model.written([group]) == [False]
    assert refused < 20


def test_what_follows_a_stream_is_detected(model: InrModel) -> None:
    (group,), _ = model.encode(pictures_of(model, 2), 2)
    longer = replace(group, streams=(group.streams[0] + b"\0",))
    assert np.array_equal(model.decode([longer]), model.decode([group]))
    assert model.written([longer]) == [False]


def test_networks_that_overflow_decode_nothing() -> None:
    model, module = tiny_model(PLAIN), tiny_module.__wrapped__(PLAIN)
    groups, _ = model.encode(pictures_of(model, 2), 2)
    module.network.log_scale.fill_(1000.0)
    unusable = replace(model, shared=replace(model.shared, network=module.network))
    with pytest.raises(InputError, match="numbers that are not finite: it is unusable"):
        unusable.decode(groups)


def test_interrupted_and_resumed_to_the_same_bytes(tmp_path: Path) -> None:
    model = tiny_model(PLAIN)
    codec, pictures, path = Codec(model, batch_size=1), pictures_of(model, 4), tmp_path / "x.recvae"
    expected = codec.compress(pictures, 1, channels=3)

    def stop(done: int, num_bytes: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="--resume continues"):
        compress_file(codec, path, pictures, 1, progress=stop, channels=3)
    report = compress_file(codec, path, pictures, 1, resume=True, channels=3)
    assert report.resumed_images == 2
    assert path.read_bytes() == expected


def test_salvage_keeps_what_is_whole(tmp_path: Path) -> None:
    model = tiny_model(PLAIN)
    model.save(tmp_path)
    codec = Codec(model)
    data = bytearray(codec.compress(pictures_of(model, 5), 2, channels=3))
    whole = codec.decompress(bytes(data))
    with ContainerReader(bytes(data)) as reader:
        span = list(reader.spans(0))[1]
    data[(span.begin + span.end) // 2] ^= 0x10
    found, stream = salvage(bytes(data), model=tmp_path), io.BytesIO()
    assert (found.num_recovered, found.num_images) == (3, 5)
    found.write_to(stream)
    saved = codec.decompress(stream.getvalue())
    assert np.abs(np.asarray(saved).astype(int) - whole[[0, 1, 4]]).max() <= 1


@pytest.mark.parametrize(
    ("shape", "channels", "message"),
    [
        ((2, 8, 8), 1, "images are grey: model 'tiny' codes RGB ones of 8 x 8; convert them"),
        ((2, 8, 8, 4), 4, r'images are RGB with alpha: .*convert\("RGB"\)'),
        ((2, 8, 8, 3), 1, r"codes \(n, 8, 8, 3\); pass channels=3"),
        ((2, 9, 8, 3), 3, r"images have shape \(2, 9, 8, 3\): .* train a model for other sizes"),
    ],
)
def test_pictures_of_other_kinds(shape: tuple[int, ...], channels: int, message: str) -> None:
    codec = Codec(tiny_model(PLAIN))
    with pytest.raises(InputError, match=message):
        codec.compress(np.zeros(shape, np.uint8), channels=channels)
