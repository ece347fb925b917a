"""Images for training: MNIST, and a user's own."""

import hashlib
from functools import cached_property

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torchvision.datasets import MNIST

from recvae.data.batches import OrderedBatches, ShuffledBatches
from recvae.errors import InputError
from recvae.images import read_images
from recvae.images.spec import GREY, ImageSpec

SPLIT_SEED = 0  # not the seed of training: all runs must hold out the same images


class ImageDataModule(pl.LightningDataModule):
    """Uint8 batches (batch_size, 1, height, width) of what a subclass's `load` returns.

    Training batches all have the same shape; order and shifts depend on `seed` and the epoch.
    """

    def __init__(self, batch_size: int, shift: int, seed: int) -> None:
        super().__init__()
        self.batch_size, self.shift, self.seed = batch_size, shift, seed

    def load(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return training, validation and test images, uint8 (n, 1, height, width) each."""
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        """Load all images into memory, once."""
        if not hasattr(self, "train_images"):
            self.train_images, self.val_images, self.test_images = self.load()

    @property
    def spec(self) -> ImageSpec:
        """Of the images."""
        return ImageSpec(*self.train_images.shape[-2:])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the training images and their shape, in hexadecimal."""
        pixels = self.train_images.contiguous().numpy()
        digest = hashlib.sha256(repr(pixels.shape).encode())
        digest.update(pixels.data)
        return digest.hexdigest()

    def train_dataloader(self) -> ShuffledBatches:
        """Return the training images, shuffled anew each epoch."""
        if self.trainer is not None and self.trainer.world_size > 1:
            raise InputError("training runs on one device: pass --trainer.devices=1")
        return ShuffledBatches(
            self.train_images, self.batch_size, self.shift, self.seed, self._epoch
        )

    def val_dataloader(self) -> OrderedBatches:
        """Return the validation images in order."""
        return OrderedBatches(self.val_images, self.batch_size)

    def test_dataloader(self) -> OrderedBatches:
        """Return the test images in order."""
        return OrderedBatches(self.test_images, self.batch_size)

    def _epoch(self) -> int:
        return 0 if self.trainer is None else self.trainer.current_epoch


class MNISTDataModule(ImageDataModule):
    """MNIST, kept in `root`/MNIST/raw and downloaded if it is not there.

    The last `validation_images` of the 60,000 training images are held out. With 0 training takes
    them all, and validation runs on the last 2,000 of them: it then says nothing about new images.
    """

    def __init__(
        self,
        root: str = "data",
        batch_size: int = 128,
        validation_images: int = 2000,
        shift: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, shift, seed)
        self.root, self.validation_images = root, validation_images

    def prepare_data(self) -> None:
        """Download what is missing; raises `InputError` if that fails."""
        try:
            MNIST(self.root, download=True)
        except Exception as error:
            raise _no_mnist(self.root, error) from error

    def load(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return training, validation and test images, uint8 (n, 1, 28, 28) each."""
        train, val = split_validation(load_mnist(self.root, train=True), self.validation_images)
        return train, val, load_mnist(self.root, train=False)


class ImageFolderDataModule(ImageDataModule):
    """A user's own images, grey: a folder of pictures, an idx or a .npy file; see `read_images`.

    A random `validation_fraction` of them, the same in every run, is held out, and serves as test
    set too. With 0 training takes all images, and validation runs on up to 2,000 of them.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 128,
        validation_fraction: float = 0.05,
        shift: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, shift, seed)
        if not 0 <= validation_fraction < 1:
            raise InputError(
                f"validation_fraction is {validation_fraction}: it must be at least 0 and below 1"
            )
        self.root, self.validation_fraction = root, validation_fraction

    def load(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return training and validation images, and the latter again, uint8 (n, 1, h, w) each."""
        pixels = read_grey(self.root)
        order = np.random.default_rng(SPLIT_SEED).permutation(len(pixels))
        images = torch.from_numpy(pixels[order]).unsqueeze(1)
        held_out = int(np.ceil(self.validation_fraction * len(images)))
        train, val = split_validation(images, held_out)
        return train, val, val


def read_grey(root: str) -> np.ndarray:
    """Return grey images of one size, uint8 (n, h, w); raises `InputError` for any others."""
    images = read_images(root)
    if images.spec.channels != GREY:
        raise InputError(f"{root}: holds RGB images; models are trained with grey ones")
    return images.pixels


def load_mnist(root: str, train: bool) -> Tensor:
    """Return MNIST's 60,000 training or 10,000 test images from `root`/MNIST/raw.

    They are uint8 (n, 1, 28, 28). Raises `InputError` if they are not there or damaged.
    """
    try:
        return MNIST(root, train=train).data.unsqueeze(1)
    except (
        Exception
    ) as error:  # torchvision asserts, indexes and reshapes its way through the files
        raise _no_mnist(root, error) from error


def split_validation(images: Tensor, held_out: int) -> tuple[Tensor, Tensor]:
    """Cut off the last `held_out` of `images`; for 0, validate on the last 2,000 trained with.

    Raises `InputError` if nothing remains to train with.
    """
    if not 0 <= held_out < len(images):
        raise InputError(
            f"validation would hold out {held_out} of {len(images)} images: "
            "it must leave at least one to train with"
        )
    return images[: len(images) - held_out], images[-(held_out or 2000) :]


def _no_mnist(root: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(
        f"{root}: no readable MNIST there; pass --data.root=FOLDER, the folder that "
        f"has MNIST/raw in it, or allow the download ({reason})"
    )
