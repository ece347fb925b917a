"""Pictures with alpha through file and commands, by coders that take all channels."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recvae
from recvae import cli
from recvae.codec import compress_file, salvage
from recvae.codec.container import ContainerReader, Group
from recvae.errors import InputError
from recvae.images import Images, ImageSpec, image_stream, write_images
from spec import version_2

pytestmark = pytest.mark.usefixtures("models")

RNG = np.random.default_rng(3)
SHAPES = [(9, 7, 4), (9, 7, 4), (9, 7, 2), (9, 7), (9, 7, 3), (6, 20, 2), (5, 4, 4)]
PICTURES = [RNG.integers(0, 256, shape).astype(np.uint8) for shape in SHAPES]
NAMES = ("a.png", "b.webp", "c.tif", "d.png", "e.qoi", "f.png", "g.qoi")
CODERS = ["stored", "tiled"]


@pytest.fixture
def mixed(models: None) -> Path:
    """A folder of the pictures."""
    folder = Path("mixed")
    folder.mkdir()
    for name, pixels in zip(NAMES, PICTURES, strict=True):
        write_images(folder / name, Images(pixels[None]))
    return folder


def run(*arguments: object) -> int:
    return cli.main([*map(str, arguments)])


def same(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


@pytest.mark.parametrize("model", CODERS)
def test_a_mixed_folder_comes_back(mixed: Path, capsys, model: str) -> None:
    assert run("compress", mixed, "x.recvae", "--model", model, "--group-size=2", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["bytes_in"] == sum(pixels.size for pixels in PICTURES)
    assert "skipped" not in result
    assert run("verify", "x.recvae", "--model", model, "--against", mixed) == 0
    assert run("decompress", "x.recvae", "back", "--model", model) == 0
    for name, pixels in zip(NAMES, PICTURES, strict=True):
        assert np.array_equal(np.array(Image.open(Path("back", name))), pixels)
    with recvae.open("x.recvae", model=model) as images:
        assert images.names == NAMES
        assert same([images[index] for index in range(7)], PICTURES)
        assert same(images[1:4], PICTURES[1:4])
        assert np.array_equal(images.region(6, 1, 5, 2, 4), PICTURES[6][1:5, 2:4])
        assert np.array_equal(images.region(2, 3, 9, 0, 5), PICTURES[2][3:9, :5])
    file = version_2.read(Path("x.recvae").read_bytes())
    assert same(version_2.stored(file.groups), PICTURES)


def test_a_picture_to_a_png(capsys) -> None:
    for channels, kind in ((2, "grey with alpha"), (4, "RGB with alpha")):
        pixels = PICTURES[0][..., -channels:]
        write_images("one.png", Images(pixels[None]), force=True)
        assert run("compress", "one.png", "one.recvae", "--model=stored", "--force") == 0
        capsys.readouterr()
        assert run("decompress", "one.recvae", "back.png", "--model=stored", "--force") == 0
        assert f"9 x 7 pixels in {kind}" in capsys.readouterr().out
        assert np.array_equal(np.array(Image.open("back.png")), pixels)
        for output in ("x.ppm", "x.bmp", "x.idx"):
            assert run("decompress", "one.recvae", output, "--model=stored") == 2
            assert f"has no {kind} pictures: choose another" in capsys.readouterr().err
            assert not Path(output).exists()


def test_arrays_with_alpha(capsys) -> None:
    four = np.stack(PICTURES[:2])
    codec = recvae.load("stored")
    for channels in (2, 4):
        images = four[..., -channels:]
        np.save("x.npy", images)
        assert run("compress", "x.npy", "x.recvae", "--model=stored", "--force") == 2
        assert f"--channels {channels}" in capsys.readouterr().err
        how = ("--model=stored", f"--channels={channels}", "--quiet")
        assert run("compress", "x.npy", "x.recvae", *how, "--force") == 0
        assert run("verify", "x.recvae", "--against=x.npy", *how) == 0
        assert run("decompress", "x.recvae", "y.npy", "--model=stored", "--force") == 0
        assert np.array_equal(np.load("y.npy"), images)
        data = codec.compress(images, channels=channels)
        assert data == Path("x.recvae").read_bytes()
        payload = codec.compress_chunk(images, channels)
        spec = ImageSpec.of(images.shape, channels)
        assert np.array_equal(codec.decompress_chunk(payload, spec, 2), images)
        with pytest.raises(InputError, match=rf"pass channels={channels} if .* with alpha"):
            codec.compress(images)


@pytest.mark.parametrize("model", CODERS)
def test_salvage(mixed: Path, model: str) -> None:
    run("compress", mixed, "x.recvae", "--model", model, "--quiet")
    data = Path("x.recvae").read_bytes()
    with ContainerReader(data) as reader:
        spans, first = reader.spans(0), 0
    for span in spans:
        damaged = bytearray(data)
        damaged[(span.begin + span.end) // 2] ^= 0x41
        stream = io.BytesIO()
        salvage(bytes(damaged), model=model).write_to(stream)
        left = [*PICTURES[:first], *PICTURES[first + span.num_images :]]
        with recvae.open(stream.getvalue(), model=model) as saved:
            assert same(list(saved), left)
        first += span.num_images


def test_resume() -> None:
    codec = recvae.load("tiled")
    stream = [pixels[None] for pixels in PICTURES if pixels.shape[2:] == (4,)] * 3
    compress_file(codec, "whole.recvae", stream, 2, channels=4)

    def cut_off(count: int) -> Iterator[np.ndarray]:
        yield from stream[:count]
        raise KeyboardInterrupt

    for count in (3, 5, 8):
        with pytest.raises(KeyboardInterrupt):
            compress_file(codec, "x.recvae", cut_off(count), 2, channels=4, resume=True)
    report = compress_file(codec, "x.recvae", stream, 2, channels=4, resume=True)
    assert report.resumed_images >= 5
    assert Path("x.recvae").read_bytes() == Path("whole.recvae").read_bytes()


def test_a_coder_that_takes_no_alpha_says_so(mixed: Path, capsys) -> None:
    assert run("compress", mixed, "x.recvae", "--model=planes") == 2
    advice = (
        "choose another model, or drop alpha, for example with Pillow's Image.open(...).convert"
    )
    assert capsys.readouterr().err == (
        "recvae: mixed: a.png: images are RGB with alpha: model 'planes' codes grey and RGB; "
        f'{advice}("RGB").save(...)\n'
    )
    write_images("grey.png", Images(PICTURES[2][None]))
    for model, message in (("planes", f'{advice}("L").save'), ("mnist", "codes grey ones of 28")):
        assert run("compress", "grey.png", "x.recvae", "--model", model) == 2
        error = capsys.readouterr().err
        assert "images are grey with alpha" in error
        assert message in error
    assert not Path("x.recvae").exists()
    with pytest.raises(InputError, match="images are RGB with alpha"):
        recvae.load("planes").compress(PICTURES[0], channels=4)


def test_a_hierarchy_refuses_groups_with_alpha() -> None:
    hierarchy = recvae.load("cifar10").model
    for channels in (2, 4):
        spec = ImageSpec(2, 2, channels)
        for stream in (bytes(spec.raw_bytes), b""):
            group = Group(1, spec, (stream,))
            with pytest.raises(InputError, match="with alpha pictures, which this model"):
                hierarchy.decode([group])
            assert hierarchy.written([group]) == [False]
    with pytest.raises(
        InputError, match=r"codes grey and RGB; choose another model, or drop alpha"
    ):
        hierarchy.check(spec, 1)


def bad_file(folder: Path) -> None:
    (folder / "bb.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "notes.txt").write_text("no picture")


@pytest.mark.parametrize("how", [[], ["--json"], ["--quiet"]])
def test_bad_files_are_skipped_and_named(mixed: Path, capsys, how: list[str]) -> None:
    whole = ("compress", mixed, "whole.recvae", "--model=stored", "--skip-bad", *how)
    assert run(*whole) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert not how or how == ["--quiet"] or json.loads(out)["skipped"] == []
    bad_file(mixed)
    assert run("compress", mixed, "x.recvae", "--model=stored", *how) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert run("compress", mixed, "x.recvae", "--model=stored", "--skip-bad", *how) == 1
    out, err = capsys.readouterr()
    reasons = [
        "mixed/bb.png: damaged PNG file",
        "mixed/notes.txt: its name is not that of a PNG, a WebP,",
    ]
    for line, reason in zip(err.splitlines(), reasons, strict=True):
        assert line.startswith(f"recvae: skipped: {reason}")
    if how == ["--json"]:
        skipped = json.loads(out)["skipped"]
        assert [one["name"] for one in skipped] == ["bb.png", "notes.txt"]
        assert all(f"recvae: skipped: {one['reason']}\n" in err for one in skipped)
    elif not how:
        assert "; 2 files skipped" in out
    assert Path("x.recvae").read_bytes() == Path("whole.recvae").read_bytes()


def test_skipped_files_and_resume(mixed: Path, capsys) -> None:
    """A run goes on if the images that are done are still the first ones."""
    bad_file(mixed)
    codec = recvae.load("stored")
    with image_stream(mixed, skip=lambda name, reason: None) as images:

        def stop(done: int, num_bytes: int) -> None:
            if done >= 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            compress_file(codec, "x.recvae", images, 2, images.names, stop)
    how = ("--model=stored", "--group-size=2", "--skip-bad", "--json")
    assert run("compress", mixed, "x.recvae", *how, "--resume") == 1
    result = json.loads(capsys.readouterr().out)
    assert result["resumed_images"] >= 3
    assert len(result["skipped"]) == 2
    assert run("compress", mixed, "whole.recvae", *how) == 1
    assert Path("x.recvae").read_bytes() == Path("whole.recvae").read_bytes()


def test_what_cannot_be_skipped(mixed: Path, capsys) -> None:
    assert run("compress", mixed / "a.png", "x.recvae", "--model=stored", "--skip-bad") == 2
    assert "files can be skipped in a folder only (--skip-bad)" in capsys.readouterr().err


def test_larger_pictures_than_the_limit(mixed: Path, capsys) -> None:
    how = ("compress", mixed, "x.recvae", "--model=stored")
    assert run(*how, "--max-pixels=63") == 2
    assert capsys.readouterr().err == (
        "recvae: mixed/f.png: a picture of 6 × 20 grey with alpha pixels is beyond the limit of 63 "
        "pixels: if it is genuine, raise max_pixels (--max-pixels)\n"
    )
    assert run(*how, "--max-pixels=63", "--skip-bad", "--quiet") == 1
    assert capsys.readouterr().err.startswith("recvae: skipped: mixed/f.png: a picture of 6")
    assert run(*how, "--max-pixels=120", "--force", "--quiet") == 0
    assert run("verify", "x.recvae", "--model=stored", "--max-pixels=120", "--against", mixed) == 0
