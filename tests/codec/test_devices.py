"""The codec on another device: the same files, few waits, and memory that does not suffice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import recvae
from codec.hierarchy.tiny import smooth, tiny_model
from codec.vae.small_models import trained
from foreign_device import CPU, FOREIGN, Device, foreign_device
from golden.make import images as golden_images
from golden.steps import FOLDER, model_folder
from recvae.codec import Codec, CodecModel, compress_file, load_model
from recvae.codec.device import Parts
from recvae.codec.image_coder import ImageCoder
from recvae.errors import InputError, gpu_failure
from recvae.vae.networks import Architecture

LOSSLESS = ["mnist", "mnist-mlp", "a-star", "fitted-bins", "partitioned-pfr"]
SMALL = {"channels": 6, "blocks": 1, "hidden": 8}


@contextmanager
def there(model: ImageCoder, batch_size: int = 64) -> Iterator[tuple[Codec, Device]]:
    """A codec whose networks are on the other device, for a while."""
    with foreign_device() as device:
        codec = Codec(model, batch_size=batch_size)
        model.to(FOREIGN)
        try:
            yield codec, device
        finally:
            device.most_elements = None
            model.to(CPU)


def check_both_ways(model: ImageCoder, images: np.ndarray, **options: int) -> None:
    """Files are the same to the byte, and each device decodes what the other has written."""
    data = Codec(model).compress(images, **options)
    decoded = Codec(model).decompress(data)
    with there(model) as (codec, _):
        assert codec.compress(images, **options) == data
        assert np.array_equal(codec.decompress(data), decoded)


def test_auto_takes_a_gpu_for_batches_that_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model, places = load_model("mnist-mlp"), []
    monkeypatch.setattr(type(model), "to", lambda self, device: places.append(device.type) or self)
    for found in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=found: found)
        for batch_size in (64, 63):
            Codec(model, "auto", batch_size)
    assert places == ["cuda", "cpu", "cpu", "cpu"]


@pytest.mark.parametrize("name", LOSSLESS)
def test_files_are_the_same_from_there(name: str) -> None:
    check_both_ways(load_model(model_folder(name)), golden_images()[-4:-1])


@pytest.mark.parametrize("name", [*LOSSLESS, pytest.param("mnist-scans", marks=pytest.mark.slow)])
def test_golden_files_decode_there(name: str) -> None:
    with there(load_model(model_folder(name))) as (codec, _):
        data = (FOLDER / f"v1-{name}.recvae").read_bytes()
        assert np.array_equal(codec.decompress(data), golden_images())


@pytest.mark.parametrize("name", ["mnist", "mnist-mlp"])
def test_more_effort_makes_the_same_there(name: str) -> None:
    check_both_ways(load_model(name), golden_images()[:1], effort=2)


@pytest.mark.slow
def test_scans_are_the_same_from_there() -> None:
    """Of one image: its decoder takes hundreds of passes."""
    check_both_ways(load_model("mnist-scans"), golden_images()[:1])


@pytest.mark.parametrize("levels", [2, 4])
def test_wavefronts_are_the_same_there(levels: int) -> None:
    decoder = SMALL | {"levels": levels, "radius": 2}
    architecture = Architecture("causal", 2, 5, 7, {"channels": 4, "hidden": 8}, decoder)
    images = np.random.default_rng(0).integers(0, levels, (6, 5, 7)).astype(np.uint8)
    images[:3] *= images[:3] // (levels - 1)  # mostly black
    check_both_ways(trained(architecture, images, 5), images)


def test_pictures_are_the_same_from_there() -> None:
    check_both_ways(tiny_model(), smooth(2, 40, 24), channels=3)


@pytest.mark.slow
def test_pictures_of_the_shipped_model_are_the_same_from_there() -> None:
    model = load_model("cifar10")
    assert not model.cpu_only
    check_both_ways(model, smooth(1, 32, 32), channels=3)


def test_waits_are_few_and_do_not_grow() -> None:
    """Of one batch, reads and uploads, however many images, groups and blocks it has.

    Encoding: the images there; their posteriors checked; codes here; latents there; the pixels of
    the second and third pass counted; frequencies and KL here. Decoding: latents there; for each of
    three passes frequencies here and symbols there, and two counts; the pixels here.
    """
    model, images = load_model("mnist"), golden_images()
    with there(model) as (_, device):
        model.encode(images[:1], 64)  # what is made once
        for count in (1, 3):
            device.reads = device.uploads = 0
            groups, _ = model.encode(images[:count], 64)
            assert (device.reads, device.uploads) == (6, 2)
            device.reads = device.uploads = 0
            model.decode(groups)
            assert (device.reads, device.uploads) == (6, 4)


FITS_TWO = 2 * 28 * 28 * 300
"""Elements: the frequencies of two images of 28 x 28 are fewer, those of four are more."""


@pytest.fixture(scope="module")
def small() -> CodecModel:
    """A model that searches little."""
    return trained(Architecture("mlp", 2, 28, 28), golden_images(), 20)


@contextmanager
def sizes_tried(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many images a VAE was given each time to encode or decode."""
    sizes: list[int] = []
    encode, decode = CodecModel.encode, CodecModel.decode

    def note_encode(self, pixels, group_size):
        sizes.append(len(pixels))
        return encode(self, pixels, group_size)

    def note_decode(self, groups):
        sizes.append(sum(group.num_images for group in groups))
        return decode(self, groups)

    with monkeypatch.context() as patched:
        patched.setattr(CodecModel, "encode", note_encode)
        patched.setattr(CodecModel, "decode", note_decode)
        yield sizes


