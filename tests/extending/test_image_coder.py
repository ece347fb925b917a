"""An image coder registered from outside: files, random access, resume, salvage, the commands."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import recvae
from codec.tiled import NAMES
from recvae import cli
from recvae.codec import (
    Codec,
    compress_file,
    salvage,
)
from recvae.codec.container import ContainerReader
from recvae.errors import InputError
from recvae.images import ImageSpec, image_stream, sample_images
from spec import version_2

pytestmark = pytest.mark.usefixtures("models")


def run(*arguments: object) -> None:
    assert cli.main([*map(str, arguments)]) == 0


def same(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


@pytest.mark.parametrize("model", ["stored", "tiled"])
def test_a_folder_of_mixed_pictures(
    capsys: pytest.CaptureFixture[str], album: Path, pictures: list[np.ndarray], model: str
) -> None:
    run("compress", album, "album.recvae", "--model", model, "--group-size=2", "--json")
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == 7
    assert result["bytes_in"] == sum(pixels.size for pixels in pictures)
    assert result["bytes_out"] == Path("album.recvae").stat().st_size
    pixels = sum(image.shape[0] * image.shape[1] for image in pictures)
    assert result["pixels_bpp"] == pytest.approx(8 * result["bytes_in"] / pixels, abs=1e-5)
    run("verify", "album.recvae", "--model", model, "--against", album, "--quiet")
    run("decompress", "album.recvae", "back", "--model", model, "--quiet")
    assert sorted(path.name for path in Path("back").iterdir()) == sorted(NAMES)
    with image_stream("back") as images:
        assert images.names == NAMES
        assert same([image for chunk in images.chunks for image in chunk], pictures)
    run("info", "album.recvae", "--json")
    result = json.loads(capsys.readouterr().out)
    assert (result["images"], result["names"], result["sizes"]) == (7, 7, 4)
    assert "height" not in result
    assert result["groups"] == 6


@pytest.mark.parametrize("model", ["stored", "tiled"])
def test_random_access(pictures: list[np.ndarray], album: Path, model: str) -> None:
    run("compress", album, "album.recvae", "--model", model, "--quiet")
    with recvae.open("album.recvae", model=model) as images:
        assert len(images) == 7
        assert images.names == NAMES
        assert images.spec is None
        for index in (*range(7), -1):
            assert np.array_equal(images[index], pictures[index])
        for part in (slice(2, 6), slice(None, None, -2), slice(1, 2), slice(3, 3)):
            assert same(images[part], pictures[part])
        assert same(list(images), pictures)
        with pytest.raises(InputError, match="different sizes"):
            _ = images.shape
        with pytest.raises(IndexError):
            _ = images[7]


def test_the_second_decoder_reads_it(pictures: list[np.ndarray], album: Path) -> None:
    for model in ("stored", "tiled"):
        run("compress", album, f"{model}.recvae", "--model", model, "--quiet")
        file = version_2.read(Path(f"{model}.recvae").read_bytes())
        assert same(version_2.stored(file.groups), pictures)
        assert file.arrays == {"names": list(NAMES)}
        assert (max(len(group.streams) for group in file.groups) > 1) == (model == "tiled")


def test_an_array_of_rgb(capsys: pytest.CaptureFixture[str]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (5, 6, 4, 3)).astype(np.uint8)
    np.save("rgb.npy", images)
    assert cli.main(["compress", "rgb.npy", "rgb.recvae", "--model", "stored"]) == 2
    assert "--channels 3" in capsys.readouterr().err
    run("compress", "rgb.npy", "rgb.recvae", "--model=stored", "--channels=3", "--quiet")
    run("verify", "rgb.recvae", "--model=stored", "--against=rgb.npy", "--channels=3", "--quiet")
    for back in ("back.npy", "back.idx"):
        run("decompress", "rgb.recvae", back, "--model=stored", "--quiet")
        with image_stream(back, channels=3) as stream:
            assert np.array_equal(np.concatenate(list(stream.chunks)), images)
    assert np.array_equal(np.load("back.npy"), images)
    run("decompress", "rgb.recvae", "back", "--model=stored", "--quiet")
    assert sorted(path.name for path in Path("back").iterdir())[-1] == "00004.png"
    codec = recvae.load("stored")
    assert np.array_equal(codec.decompress(Path("rgb.recvae").read_bytes()), images)
    assert codec.compress(images, channels=3) == Path("rgb.recvae").read_bytes()


def test_the_argument_decides_what_the_axes_are() -> None:
    codec = recvae.load("stored")
    flat = np.zeros((2, 4, 3), np.uint8)
    assert codec.decompress(codec.compress(flat)).shape == (2, 4, 3)
    assert codec.decompress(codec.compress(flat, channels=3)).shape == (1, 2, 4, 3)
    assert codec.decompress(codec.compress(flat[0])).shape == (1, 4, 3)
    with pytest.raises(InputError, match=r"\(1, 2, 4, 3\), not \(n, .*: pass channels=3 if"):
        codec.compress(flat[None])
    with pytest.raises(InputError, match=r"\(4, 3\), not \(n, height, width, 3\)"):
        codec.compress(flat[0], channels=3)
    with pytest.raises(InputError, match="channels is 5: it must be 1 to 4"):
        codec.compress(flat, channels=5)


def test_grey_images_of_one_size_are_version_1() -> None:
    digits = sample_images()[:9]
    codec = recvae.load("stored")
    assert codec.compress(digits)[8] == 1
    assert recvae.load("tiled").compress(digits)[8] == 2
    assert codec.compress([digits])[8] == 2  # of an iterable nobody knows what comes next
    stream = io.BytesIO()
    codec.compress_to(stream, digits, arrays={"labels": np.arange(9)})
    assert stream.getvalue()[8] == 2
    with codec.open(stream.getvalue()) as images:
        assert np.array_equal(images.arrays["labels"], np.arange(9))
        assert np.array_equal(images[:], digits)


@pytest.mark.parametrize("model", ["stored", "tiled"])
def test_resume(pictures: list[np.ndarray], model: str) -> None:
    """However far an interrupted run has come, the file is that of a quiet one."""
    codec = Codec(recvae.load(model).model, batch_size=2)
    stream = [pixels[None] for pixels in pictures if pixels.ndim == 3] * 3
    compress_file(codec, "whole.recvae", stream, 2, channels=3)

    def cut_off(count: int) -> Iterator[np.ndarray]:
        yield from stream[:count]
        raise KeyboardInterrupt

    for count in (1, 5, 5, 11):
        with pytest.raises(KeyboardInterrupt):
            compress_file(codec, "x.recvae", cut_off(count), 2, channels=3, resume=True)
    turned = [pixels.transpose(0, 2, 1, 3) for pixels in stream]
    with pytest.raises(InputError, match="had other images"):
        compress_file(codec, "x.recvae", turned, 2, channels=3, resume=True)
    with pytest.raises(InputError, match="the interrupted run had another group size, 2"):
        compress_file(codec, "x.recvae", stream, 3, channels=3, resume=True)
    report = compress_file(codec, "x.recvae", stream, 2, channels=3, resume=True)
    assert 8 <= report.resumed_images < len(stream)
    assert Path("x.recvae").read_bytes() == Path("whole.recvae").read_bytes()
    assert report.num_images == len(stream)
    assert report.bits["pixels"] == 8 * report.raw_bytes == 8 * sum(p.size for p in stream)


def test_resume_with_images_that_were_added(pictures: list[np.ndarray]) -> None:
    """A group that was not full when the images ended is full when there are more."""
    codec = Codec(recvae.load("stored").model, batch_size=1)
    images = np.stack([pictures[0]] * 12)

    def cut_off(count: int) -> Iterator[np.ndarray]:
        yield images[:count]
        raise KeyboardInterrupt

    for count in (3, 6, 6, 9):
        with pytest.raises(KeyboardInterrupt):
            compress_file(codec, "x.recvae", cut_off(count), 4, resume=True)
    report = compress_file(codec, "x.recvae", iter([images]), 4, resume=True)
    assert report.resumed_images == 8
    compress_file(codec, "whole.recvae", iter([images]), 4)
    assert Path("x.recvae").read_bytes() == Path("whole.recvae").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        compress_file(codec, "y.recvae", cut_off(9), 4)
    with pytest.raises(
        InputError, match="the interrupted run had another kind of images or arrays"
    ):
        compress_file(codec, "y.recvae", images, 4, resume=True)


@pytest.mark.parametrize("model", ["stored", "tiled"])
def test_salvage(capsys, pictures: list[np.ndarray], album: Path, model: str) -> None:
    run("compress", album, "album.recvae", "--model", model, "--quiet")
    data = Path("album.recvae").read_bytes()
    with ContainerReader(data) as reader:
        spans = reader.spans(0)
    begins = [0, 1, 4, 5, 6]  # the first images of the groups
    for group, span in enumerate(spans):
        lost = list(range(begins[group], begins[group] + span.num_images))
        for position in (span.begin, span.begin + 3, span.end - 1):
            damaged = bytearray(data)
            damaged[position] ^= 0x41
            found = salvage(bytes(damaged), model=model)
            assert not found.is_complete
            stream = io.BytesIO()
            found.write_to(stream)
            left = [index for index in range(7) if index not in lost]
            with recvae.open(stream.getvalue(), model=model) as saved:
                assert same(list(saved), [pictures[index] for index in left])
                assert saved.names == tuple(NAMES[index] for index in left)
    Path("cut.recvae").write_bytes(data[: spans[3].end])
    status = cli.main(["salvage", "cut.recvae", "saved.recvae", "--model", model])
    assert status == 1
    assert "6 images saved" in capsys.readouterr().out
    run("verify", "saved.recvae", "--model", model, "--quiet")


def test_compact_payloads(pictures: list[np.ndarray]) -> None:
    for model in ("stored", "tiled"):
        codec = recvae.load(model)
        for pixels in pictures:
            channels = 3 if pixels.ndim == 3 else 1
            batch = np.stack([pixels, pixels[::-1]])
            data = codec.compress_chunk(batch, channels)
            spec = ImageSpec.of(batch.shape, channels)
            assert len(data) <= batch.size + 3 * 30
            assert np.array_equal(codec.decompress_chunk(data, spec, 2), batch)
            with pytest.raises(InputError):
                codec.decompress_chunk(data, spec, 3)
            with pytest.raises(InputError):
                codec.decompress_chunk(data[:-1], spec, 2)
