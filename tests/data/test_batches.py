"""Batches for training: each image once an epoch, resumable, all of one shape."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recvae.data import ImageFolderDataModule, MNISTDataModule
from recvae.data.batches import OrderedBatches, ShuffledBatches, shift_images
from recvae.data.datamodule import load_mnist, split_validation
from recvae.errors import InputError
from recvae.images import Images, sample_images, write_idx, write_images

IMAGES = torch.arange(100, dtype=torch.uint8).reshape(100, 1, 1, 1).expand(100, 1, 3, 3)


def first_pixels(batches: ShuffledBatches | OrderedBatches) -> list[int]:
    return torch.cat(list(batches))[:, 0, 0, 0].tolist()


def test_an_epoch_takes_each_image_once_in_whole_batches() -> None:
    batches = ShuffledBatches(IMAGES, batch_size=16)
    assert [batch.shape for batch in batches] == [(16, 1, 3, 3)] * len(batches)
    assert len(set(first_pixels(batches))) == 96


def test_order_depends_on_seed_and_epoch_alone() -> None:
    orders = {
        (seed, epoch): first_pixels(ShuffledBatches(IMAGES, 10, seed=seed, epoch=lambda e=epoch: e))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len({tuple(order) for order in orders.values()}) == 4
    assert orders[0, 0] == first_pixels(ShuffledBatches(IMAGES, 10))


@given(taken=st.integers(0, 10))
def test_resumption_goes_on_with_the_next_batch(taken: int) -> None:
    make = lambda: ShuffledBatches(IMAGES, 10, shift=1, seed=3, epoch=lambda: 5)  # noqa: E731
    interrupted, resumed = make(), make()
    for _ in zip(range(taken), interrupted, strict=False):
        pass
    resumed.load_state_dict({"epoch": 5, "batch": taken})
    expected = list(make())[taken:]
    assert all(map(torch.equal, resumed, expected))
    assert len(list(resumed)) == 10  # the next iteration starts over


def test_ordered_batches_keep_the_last_partial_one() -> None:
    batches = OrderedBatches(IMAGES, 16)
    assert len(batches) == len(list(batches)) == 7
    assert first_pixels(batches) == list(range(100))


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=4))
def test_a_shift_moves_pixels_and_brings_in_zeros(offsets: list[tuple[int, int]]) -> None:
    images = torch.arange(1, 16 * len(offsets) + 1, dtype=torch.uint8).reshape(-1, 1, 4, 4)
    expected = torch.zeros_like(images)
    for item, (down, right) in enumerate(offsets):
        for row in range(4):
            for column in range(4):
                if 0 <= row + down < 4 and 0 <= column + right < 4:
                    expected[item, 0, row + down, column + right] = images[item, 0, row, column]
    assert torch.equal(shift_images(images, torch.tensor(offsets), limit=2), expected)


def test_shifts_reach_every_place_up_to_the_limit() -> None:
    dots = torch.zeros(400, 1, 5, 5, dtype=torch.uint8)
    dots[:, 0, 2, 2] = 1
    (shifted,) = ShuffledBatches(dots, 400, shift=1)
    assert shifted.dtype == torch.uint8
    assert torch.equal(shifted.sum((0, 1)) > 0, torch.tensor(np.pad(np.ones((3, 3)), 1)) > 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0: it must lie between 1 and the 100 training images"),
        ({"batch_size": 101}, "batch_size is 101"),
        ({"batch_size": 9, "shift": 3}, "shift is 3: it must lie between 0 and 2 pixels"),
        ({"batch_size": 9, "shift": -1}, "shift is -1"),
        ({"batch_size": 9, "seed": -1}, "seed is -1: it must not be negative"),
    ],
)
def test_bad_parameters_are_named(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ShuffledBatches(IMAGES, **arguments)


def test_validation_images_are_cut_off_the_end() -> None:
    train, val = split_validation(IMAGES, 30)
    assert (first_pixels([train]), first_pixels([val])) == ([*range(70)], [*range(70, 100)])
    train, val = split_validation(IMAGES, 0)
    assert len(train) == len(val) == 100
    with pytest.raises(InputError, match="hold out 100 of 100 images"):
        split_validation(IMAGES, 100)
    with pytest.raises(InputError, match="batch_size is 0"):
        OrderedBatches(IMAGES, 0)


class Recorder(pl.LightningModule):
    """Learns nothing and records its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[Tensor] = []

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        self.seen.append(batch)
        return self.weight * batch.float().mean()

    def validation_step(self, batch: Tensor, _: int) -> None:
        assert batch.dtype == torch.uint8

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.fixture
def samples(tmp_path: Path) -> ImageFolderDataModule:
    write_idx(tmp_path / "x.idx", sample_images()[:60])
    return ImageFolderDataModule(str(tmp_path / "x.idx"), 16, validation_fraction=0.1, shift=2)