def test_batches_that_do_not_fit_are_halved(
    small: CodecModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are the same; what did not fit is not tried again."""
    model, images = small, golden_images()[:15]
    data = Codec(model).compress(images, 2)
    with there(model, 8) as (codec, device), sizes_tried(monkeypatch) as sizes:
        device.most_elements = FITS_TWO
        assert codec.compress(images, 2) == data
        assert sizes == [8, 4, 2, 2, 2, 2, 2, 2, 2, 1]
        sizes.clear()
        assert np.array_equal(codec.decompress(data), images)
        assert sizes == [8, 4, 2, 2, 2, 2, 2, 2, 2, 1]


def test_a_group_that_does_not_fit_is_told(small: CodecModel) -> None:
    model, images = small, golden_images()[:8]
    data = Codec(model).compress(images, 4)
    with there(model) as (codec, device):
        device.most_elements = FITS_TWO
        for work in (lambda: codec.compress(images, 4), lambda: codec.decompress(data)):
            with pytest.raises(torch.OutOfMemoryError) as raised:
                work()
            line = gpu_failure(raised.value)
            assert line is not None
            assert line.endswith(": use smaller groups or the CPU")


def test_what_was_done_before_a_failure_is_kept(small: CodecModel, tmp_path: Path) -> None:
    model, images, path = small, golden_images()[:8], tmp_path / "x.recvae"
    with there(model, batch_size=4) as (codec, device):

        def shrink(done: int, num_bytes: int) -> None:
            device.most_elements = FITS_TWO

        with pytest.raises(InputError, match=r"x.recvae: .*out of memory.*--resume continues"):
            compress_file(codec, path, images, group_size=4, progress=shrink)
    assert not path.exists()
    compress_file(Codec(model, batch_size=4), path, images, group_size=4, resume=True)
    assert path.read_bytes() == Codec(model).compress(images, 4)


@pytest.mark.parametrize(
    ("count", "unit", "fitting", "tried"),
    [
        (5, 1, 5, [5]),
        (5, 1, 2, [5, 2, 2, 1]),
        (12, 4, 7, [12, 4, 4, 4]),
        (10, 4, 8, [10, 4, 4, 2]),
        (10, 4, 9, [10, 4, 4, 2]),
        (0, 4, 1, []),
    ],
)
def test_parts_cover_all_in_whole_units(
    count: int, unit: int, fitting: int, tried: list[int]
) -> None:
    sizes: list[int] = []

    def work(part: slice) -> range:
        some = range(count)[part]
        sizes.append(len(some))
        if len(some) > fitting:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return some

    parts = Parts()
    assert [n for some in parts(work, count, unit) for n in some] == [*range(count)]
    assert sizes == tried


def test_other_errors_pass() -> None:
    def work(part: slice) -> None:
        raise RuntimeError("expected something else")

    with pytest.raises(RuntimeError, match="something else"):
        list(Parts()(work, 8))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")
@pytest.mark.parametrize("name", [*LOSSLESS, "mnist-scans", "cifar10"])
def test_a_gpu_and_the_cpu_decode_each_others_files(name: str) -> None:
    """Files may differ, as the floats of encoders do; pictures differ by 1 in few values."""
    here = recvae.load(model_folder(name))
    on_gpu = recvae.load(model_folder(name), device="cuda")
    lossy = here.model.lossy
    images, channels = (smooth(2, 32, 32), 3) if lossy else (golden_images(), 1)
    for codec in (here, on_gpu):
        data = codec.compress(images, channels=channels)
        decoded = [other.decompress(data).astype(int) for other in (here, on_gpu)]
        assert np.abs(decoded[0] - decoded[1]).max() <= lossy
        assert lossy or np.array_equal(decoded[0], images)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")
def test_memory_of_a_gpu_that_does_not_suffice(
    small: CodecModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gibibyte for frequencies of two, which are copied as one."""
    images = np.concatenate([golden_images()] * 40)
    codec = Codec(small, "cuda", batch_size=len(images))
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (1 << 30)) / total)
    try:
        with sizes_tried(monkeypatch) as sizes:
            data = codec.compress(images, 4)
        assert sizes[0] == len(images) > sizes[1]
        assert np.array_equal(codec.decompress(data), images)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        small.to(CPU)
    assert np.array_equal(Codec(small).decompress(data), images)
