"""The codec: lossless for real and any other images, in any grouping."""

import io
import os
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recvae
from recvae.codec import Codec, shipped_models
from recvae.codec.container import Group
from recvae.codec.vae.elbo import negative_elbo_bits
from recvae.codec.vae.groups import decode_groups, encode_groups
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT
from recvae.codec.vae.trace import Trace
from recvae.errors import InputError
from recvae.images import sample_images
from recvae.vae.networks import passes

RAW_BYTES = 28 * 28


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 12),
    group_size=st.integers(1, 9),
    kinds=st.lists(st.sampled_from(["digit", "noise", "black", "white", "grey", "spots"])),
)
@settings(deadline=None, max_examples=25)
def test_round_trip(codec: Codec, seed: int, count: int, group_size: int, kinds: list[str]) -> None:
    rng = np.random.default_rng(seed)
    shape = (28, 28)
    make = {
        "digit": lambda: sample_images()[rng.integers(300)],
        "noise": lambda: rng.integers(0, 256, shape),
        "black": lambda: np.zeros(shape),
        "white": lambda: np.full(shape, 255),
        "grey": lambda: np.full(shape, rng.integers(1, 255)),
        "spots": lambda: np.where(rng.random(shape) < 0.1, rng.integers(0, 256, shape), 0),
    }
    chosen = (kinds or ["digit"]) * 12
    images = np.zeros((count, *shape), dtype=np.uint8)
    for index in range(count):
        images[index] = make[chosen[index]]()
    data = codec.compress(images, group_size)
    assert np.array_equal(codec.decompress(data), images)
    assert len(data) <= images.size * 1.005 + 64


@pytest.mark.parametrize("name", list(shipped_models(VAE_FORMAT)))
def test_every_shipped_model(name: str, digits: np.ndarray, noise: np.ndarray) -> None:
    images = np.concatenate([digits[:5], noise[:2], digits[5:9]])
    codec = recvae.load(name)
    data = codec.compress(images, 4)
    assert np.array_equal(recvae.open(data)[:], images)


@pytest.mark.slow
def test_rate_of_real_images(codec: Codec) -> None:
    """The rate of the shipped images is what the README promises, within a margin."""
    images = sample_images()
    data = codec.compress(images)
    assert 8 * len(data) / images.size <= 1.20
    bound = negative_elbo_bits(codec.model, torch.from_numpy(images.copy())).sum()
    assert (8 * len(data) - bound) / images.size <= 0.02
    single = codec.compress(images, 1)
    assert (8 * len(single) - bound) / images.size <= 0.06


def test_batches_threads_and_neighbours_change_no_byte(codec: Codec, digits: np.ndarray) -> None:
    expected = codec.compress(digits, 8)
    assert Codec(codec.model, batch_size=8).compress(digits, 8) == expected
    assert Codec(codec.model, batch_size=1000).compress(digits, 8) == expected
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert np.array_equal(Codec(codec.model, batch_size=16).decompress(expected), digits)
    finally:
        torch.set_num_threads(threads)
    # A group's payload depends only on its images.
    alone, _ = encode_groups(codec.model, digits[16:24], 8)
    with codec.open(expected) as images:
        assert images.reader.payload(2) == alone[0]


def test_decoding_in_any_batch_is_the_same(codec: Codec, digits: np.ndarray) -> None:
    data = codec.compress(digits, 1)
    for batch_size in (1, 7, 4096):
        assert np.array_equal(Codec(codec.model, batch_size=batch_size).decompress(data), digits)


def test_torch_tensors_chunks_and_memory_maps(codec: Codec, digits: np.ndarray, tmp_path) -> None:
    np.save(tmp_path / "digits.npy", digits)
    expected = codec.compress(digits)
    assert codec.compress(torch.from_numpy(digits.copy())) == expected
    stream = io.BytesIO()
    codec.compress_to(stream, (digits[start : start + 7] for start in range(0, 40, 7)))
    assert stream.getvalue() == expected
    assert codec.compress(np.load(tmp_path / "digits.npy", mmap_mode="r")) == expected


def test_noise_is_stored_whole_or_among_digits(
    codec: Codec, digits: np.ndarray, noise: np.ndarray
) -> None:
    for group_size in (1, 64):
        assert len(codec.compress(noise, group_size)) <= noise.size * 1.005 + 64
    mixed = np.concatenate([digits[:10], noise, digits[10:20]])
    with_noise, without = (len(codec.compress(x)) for x in (mixed, digits[:20]))
    assert noise.size <= with_noise - without <= noise.size + 3 * len(noise) + 2


def test_report_adds_up_to_the_file(codec: Codec, digits: np.ndarray, noise: np.ndarray) -> None:
    stream = io.BytesIO()
    seen: list[tuple[int, int]] = []
    images = np.concatenate([digits, noise])
    report = codec.compress_to(stream, images, 16, progress=lambda *done: seen.append(done))
    assert report.sizes.total == len(stream.getvalue())
    assert report.bits_per_pixel == 8 * len(stream.getvalue()) / images.size
    assert report.bits["stored"] == pytest.approx(10 * 8 * RAW_BYTES, rel=0.01)
    blocks = sum(coder.partition.log2_bins for coder in codec.model.coders)
    assert report.bits["bins"] == pytest.approx(40 * blocks)
    # Header, index and footer; framing of 4 groups; a few bits at the end of each. The last group,
    # two images of noise, is stored whole, which saves the 16 bits counted for each stored image.
    overhead_bits = 8 * report.sizes.overhead
    assert overhead_bits - 2 * 16 <= report.container_bits <= overhead_bits + 4 * 10
    assert seen[-1][0] == 50
    assert seen[-1][1] < len(stream.getvalue())


