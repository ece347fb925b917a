"""What an image coder registered from outside may not do, and what files then say."""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import recvae
from codec.tiled import Tiled
from recvae import cli
from recvae.codec import (
    register_image_coder,
)
from recvae.codec.container import ContainerReader
from recvae.errors import InputError
from recvae.images import Images, write_images
from spec import builder, version_2

pytestmark = pytest.mark.usefixtures("models")


def test_models_for_grey_images_refuse_rgb(capsys, album: Path) -> None:
    assert cli.main(["compress", str(album), "x.recvae", "--model=mnist"]) == 2
    assert (
        "images differ in size: a.png is 9 × 7 and b.webp is 9 × 7 RGB" in capsys.readouterr().err
    )
    assert cli.main(["compress", str(album / "c.png"), "x.recvae", "--model=mnist"]) == 2
    assert capsys.readouterr().err == (
        "recvae: album/c.png: images are RGB: model 'mnist' codes grey ones of 28 x 28; "
        'convert them first, for example with Pillow\'s Image.open(...).convert("L").save(...)\n'
    )
    assert not Path("x.recvae").exists()


def test_what_a_coder_without_networks_has_not(capsys, album: Path) -> None:
    for options, message in (
        (["--elbo"], "model 'stored' has no ELBO"),
        (["--effort=2"], "effort is 2: model 'stored' supports only 1"),
    ):
        assert cli.main(["compress", str(album), "x.recvae", "--model=stored", *options]) == 2
        assert message in capsys.readouterr().err
    assert not Path("x.recvae").exists()


def test_a_format_of_models_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'stored-1' is already registered"):
        register_image_coder("stored-1", lambda folder: Tiled())
    Path("stored", "model.json").write_text('{"format": "stored-9"}')
    with pytest.raises(InputError, match="its format is 'stored-9', this program reads 'recvae"):
        recvae.load("stored")


def test_images_that_no_file_can_hold(capsys, album: Path) -> None:
    write_images(album / "z.bmp", Images(np.zeros((1, 1, 70000), np.uint8)))
    assert cli.main(["compress", str(album), "x.recvae", "--model=stored"]) == 2
    assert capsys.readouterr().err == (
        "recvae: album: z.bmp: an image has 1 × 70000 pixels; sides may be at most 65535\n"
    )
    codec = recvae.load("stored")
    with pytest.raises(InputError, match="sides may be at most 65535"):
        codec.compress([np.zeros((2, 2), np.uint8), np.zeros((70000, 1), np.uint8)])
    assert not Path("x.recvae").exists()


def test_arrays_are_looked_at_before_the_images() -> None:
    codec = recvae.load("stored")

    def images() -> Iterator[np.ndarray]:
        yield np.zeros((1, 2, 2), np.uint8)
        raise AssertionError("images were read on")

    for arrays, message in (
        ({"x": "abc"}, "array 'x': holds <U3"),
        ({"x": ["a", 1]}, "array 'x': holds <U"),
        ({1: np.zeros(1)}, "array name 1: must be text"),
        ({"x": [[1], [2, 3]]}, "array 'x': is not an array"),
        ({"x": [None]}, "array 'x': holds object"),
        ({"names": ["a.png"]}, "arrays: 'names' is reserved for the file names"),
    ):
        stream = io.BytesIO()
        with pytest.raises(InputError, match=message):
            codec.compress_to(stream, images(), arrays=arrays)
        assert not stream.getvalue()


def test_an_index_that_lies_about_specs() -> None:
    """The images are as large as the index says, and of another shape."""
    header = builder.header(version_2.Spec(3, 5, 1, 256))
    turned = builder.group([bytes(15)], 15, count=1, spec=version_2.Spec(5, 3, 1, 256))
    plain = builder.group([bytes(30)], 30)
    data = bytearray(builder.file(header, [plain, turned], [2, 1], raw=45, own=0))
    data[18:34] = recvae.load("stored").model.file_id
    data[34:38] = zlib.crc32(data[:34]).to_bytes(4)
    Path("lie.recvae").write_bytes(data)
    with recvae.open("lie.recvae", model="stored") as images:
        assert images[0].shape == (3, 5)
        for access in (slice(None), 2):
            with pytest.raises(
                InputError, match="group 1 holds images of another spec than the header's"
            ):
                _ = images[access]
    assert cli.main(["decompress", "lie.recvae", "out", "--model=stored"]) == 2
    assert not Path("out").exists()


def test_pixels_above_the_levels() -> None:
    spec = version_2.Spec(3, 5, 1, 2)
    data = bytearray(
        builder.file(builder.header(spec), [builder.group([bytes([2] * 30)], 30)], [2], 30)
    )
    data[18:34] = recvae.load("stored").model.file_id
    data[34:38] = zlib.crc32(data[:34]).to_bytes(4)
    with pytest.raises(InputError, match="a pixel of 2 in images of 2 levels"):
        recvae.load("stored").decompress(bytes(data))


def test_salvage_tells_of_arrays(capsys) -> None:
    images = np.random.default_rng(2).integers(0, 256, (40, 4, 4)).astype(np.uint8)
    stream = io.BytesIO()
    labels = {"labels": np.arange(40)}
    names = [f"{i}.png" for i in range(40)]
    recvae.load("stored").compress_to(stream, images, 1, names, arrays=labels)
    data = bytearray(stream.getvalue())
    with ContainerReader(bytes(data)) as reader:
        spans = reader.spans(0)
    for first in (5, 20):
        begin, end = spans[first].begin, spans[first + 1].end
        data[begin:end] = b"\xee" * (end - begin)
    Path("holes.recvae").write_bytes(data)
    assert cli.main(["salvage", "holes.recvae", "saved.recvae", "--model=stored"]) == 1
    assert "arrays lost: labels\n" in capsys.readouterr().out
    Path("cut.recvae").write_bytes(stream.getvalue()[:-5])
    assert cli.main(["salvage", "cut.recvae", "whole.recvae", "--model=stored"]) == 0
    assert capsys.readouterr().out == (
        "whole.recvae: 40 of 40 images saved from cut.recvae (damaged: index)\n"
    )
    with recvae.open("whole.recvae", model="stored") as saved:
        assert np.array_equal(saved[:], images)
        assert saved.names == tuple(names)
        assert np.array_equal(saved.arrays["labels"], np.arange(40))
    Path("shorter.recvae").write_bytes(stream.getvalue()[:-40])
    assert cli.main(["salvage", "shorter.recvae", "w.recvae", "--model=stored"]) == 1
    assert "file names and arrays: lost, if there were any\n" in capsys.readouterr().out
