"""A lossy image coder registered from outside: qualities, targets, and what is said of them."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import recvae
from codec.tiled import NAMES
from recvae import cli
from recvae.codec import Codec, compress_file, find_quality, psnr_db
from recvae.codec.container import ContainerReader
from recvae.codec.quality import MOST_IMAGES
from recvae.errors import InputError
from recvae.images import Images, image_stream, write_images

pytestmark = pytest.mark.usefixtures("models")
LOSSY = "--model=planes"


@pytest.fixture
def scene() -> np.ndarray:
    """Five smooth RGB pictures of 40 x 50 with some noise."""
    y, x = np.mgrid[:40, :50]
    waves = [np.sin(x / (3 + k)) * np.cos(y / (9 - k)) for k in range(5)]
    noise = np.random.default_rng(3).normal(0, 3, (5, 40, 50, 3))
    return np.clip(128 + 90 * np.array(waves)[..., None] + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def codec(models: None) -> Codec:
    return recvae.load("planes")


def run(*arguments: object) -> None:
    assert cli.main([*map(str, arguments)]) == 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said, in one line; nothing is written."""
    before = sorted(Path().rglob("*"))
    assert cli.main([*map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before
    return captured.err


def test_quality(codec: Codec, scene: np.ndarray) -> None:
    sizes, errors = [], []
    for quality in (1, 50, 100):
        data = codec.compress(scene, channels=3, quality=quality)
        with codec.open(data) as images:
            assert images.reader.header.group_size == 1
            assert codec.model.quality_of(images.reader.group(0)) == quality
            sizes.append(len(data))
            errors.append(psnr_db(scene, images[:]).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors)
    assert errors[0] + 6 < errors[2]
    assert codec.compress(scene, channels=3) == codec.compress(scene, channels=3, quality=50)
    one_group = codec.compress(scene, 5, channels=3, quality=50)
    assert ContainerReader(one_group).num_groups == 1


@pytest.mark.parametrize("quality", [0, 101, -1, 50.0, True, "50"])
def test_qualities_that_there_are_not(codec: Codec, scene: np.ndarray, quality: object) -> None:
    stream = io.BytesIO()
    with pytest.raises(InputError, match=r"quality is .* must be an integer from 1 to 100"):
        codec.compress_to(stream, scene, channels=3, quality=quality)  # type: ignore[arg-type]
    assert not stream.getvalue()


def test_lossless_models_know_no_quality(capsys, scene: np.ndarray) -> None:
    np.save("scene.npy", scene)
    for how in ("--quality=50", "--target-bpp=1", "--target-psnr=30"):
        told = refused(
            capsys, "compress", "scene.npy", "x.recvae", "--model=stored", "--channels=3", how
        )
        assert "model 'stored' is lossless" in told
    told = refused(capsys, "compress", "scene.npy", "x.recvae", LOSSY, "--channels=3", "--elbo")
    assert "has no ELBO" in told
    with pytest.raises(SystemExit, match="2"):
        cli.main(["compress", "scene.npy", "x", LOSSY, "--quality=5", "--target-bpp=1"])


def test_a_folder_of_mixed_pictures(capsys, album: Path, pictures: list[np.ndarray]) -> None:
    run("compress", album, "album.recvae", LOSSY, "--quality=60", "--json")
    result = json.loads(capsys.readouterr().out)
    assert (result["images"], result["quality"]) == (7, 60)
    run("decompress", "album.recvae", "back", LOSSY, "--quiet")
    with image_stream("back") as images:
        assert images.names == NAMES
        back = [image for chunk in images.chunks for image in chunk]
    for before, after in zip(pictures, back, strict=True):
        assert before.shape == after.shape
        assert np.abs(before.astype(int) - after).max() <= 7
    run("info", "album.recvae", LOSSY, "--json")
    result = json.loads(capsys.readouterr().out)
    assert (result["lossy"], result["qualities"], result["layers"]) == (True, [60], 2)
    assert (result["groups"], result["sizes"], result["tiles"]) == (7, 4, 1)
    run("info", "album.recvae", "--json")
    result = json.loads(capsys.readouterr().out)
    assert result["lossy"] is None
    assert "qualities" not in result
    assert "another model" in refused(capsys, "info", "album.recvae", "--model=stored")


def test_info_of_tiles(capsys, codec: Codec, scene: np.ndarray) -> None:
    Path("scene.recvae").write_bytes(codec.compress(scene, channels=3))
    run("info", "scene.recvae", LOSSY)
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (told["lossy"], told["layers"], told["tiles"]) == ("True", "2", "12")
    bpp = 8 * Path("scene.recvae").stat().st_size / (5 * 40 * 50)
    assert float(told["bits_per_pixel"]) == pytest.approx(bpp, abs=1e-4)


def test_verify_tells_the_psnr(capsys, codec: Codec, scene: np.ndarray) -> None:
    np.save("scene.npy", scene)
    Path("scene.recvae").write_bytes(data := codec.compress(scene, channels=3, quality=30))
    against = ("verify", "scene.recvae", LOSSY, "--against=scene.npy", "--channels=3")
    run(*against, "--json")
    result = json.loads(capsys.readouterr().out)
    decibels = psnr_db(scene, np.asarray(codec.decompress(data)))
    assert result["psnr_db"] == pytest.approx(decibels.mean(), abs=1e-3)
    assert result["least_psnr_db"] == pytest.approx(decibels.min(), abs=1e-3)
    run(*against)
    assert f"; PSNR to scene.npy: mean {decibels.mean():.2f} dB, " in capsys.readouterr().out
    np.save("scene.npy", scene[:4])
    assert "holds 5 images" in refused(capsys, *against)


def test_psnr() -> None:
    black, grey = np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4), np.uint8)
    assert psnr_db(black, grey).tolist() == [100, 100]
    grey[1] = 255
    grey[0, 0, :2] = 6  # a mean squared error of 6
    assert psnr_db(black, grey) == pytest.approx([10 * np.log10(255**2 / 6), 0])
    assert psnr_db(grey, black) == pytest.approx(psnr_db(black, grey))


