"""One open file, and one codec, for several threads and processes: as in a DataLoader's workers."""

import copy
import multiprocessing
import os
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import recvae
from codec.forks import in_processes, in_threads
from codec.test_compressed_images import Batches
from codec.test_surroundings import MODELS
from recvae.codec import Codec, CompressedImages
from recvae.errors import InputError
from recvae.exact import exact_arithmetic

FORKING = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
METHODS = [
    pytest.param(name, marks=FORKING if name == "fork" else pytest.mark.slow)
    for name in multiprocessing.get_all_start_methods()
]


@pytest.fixture(scope="module")
def images(digits: np.ndarray) -> np.ndarray:
    """Noise, whose groups are stored and thus equally long, and digits."""
    noise = np.random.default_rng(1).integers(0, 256, (100, 28, 28)).astype(np.uint8)
    return np.concatenate([noise, digits[:8]])


@pytest.fixture(scope="module")
def data(codec: Codec, images: np.ndarray) -> bytes:
    return codec.compress(images, 2)


@pytest.fixture
def path(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "images.recvae"
    path.write_bytes(data)
    return path


@pytest.fixture
def stored(path: Path, codec: Codec) -> Iterator[CompressedImages]:
    with codec.open(path) as stored:
        yield stored


def reading(stored: CompressedImages, images: np.ndarray, seed: int) -> Callable[[], None]:
    rng = random.Random(seed)

    def read() -> None:
        for _ in range(300):
            number = rng.randrange(100)
            assert np.array_equal(stored[number], images[number])
        assert np.array_equal(stored[95:], images[95:])

    return read


def test_threads_read_what_is_theirs(stored: CompressedImages, images: np.ndarray) -> None:
    in_threads(*(reading(stored, images, seed) for seed in range(4)))


def test_forked_processes_read_what_is_theirs(stored: CompressedImages, images: np.ndarray) -> None:
    in_processes(*(reading(stored, images, seed) for seed in range(2)))


def test_a_forked_process_codes_without_the_threads_of_its_parent(
    codec: Codec, digits: np.ndarray
) -> None:
    expected = codec.compress(digits)

    def code() -> None:
        assert np.array_equal(codec.decompress(expected), digits)
        assert codec.compress(digits) == expected
        generator = torch.Generator().manual_seed(0)
        assert len(codec.model.negative_elbo_bits(digits, 64, generator)) == len(digits)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        codec.decompress(expected)
        in_threads(*[lambda: codec.decompress(expected)] * 4)
        in_processes(code, code)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_fork_leaves_other_threads_behind(codec: Codec, digits: np.ndarray) -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    entered, done = multiprocessing.Event(), multiprocessing.Event()

    def code() -> None:
        with exact_arithmetic():
            entered.set()
            done.wait()

    def settings_are_the_program_s_own() -> None:
        assert torch.get_float32_matmul_precision() == "medium"
        with exact_arithmetic():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"

    def fork() -> None:
        entered.wait()
        try:
            in_processes(settings_are_the_program_s_own)
            assert torch.get_float32_matmul_precision() == "highest"
        finally:
            done.set()

    try:
        in_threads(code, fork)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("method", METHODS)
def test_workers_of_a_data_loader(
    method: str, stored: CompressedImages, images: np.ndarray
) -> None:
    loader = DataLoader(
        stored, batch_size=9, shuffle=True, num_workers=2, multiprocessing_context=method
    )
    found = torch.cat(list(loader)).numpy()
    assert sorted(map(bytes, found)) == sorted(map(bytes, images))
    in_order = DataLoader(stored, batch_size=9, num_workers=2, multiprocessing_context=method)
    assert np.array_equal(torch.cat(list(in_order)).numpy(), images)


def test_a_list_of_numbers_decodes_each_group_once(codec: Codec, digits: np.ndarray) -> None:
    seen = Batches()
    data = codec.compress(digits[:20], 3)  # seven groups
    with Codec(codec.model.traced(seen), batch_size=6).open(data) as stored:
        for wanted, sizes in [
            ([], []),
            ([19, 1, 18, -20, 1, 10], [6, 2]),
            ([18, 19], []),  # kept
            ([4, 18, 7, 10], [6, 3]),
            ([11], []),
            ([12, 11], [3]),
        ]:
            found = stored.__getitems__(wanted)
            assert seen.sizes == sizes
            for image, number in zip(found, wanted, strict=True):
                assert np.array_equal(image, digits[:20][number])
                image[:] = 0  # the caller's own
            seen.sizes.clear()
        with pytest.raises(IndexError):
            stored.__getitems__([0, 20])


def test_iterators_do_not_disturb_each_other(stored: CompressedImages, images: np.ndarray) -> None:
    for one, two, image in zip(stored, stored, images, strict=True):
        assert np.array_equal(one, image)
        assert np.array_equal(two, image)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copies(
    copied: Callable, stored: CompressedImages, images: np.ndarray, data: bytes
) -> None:
    assert np.array_equal(stored[5], images[5])
    with copied(stored) as other:
        stored.close()
        assert np.array_equal(other[98:104], images[98:104])
    with pytest.raises(InputError, match="is closed"):
        stored[5]
    with recvae.open(data) as in_memory, copied(in_memory) as other:
        assert np.array_equal(other[98:104], images[98:104])


@pytest.mark.parametrize("name", MODELS)
def test_a_codec_is_copied_after_it_was_used(name: str, digits: np.ndarray) -> None:
    codec, few = recvae.load(name), digits[:3]
    packed = codec.compress(few, effort=2)
    for used in (codec, Codec(codec.model.with_effort(2))):
        expected = used.compress(few)
        for copied in (copy.deepcopy(used), pickle.loads(pickle.dumps(used))):
            assert copied.compress(few) == expected
            assert copied.compress(few, effort=2) == packed
            assert np.array_equal(copied.decompress(packed), few)


def test_one_codec_in_several_threads(digits: np.ndarray) -> None:
    codec = recvae.load("mnist")
    parts = [digits[start : start + 10] for start in range(0, 40, 10)]
    expected = [recvae.load("mnist").compress(part, 4) for part in parts]

    def code(part: np.ndarray, packed: bytes) -> Callable[[], None]:
        def both() -> None:
            assert codec.compress(part, 4) == packed
            assert np.array_equal(codec.decompress(packed), part)

        return both

    in_threads(*map(code, parts, expected))


def test_a_file_is_closed_while_threads_read(stored: CompressedImages, images: np.ndarray) -> None:
    def read() -> None:
        for number in range(1_000_000):
            assert np.array_equal(stored[number % 100], images[number % 100])

    with pytest.raises(InputError, match=r"images\.recvae: is closed"):
        in_threads(read, read, stored.close)


def test_what_has_no_copy(path: Path, codec: Codec) -> None:
    no_copy = pytest.raises(InputError, match=r"images\.recvae: opened from a stream")
    with path.open("rb") as file, codec.open(file) as stored, no_copy:
        pickle.dumps(stored)
    with codec.open(path) as stored:
        packed = pickle.dumps(stored)
        path.write_bytes(codec.compress(np.zeros((3, 28, 28), np.uint8)))
        with pytest.raises(InputError, match=r"images\.recvae: has changed since it was opened"):
            pickle.loads(packed)
        os.remove(path)
        with pytest.raises(InputError, match=r"images\.recvae: No such file"):
            pickle.loads(packed)
