"""docs/format.md suffices for pixelwise coding: a decoder written from it finds every value."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recvae
from fuzz.pixelwise_model import pictures_for, tiny_models
from golden.make_version_2 import plain
from golden.pixelwise import FILES, folder_of, pictures_of
from recvae.codec import shipped_models
from recvae.codec.container import Group
from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.codec.pixelwise.tile import COPIES, NETWORK, encode_tile
from recvae.images.spec import ImageSpec
from spec import pixelwise, version_2

SHIPPED = "photos"


@pytest.fixture(scope="module", params=range(3), ids=("smallest", "odd", "widest"))
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PixelwiseModel, pixelwise.Pixelwise]:
    """A model, and the same as read by the second decoder."""
    model = tiny_models()[request.param]
    folder = tmp_path_factory.mktemp("model")
    model.save(folder)
    return model, pixelwise.read(folder)


def agree(model: PixelwiseModel, second: pixelwise.Pixelwise, group: Group) -> np.ndarray:
    """The pictures of a group, the same from both decoders."""
    theirs = pixelwise.decode_group(second, plain(group))
    ours = model.decode([group])
    assert np.array_equal(theirs.reshape(ours.shape), ours)
    return ours


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_golden_file(file: Path) -> None:
    second = pixelwise.read(folder_of(file))
    read = version_2.read(file.read_bytes())
    assert read.models == [second.hash[:16]]
    decoded = (p for group in read.groups for p in pixelwise.decode_group(second, group))
    for ours, theirs in zip(pictures_of(file), decoded, strict=True):
        assert np.array_equal(ours, theirs.reshape(ours.shape))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (5, 8)])
def test_any_picture(
    both: tuple[PixelwiseModel, pixelwise.Pixelwise], size: tuple[int, int], channels: int
) -> None:
    """Both modes, with two pictures in a group."""
    model, second = both
    pictures = pictures_for(*size, channels, 2)
    images = pictures.reshape(2, *size, channels)
    for modes in ([NETWORK], [COPIES], [NETWORK, COPIES, COPIES]):
        stream = encode_tile(model.networks, images, modes * 4)
        if stream is not None:
            group = Group(2, ImageSpec(*size, channels), (stream,))
            assert np.array_equal(agree(model, second, group), pictures)
    groups, _ = model.encode(pictures, 2)
    assert np.array_equal(agree(model, second, groups[0]), pictures)


@pytest.mark.parametrize("both", [1], ids=["odd"], indirect=True)
def test_a_larger_picture(both: tuple[PixelwiseModel, pixelwise.Pixelwise]) -> None:
    model, second = both
    pictures = pictures_for(40, 50, 1)
    groups, _ = model.encode(pictures, 1)
    assert groups[0].num_bytes < pictures.nbytes
    assert np.array_equal(agree(model, second, groups[0]), pictures)


@pytest.mark.parametrize("both", [0], ids=["smallest"], indirect=True)
@pytest.mark.parametrize(("height", "width", "channels"), [(260, 2, 1), (1, 300, 4)])
def test_tiles(
    both: tuple[PixelwiseModel, pixelwise.Pixelwise], height: int, width: int, channels: int
) -> None:
    model, second = both
    pictures = pictures_for(height, width, channels)
    groups, _ = model.encode(pictures, 1)
    assert len(groups[0].streams) == 2
    assert np.array_equal(agree(model, second, groups[0]), pictures)


def test_shipped_model() -> None:
    if SHIPPED not in shipped_models():
        pytest.skip(f"model {SHIPPED} does not ship yet")
    folder = shipped_models()[SHIPPED]
    model, second = recvae.load(folder).model, pixelwise.read(folder)
    for channels in (1, 4):
        pictures = pictures_for(24, 24, channels)
        groups, _ = model.encode(pictures, 1)
        assert groups[0].num_bytes < pictures.nbytes
        assert np.array_equal(agree(model, second, groups[0]), pictures)


def test_what_both_refuse(both: tuple[PixelwiseModel, pixelwise.Pixelwise]) -> None:
    model, second = both
    spec = ImageSpec(8, 8, 3)
    for bad in (
        Group(1, spec, (b"a", b"b"), layers=2),
        Group(1, spec, (b"a", b"b"), tile=(4, 8)),
        Group(1, spec, (bytes([255] * 8),)),
    ):
        with pytest.raises(recvae.InputError):
            model.decode([bad])
        with pytest.raises(ValueError, match=r"layers|tiles|no encoder"):
            pixelwise.decode_group(second, plain(bad))


SPECS = (ImageSpec(3, 5, 3), ImageSpec(5, 4), ImageSpec(3, 3, 4), ImageSpec(4, 3, 2))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(SPECS), st.lists(st.binary(max_size=20), max_size=3))
def test_any_stream(
    both: tuple[PixelwiseModel, pixelwise.Pixelwise], spec: ImageSpec, parts: Sequence[bytes]
) -> None:
    """Both decoders find the same pictures in it, or both refuse it."""
    model, second = both
    group = Group(2, spec, (b"".join(parts),))
    try:
        pixelwise.decode_group(second, plain(group))
    except ValueError:
        with pytest.raises(recvae.InputError):
            model.decode([group])
        return
    agree(model, second, group)
