"""The model that `recvae compress` takes without `--model`."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import recvae
from recvae.cli import main
from recvae.codec import Codec, choice, shipped_models
from recvae.codec.choice import SAMPLE, fitting_codec
from recvae.codec.image_coder import ImageCoder
from recvae.codec.models import lossless_models
from recvae.images import ImageStream, image_stream, sample_images
from recvae.images.spec import ImageSpec

DIGIT, GREY_ICON, ICON = ImageSpec(28, 28), ImageSpec(64, 17), ImageSpec(28, 28, 3)
LARGE = ImageSpec(65, 20, 3)


@pytest.mark.parametrize(
    ("specs", "names"),
    [
        ([DIGIT, DIGIT], ["mnist-vae", "thumbnails", "photos"]),
        ([ICON], ["thumbnails", "photos"]),
        ([DIGIT, GREY_ICON], ["thumbnails", "photos"]),
        ([ICON, LARGE], ["photos"]),
        ([], ["mnist-vae", "thumbnails", "photos"]),
    ],
)
def test_sizes_tell_what_may_suit(specs: Sequence[ImageSpec], names: Sequence[str]) -> None:
    assert list(lossless_models(specs)) == names
    assert set(names) <= set(shipped_models())


def pictures(folder: Path) -> dict[str, Path]:
    """Arrays of small pictures: a smooth one, and more noisy ones than are sampled."""
    smooth = np.add.outer(np.arange(40), np.arange(40)).astype(np.uint8)
    noisy = np.random.default_rng(0).normal(128, 20, (SAMPLE + 7, 20, 20)).astype(np.uint8)
    found = {}
    for name, images in (("smooth", smooth[None]), ("noisy", noisy)):
        found[name] = folder / f"{name}.npy"
        np.save(found[name], images)
    return found


@pytest.mark.parametrize("name", ["smooth", "noisy"])
def test_small_pictures_take_what_is_shorter(name: str, tmp_path: Path) -> None:
    """It is judged by the first images, none of which gets lost."""
    path, sizes = pictures(tmp_path)[name], {}
    images = np.load(path)
    for model in lossless_models([ImageSpec(*images.shape[1:])]):
        sizes[model] = len(recvae.load(model).compress(images[:SAMPLE]))
    with image_stream(str(path), 1) as stream:
        codec, rest = fitting_codec(stream, "cpu", 64)
        assert np.array_equal(np.concatenate(list(rest.chunks)), images)
    assert codec.model.name == min(sizes, key=sizes.__getitem__)
    assert len(set(sizes.values())) == 2


def test_small_chunks_are_taken_until_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of several sizes come one by one: all sampled ones decide together."""
    noise = np.random.default_rng(0).normal(128, 20, (SAMPLE + 9, 20, 20)).astype(np.uint8)
    chunks = [noise[:1, :9], *(noise[n : n + 1] for n in range(1, SAMPLE + 9))]
    runs = ((ImageSpec(9, 20), 1), (ImageSpec(20, 20), SAMPLE + 8))
    seen = []
    compress = Codec.compress

    def note(codec, images, **options):
        seen.append(len(images))
        return compress(codec, images, **options)

    monkeypatch.setattr(Codec, "compress", note)
    _, rest = fitting_codec(ImageStream(runs, iter(chunks)), "cpu", 64)
    assert seen == [1] * SAMPLE * 2
    assert all(map(np.array_equal, rest.chunks, chunks))


def test_no_images_take_the_first_model(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.zeros((0, 20, 20), np.uint8))
    with image_stream(str(tmp_path / "none.npy"), 1) as stream:
        codec, rest = fitting_codec(stream, "cpu", 64)
        assert codec.model.name == "thumbnails"
        assert list(rest.chunks) == []


def test_the_command_takes_it_and_the_file_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, packed = pictures(tmp_path)["smooth"], str(tmp_path / "smooth.recvae")
    assert main(["compress", str(path), packed, "--quiet"]) == 0
    assert main(["info", packed, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] in ("thumbnails", "photos")
    assert main(["decompress", packed, str(tmp_path / "back.npy"), "--quiet"]) == 0
    assert np.array_equal(np.load(tmp_path / "back.npy"), np.load(path))


@pytest.mark.parametrize(("device", "known"), [("cpu", 3), ("cuda", 1)])
def test_a_gpu_leaves_out_models_for_the_cpu(
    device: str, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def note(model: ImageCoder, device: str, batch_size: int) -> Codec:
        tried.append(model.name)
        return Codec(model, "cpu", batch_size)

    monkeypatch.setattr(choice, "Codec", note)
    digits = sample_images()[:3]
    fitting_codec(ImageStream(((DIGIT, 3),), iter([digits])), device, 64)
    assert tried == list(lossless_models([DIGIT]))[:known]