class KeepEachStep(pl.Callback):
    """Saves a checkpoint after each step; Lightning's own callback warns about our second run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt", weights_only=False)


def trained(data: pl.LightningDataModule, keep: Path, resume: Path | None = None) -> list[Tensor]:
    """Train for three epochs, keep a checkpoint of each step, and return the batches seen."""
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=3,
        callbacks=KeepEachStep(keep),
        enable_checkpointing=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module := Recorder(), data, ckpt_path=resume, weights_only=True)
    trainer.test(module, data, verbose=False)
    return module.seen


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")  # within Lightning
def test_lightning_sees_new_epochs_and_resumes_them(
    samples: ImageFolderDataModule, tmp_path: Path
) -> None:
    whole = trained(samples, tmp_path / "whole")
    assert len(whole) == 9
    assert not torch.equal(torch.cat(whole[:3]), torch.cat(whole[3:6]))
    for step in (1, 3, 5):  # within an epoch, and at the end of one
        rest = trained(samples, tmp_path / f"from {step}", tmp_path / "whole" / f"{step}.ckpt")
        assert len(rest) == 9 - step
        assert all(map(torch.equal, rest, whole[step:]))


def test_own_images_are_split_alike_for_every_seed(samples: ImageFolderDataModule) -> None:
    samples.setup()
    other = ImageFolderDataModule(samples.root, 16, validation_fraction=0.1, seed=1)
    other.setup()
    assert torch.equal(samples.val_images, other.val_images)
    assert (len(samples.train_images), len(samples.val_images)) == (54, 6)
    everything = torch.cat([samples.train_images, samples.val_images]).flatten(1).tolist()
    assert sorted(everything) == sorted(sample_images()[:60].reshape(60, -1).tolist())
    with pytest.raises(InputError, match="validation_fraction is 1: it must be"):
        ImageFolderDataModule(samples.root, validation_fraction=1)


def test_own_images_are_grey_and_of_one_size(tmp_path: Path) -> None:
    colour = tmp_path / "colour"
    write_images(colour, Images(np.zeros((2, 3, 4, 3), np.uint8)))
    with pytest.raises(InputError, match="colour: holds RGB images; models are trained with grey"):
        ImageFolderDataModule(str(colour)).setup()
    write_images(colour / "2.png", Images(np.zeros((1, 5, 5), np.uint8)))
    with pytest.raises(InputError, match=r"colour: images differ in size: 00000.png is 3 × 4 RGB"):
        ImageFolderDataModule(str(colour)).setup()


def test_mnist_that_cannot_be_had_says_what_to_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MNISTDataModule, "trainer", None, raising=False)
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(
        InputError, match=r"no readable MNIST there; pass --data.root=FOLDER.*refused"
    ):
        MNISTDataModule(str(tmp_path)).prepare_data()
    with pytest.raises(InputError, match="Dataset not found"):
        MNISTDataModule(str(tmp_path)).setup()


def test_damaged_mnist_is_told(tmp_path: Path) -> None:
    (raw := tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for split in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (raw / f"{split}-{kind}-ubyte").write_bytes(b"\0\0\x08\x03 damaged")
    with pytest.raises(InputError, match="no readable MNIST there"):
        load_mnist(str(tmp_path), train=True)


def test_whole_mnist(dataset: Callable[[str], Path]) -> None:
    data = MNISTDataModule(str(dataset("MNIST/raw").parents[1]), batch_size=128)
    data.prepare_data()
    data.setup()
    assert data.train_images.shape == (58_000, 1, 28, 28)
    assert (len(data.val_images), len(data.test_images)) == (2_000, 10_000)
    assert np.array_equal(data.train_images[:500, 0].numpy(), sample_images("train"))
    assert np.array_equal(data.test_images[:300, 0].numpy(), sample_images("test"))
    assert next(iter(data.train_dataloader())).shape == (128, 1, 28, 28)
