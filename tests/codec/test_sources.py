"""What callers give from Python: images and files of any type that holds them, or one line."""

import io
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import recvae
from recvae.codec import Codec, compress_file, salvage
from recvae.codec.model_folder import save_model
from recvae.errors import InputError
from recvae.images import Images, image_stream, read_images, write_images


class PathOf:
    """A path that is no pathlib.Path, as other libraries have."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


def mapped(data: bytes) -> mmap.mmap:
    memory = mmap.mmap(-1, len(data))
    memory[:] = data
    return memory


@pytest.mark.parametrize("kind", [bytearray, memoryview, mapped, io.BytesIO])
def test_files_in_memory_of_any_type(codec: Codec, digits: np.ndarray, kind: Any) -> None:
    data = codec.compress(digits[:5])
    assert np.array_equal(codec.decompress(kind(data)), digits[:5])
    with recvae.open(kind(data)) as images:
        assert np.array_equal(images[3], digits[3])
    if kind is not io.BytesIO:
        assert salvage(kind(data)).is_complete
        payload = kind(codec.compress_chunk(digits[:5]))
        assert np.array_equal(codec.decompress_chunk(payload, codec.model.spec, 5), digits[:5])


def test_a_view_of_every_other_byte(codec: Codec, digits: np.ndarray) -> None:
    data = np.frombuffer(codec.compress(digits[:2]), np.uint8)
    assert np.array_equal(codec.decompress(memoryview(np.repeat(data, 2))[::2]), digits[:2])


@pytest.mark.parametrize("source", [None, 5, ["x.recvae"]])
def test_what_is_no_file_is_told(codec: Codec, source: Any) -> None:
    for use in (codec.decompress, recvae.open, salvage):
        with pytest.raises(
            InputError, match=r"(NoneType|int|list) does not hold bytes of a .recvae"
        ):
            use(source)


def test_a_file_that_is_open_as_text_is_told(codec: Codec, tmp_path: Path) -> None:
    (tmp_path / "x.recvae").write_bytes(b"")
    with (
        open(tmp_path / "x.recvae") as stream,
        pytest.raises(InputError, match=r'x.recvae: is open in text mode: open it with "rb"'),
    ):
        recvae.open(stream)


def test_paths_of_other_libraries(codec: Codec, digits: np.ndarray, tmp_path: Path) -> None:
    model, file, array = (PathOf(tmp_path / name) for name in ("model", "x.recvae", "x.npy"))
    save_model(codec.model, model)
    compress_file(recvae.load(model), file, digits[:3])
    with recvae.open(file, model) as images:
        assert np.array_equal(images[:], digits[:3])
    assert recvae.load(PathOf(Path("mnist"))).model.name == "mnist"
    write_images(array, Images(digits[:3]))
    assert np.array_equal(read_images(array).pixels, digits[:3])
    missing = str(tmp_path / "no")
    for use in (recvae.load, recvae.open, read_images):
        with pytest.raises(InputError, match=missing):
            use(PathOf(tmp_path / "no"))
    for path in (file, os.fspath(file)):
        with pytest.raises(InputError, match=r"x.recvae: pass a binary stream, or call"):
            codec.compress_to(path, digits)
        with pytest.raises(InputError, match=r"x.recvae exists: pass --force"):
            compress_file(codec, path, digits)


def pairs(digits: torch.Tensor) -> DataLoader:
    return DataLoader(TensorDataset(digits, torch.arange(len(digits))), batch_size=4)


IMAGES = {
    "batches": lambda digits: [digits[:3], digits[3:]],
    "a loader": lambda digits: DataLoader(digits, batch_size=4),
    "a loader with labels": lambda digits: (images for images, _ in pairs(digits)),
    "single tensors": lambda digits: [*digits],
    "single arrays": lambda digits: list(digits.numpy()),
    "a parameter": lambda digits: torch.nn.Parameter(digits, requires_grad=False),
    "not contiguous": lambda digits: digits.transpose(1, 2).contiguous().transpose(1, 2),
    "backwards twice": lambda digits: digits.numpy()[::-1].copy()[::-1],
    "Fortran order": lambda digits: np.asfortranarray(digits.numpy()),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_images_of_any_type(codec: Codec, digits: np.ndarray, kind: str) -> None:
    given = IMAGES[kind](torch.from_numpy(digits[:10].copy()))
    assert codec.compress(given) == codec.compress(digits[:10])


def test_one_image(codec: Codec, digits: np.ndarray) -> None:
    assert codec.compress(digits[0]) == codec.compress(digits[:1])


BAD = {
    "pairs": (pairs, r"are list: .*; of a DataLoader with labels, \(images for images, \*_ in"),
    "bfloat16": (lambda digits: digits.to(torch.bfloat16), "are bfloat16: they must be uint8"),
    "0 to 1": (lambda digits: digits / 255, r"float32: .*\(images \* 255\).round\(\).to\(torch."),
    "array": (lambda digits: digits.numpy() / 255, r"float64: .*round\(\).astype\(numpy.uint8\)"),
    "list": (lambda digits: [digits.half()], "are float16: they must be uint8"),
    "gradient": (lambda digits: digits.float().requires_grad_(), "are float32: they must be"),
    "integers": (lambda digits: digits.int(), "are int32: they must be uint8; convert them first$"),
    "channel": (lambda digits: digits[:, None], r"if axis 1 is the channel, .*images.squeeze\(1\)"),
    "last": (lambda digits: digits[..., None], r"if axis 3 is the channel, .*images.squeeze\(3\)"),
    "path": (lambda _: "x.npy", r"are str: .*, such as recvae.images.read_images\(path\).pixels"),
    "Path": (lambda _: Path("x.npy"), r"are \w+Path: .*, such as recvae.images.read_images"),
    "nothing": (lambda _: None, "are NoneType: pass arrays or tensors of uint8$"),
    "lists": (lambda digits: digits.tolist(), "images are list: pass arrays or tensors"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_images_is_told(codec: Codec, digits: np.ndarray, kind: str) -> None:
    make, message = BAD[kind]
    with pytest.raises(InputError, match=message) as error:
        codec.compress(make(torch.from_numpy(digits[:10].copy())))
    assert "\n" not in str(error.value)


def test_a_stream_of_images_has_the_name_of_its_path(tmp_path: Path) -> None:
    write_images(tmp_path / "x.npy", Images(np.zeros((2, 3, 4), np.uint8)))
    with image_stream(PathOf(tmp_path / "x.npy")) as images:
        assert images.source == str(tmp_path / "x.npy")