def test_random_access(codec: Codec, tmp_path) -> None:
    images = sample_images()[:70]
    path = tmp_path / "digits.recvae"
    path.write_bytes(codec.compress(images, 8))
    with recvae.open(path) as stored:
        assert len(stored) == 70
        assert stored.shape == (70, 28, 28)
        assert stored.names is None
        assert np.array_equal(stored[33], images[33])
        assert np.array_equal(stored[-1], images[-1])
        assert np.array_equal(stored[60:3:-7], images[60:3:-7])
        assert stored[5:5].shape == (0, 28, 28)
        assert np.array_equal(np.stack(list(stored)), images)
        with pytest.raises(IndexError):
            stored[70]


def test_an_open_file_is_read_on_while_it_is_replaced(
    codec: Codec, digits: np.ndarray, tmp_path
) -> None:
    for name, images in (("old", digits[:12]), ("new", digits[12:20])):
        (tmp_path / name).write_bytes(codec.compress(images, 4))
    with codec.open(tmp_path / "old") as stored:
        assert np.array_equal(stored[0], digits[0])
        os.replace(tmp_path / "new", tmp_path / "old")
        assert np.array_equal(stored[:], digits[:12])
        assert np.array_equal(stored[9], digits[9])
    with codec.open(tmp_path / "old") as stored:
        assert np.array_equal(stored[:], digits[12:20])


def test_one_image_does_not_need_the_rest(codec: Codec, digits: np.ndarray) -> None:
    """Damage elsewhere does not prevent decoding an image."""
    data = bytearray(codec.compress(digits, 8))
    data[60] ^= 1
    with codec.open(bytes(data)) as images:
        assert np.array_equal(images[39], digits[39])
        with pytest.raises(InputError, match="group 0 is damaged"):
            images[0]


def test_no_damaged_byte_gives_wrong_pixels(codec: Codec, digits: np.ndarray) -> None:
    data = codec.compress(digits[:4], 2)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        with pytest.raises(InputError):
            codec.decompress(bytes(damaged))
        if position % 9 == 0:
            with suppress(InputError), codec.open(bytes(damaged)) as images:
                assert np.array_equal(images[0], digits[0])


def test_pieces_bound_what_is_evaluated_at_once_and_change_no_bit(
    codec: Codec, digits: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([digits[:5], np.full((2, 28, 28), 7, np.uint8), digits[5:9]])
    expected = codec.compress(images, 4)
    seen: list[int] = []

    class Sizes(Trace):
        def add_piece(self, logits: torch.Tensor, frequencies: torch.Tensor) -> None:
            seen.append(logits.numel())

    codec = Codec(codec.model.traced(Sizes()), batch_size=codec.batch_size)
    assert np.array_equal(codec.decompress(expected), images)
    whole = seen.copy()
    seen.clear()
    monkeypatch.setattr(passes, "PIECE_LOGITS", 5000)  # so that pieces end within groups
    assert codec.compress(images, 4) == expected
    assert np.array_equal(codec.decompress(expected), images)
    assert max(seen) <= 5000 < max(whole)


def test_hostile_payloads_end_in_images_or_one_line(codec: Codec) -> None:
    """Payloads that no encoder wrote, with a forged checksum: no crash, no hang."""
    rng = np.random.default_rng(0)
    refused = 0
    for length in [0, 1, 2, 7, 30, 120, 500]:
        for _ in range(4):
            try:
                images = decode_groups(codec.model, [rng.bytes(length)], [3])
                assert images.shape == (3, 28, 28)
            except InputError:
                refused += 1
    assert refused > 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 28, 28), np.float32), "uint8"),
        (np.zeros((2, 28, 27), np.uint8), r"\(2, 28, 27\)"),
        (np.zeros((27, 28), np.uint8), r"\(27, 28\)"),
    ],
)
def test_images_that_do_not_fit(codec: Codec, images: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        codec.compress(images)


def test_bad_parameters(codec: Codec, digits: np.ndarray) -> None:
    for group_size in (0, 1025):
        with pytest.raises(InputError, match="group_size"):
            codec.compress(digits, group_size)
    with pytest.raises(InputError, match="batch size"):
        Codec(codec.model, batch_size=0)
    with pytest.raises(InputError, match="choose cpu, cuda or auto"):
        Codec(codec.model, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no GPU"):
            Codec(codec.model, device="cuda")


def test_batches_are_whole_groups_and_no_more(codec: Codec, digits: np.ndarray) -> None:
    seen: list[int] = []

    def note(images: int, num_bytes: int) -> None:
        seen.append(images)

    for batch_size, group_size, at_once in [(8, 8, 8), (8, 3, 9), (1, 5, 5)]:
        small = Codec(codec.model, batch_size=batch_size)
        small.compress_to(io.BytesIO(), digits[:20], group_size, progress=note)
        assert seen == [*range(at_once, 20, at_once), 20]
        seen.clear()


def test_sizes_of_files_of_one_image(codec: Codec, digits: np.ndarray) -> None:
    expected = [len(codec.compress(image[None])) for image in digits[:3]]
    assert codec.one_image_file_sizes(digits[:3]) == expected


def test_a_group_of_several_streams_is_none_of_the_model(codec: Codec) -> None:
    group = Group(2, codec.model.spec, (b"a", b"b"), layers=2)
    with pytest.raises(InputError, match="a group of 2 streams where there is one"):
        codec.model.decode([group])


@pytest.mark.parametrize("count", [1, 3])
def test_names_are_counted_before_the_work(
    codec: Codec, digits: np.ndarray, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(codec.model), "encode", lambda *_: pytest.fail("encoded"))
    with pytest.raises(InputError, match=f"names: {count} for 2 images"):
        codec.compress_to(io.BytesIO(), digits[:2], names=["a.png", "b.png", "c.png"][:count])