def test_target_bpp(codec: Codec, scene: np.ndarray) -> None:
    def bpp(quality: int) -> float:
        return 8 * len(codec.compress(scene, channels=3, quality=quality)) / (5 * 40 * 50)

    for target in (bpp(30), bpp(70) + 0.01):
        found = find_quality(codec, scene, target_bpp=target, channels=3)
        assert found.psnr_db is None
        assert found.bits_per_pixel == bpp(found.quality) <= target < bpp(found.quality + 1)
    assert find_quality(codec, scene, target_bpp=1000, channels=3).quality == 100


def test_target_psnr(codec: Codec, scene: np.ndarray) -> None:
    def psnr(quality: int) -> float:
        data = codec.compress(scene, channels=3, quality=quality)
        return float(psnr_db(scene, np.asarray(codec.decompress(data))).mean())

    target = (psnr(40) + psnr(60)) / 2
    found = find_quality(codec, scene, target_psnr=target, channels=3)
    assert found.psnr_db == pytest.approx(psnr(found.quality))
    assert psnr(found.quality) >= target > psnr(found.quality - 1)
    assert find_quality(codec, scene, target_psnr=1.0, channels=3).quality == 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"target_bpp": 0.1}, r"target bpp is 0\.1: quality 1 takes \d+\.\d+ bits per pixel"),
        ({"target_psnr": 99}, r"target psnr is 99: quality 100 gives \d\d\.\d\d dB"),
        ({"target_psnr": 101}, "target psnr is 101: it must be a number above 0, at most 100"),
        ({"target_bpp": 0}, "target bpp is 0: it must be a number above 0$"),
        ({"target_bpp": float("nan")}, "target bpp is nan"),
        ({"target_bpp": float("inf")}, "target bpp is inf"),
        ({}, "pass one target"),
        ({"target_bpp": 1, "target_psnr": 30}, "pass one target"),
    ],
)
def test_targets_that_cannot_be_met(codec: Codec, scene, target: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_quality(codec, scene, channels=3, **target)
    with pytest.raises(InputError, match=r"no images|target"):
        find_quality(codec, scene[:0], channels=3, **target)


def test_a_search_takes_images_from_everywhere(codec: Codec) -> None:
    """A third of the images is noise; a search over the first ones alone would not see it."""
    images = np.zeros((6 * MOST_IMAGES, 4, 4), np.uint8)
    images[4 * MOST_IMAGES :] = np.random.default_rng(0).integers(0, 256, (2 * MOST_IMAGES, 4, 4))
    found = find_quality(codec, (image for image in images), target_psnr=30)
    assert MOST_IMAGES / 2 < found.num_images <= MOST_IMAGES
    one_in_eight = find_quality(codec, images[::8], target_psnr=30)
    assert found == one_in_eight
    assert found.psnr_db != find_quality(codec, images[:MOST_IMAGES], target_psnr=30).psnr_db


def test_the_commands_find_it(capsys, codec: Codec, scene: np.ndarray, monkeypatch) -> None:
    Path("scene").mkdir()
    for number, image in enumerate(scene):
        write_images(f"scene/{number}.png", Images(image[None]))
    write_images("scene/a.png", Images(scene[:1, :30, :30, 0]))
    run("compress", "scene", "s.recvae", LOSSY, "--target-bpp=14", "--json")
    result = json.loads(capsys.readouterr().out)
    assert 12 < result["bits_per_pixel"] <= 14
    assert "psnr_db" not in result
    with ContainerReader("s.recvae") as reader:
        assert codec.model.quality_of(reader.group(0)) == result["quality"]
    assert "--force" in refused(capsys, "compress", "scene", "s.recvae", LOSSY, "--target-bpp=9")
    run("compress", "scene", "s.recvae", LOSSY, "--target-psnr=36", "--force")
    out = capsys.readouterr().out
    assert "; quality " in out
    mean = float(out.split("mean PSNR ")[1].split(" dB")[0])
    run("verify", "s.recvae", LOSSY, "--against=scene", "--json")
    assert json.loads(capsys.readouterr().out)["psnr_db"] == pytest.approx(mean, abs=0.006)
    assert 36 <= mean < 38
    told = refused(capsys, "compress", "scene", "x.recvae", LOSSY, "--target-bpp=.5")
    assert told.startswith("recvae: target bpp is 0.5: quality 1 takes ")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    told = refused(capsys, "compress", "-", "x.recvae", LOSSY, "--target-bpp=.5")
    assert told == (
        "recvae: <stdin>: a target needs images that can be read twice: pass a file or a "
        "folder, or a quality instead of a target\n"
    )


def test_resume_takes_the_same_quality(codec: Codec, scene: np.ndarray) -> None:
    def cut_off() -> Iterator[np.ndarray]:
        yield from scene[:3]
        raise KeyboardInterrupt

    codec = Codec(codec.model, batch_size=1)
    with pytest.raises(KeyboardInterrupt):
        compress_file(codec, "x.recvae", cut_off(), channels=3, quality=40)
    for quality in (None, 41):
        with pytest.raises(
            InputError, match="the interrupted run had another quality, 40: pass the same"
        ):
            compress_file(codec, "x.recvae", scene, channels=3, quality=quality, resume=True)
    report = compress_file(codec, "x.recvae", iter(scene), channels=3, quality=40, resume=True)
    assert report.resumed_images == 3
    assert Path("x.recvae").read_bytes() == codec.compress(iter(scene), channels=3, quality=40)
    with pytest.raises(KeyboardInterrupt):
        compress_file(codec, "y.recvae", cut_off(), channels=3)
    with pytest.raises(
        InputError, match="the interrupted run had another quality, the model's own"
    ):
        compress_file(codec, "y.recvae", scene, channels=3, quality=50, resume=True)


def test_the_demonstration_is_of_lossless_models(capsys) -> None:
    assert "model 'planes' is lossy: choose" in refused(capsys, "demo", LOSSY)
