"""Base of the data modules: images in memory, the same in every run."""

import hashlib
from functools import cached_property
from typing import TypeVar

import pytorch_lightning as pl
from torch import Tensor

from recvae.data.batches import OrderedBatches, SeededBatches
from recvae.errors import InputError

SPLIT_SEED = 0  # not the training seed, as all runs must hold out the same images

Pictures = TypeVar("Pictures", Tensor, list[Tensor])


class TrainingData(pl.LightningDataModule):
    """Uint8 batches (batch_size, channels, height, width) of what a subclass loads.

    Attributes:
        train_images: a tensor (n, channels, height, width), or a list of (channels, height, width).
        val_images, test_images: tensors (n, channels, height, width).
    """

    train_images: Tensor | list[Tensor]
    val_images: Tensor
    test_images: Tensor

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        self.batch_size, self.seed = batch_size, seed

    def load(self) -> tuple[Tensor | list[Tensor], Tensor, Tensor]:
        """Return training, validation and test images; raises `InputError` on failure."""
        raise NotImplementedError

    def train_batches(self) -> SeededBatches:
        """Return the batches of each epoch."""
        raise NotImplementedError

    @property
    def examples(self) -> Tensor:
        """Images (n, channels, height, width) for a model to check whether it supports them."""
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        """Load all images into memory, once."""
        if not hasattr(self, "train_images"):
            self.train_images, self.val_images, self.test_images = self.load()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the training images and their shapes, in hexadecimal."""
        images = self.train_images
        digest = hashlib.sha256()
        for part in [images] if isinstance(images, Tensor) else images:
            pixels = part.contiguous().numpy()
            digest.update(repr(pixels.shape).encode())
            digest.update(pixels.data)
        return digest.hexdigest()

    def train_dataloader(self) -> SeededBatches:
        """Return the training batches, drawn anew each epoch."""
        if self.trainer is not None and self.trainer.world_size > 1:
            raise InputError("training runs on one device: pass --trainer.devices=1")
        return self.train_batches()

    def val_dataloader(self) -> OrderedBatches:
        """Return the validation images in order."""
        return OrderedBatches(self.val_images, self.batch_size)

    def test_dataloader(self) -> OrderedBatches:
        """Return the test images in order."""
        return OrderedBatches(self.test_images, self.batch_size)

    def _epoch(self) -> int:
        return 0 if self.trainer is None else self.trainer.current_epoch


def check_fraction(validation_fraction: float) -> None:
    """Raise `InputError` unless images remain to train with."""
    if not 0 <= validation_fraction < 1:
        raise InputError(
            f"validation_fraction is {validation_fraction}: it must be at least 0 and below 1"
        )


def split_validation(
    images: Pictures, held_out: int, shown: int = 2000
) -> tuple[Pictures, Pictures]:
    """Hold out the last `held_out` of `images`; for 0, validate on the last `shown` of all.

    Raises `InputError` if no images remain to train with.
    """
    if not 0 <= held_out < len(images):
        raise InputError(
            f"validation would hold out {held_out} of {len(images)} images: "
            "at least one must remain to train with (0 holds out none)"
        )
    return images[: len(images) - held_out], images[-(held_out or shown) :]
