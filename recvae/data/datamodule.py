"""Images for training: MNIST, and a user's own."""

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets import MNIST

from recvae.data.batches import ShuffledBatches
from recvae.data.training_data import (
    SPLIT_SEED,
    TrainingData,
    check_fraction,
    split_validation,
)
from recvae.errors import InputError
from recvae.images import read_images
from recvae.images.spec import GREY, ImageSpec


class ImageDataModule(TrainingData):
    """Uint8 batches (batch_size, 1, height, width) of what a subclass's `load` returns.

    Training batches all have the same shape; order and shifts depend on `seed` and the epoch.
    """

    train_images: Tensor

    def __init__(self, batch_size: int, shift: int, seed: int) -> None:
        super().__init__(batch_size, seed)
        self.shift = shift

    @property
    def spec(self) -> ImageSpec:
        """The kind of the images."""
        return ImageSpec(*self.train_images.shape[-2:])

    @property
    def examples(self) -> Tensor:
        """All training images."""
        return self.train_images

    def train_batches(self) -> ShuffledBatches:
        """Return the training images, shuffled anew each epoch."""
        return ShuffledBatches(
            self.train_images, self.batch_size, self.shift, self.seed, self._epoch
        )


class MNISTDataModule(ImageDataModule):
    """MNIST, kept in `root`/MNIST/raw and downloaded if it is not there.

    The last `validation_images` of the 60,000 training images are held out. With 0, training uses
    all of them and validation the last 2,000 of them, which says nothing about new images.
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
    """A user's own grey images: a folder of pictures, an idx or a .npy file; see `read_images`.

    A random `validation_fraction` of them, the same in every run, is held out and also serves as
    test set. With 0, training uses all images and validation up to 2,000 of them.
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
        check_fraction(validation_fraction)
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
    """Return grey images of one size, uint8 (n, h, w); raises `InputError` for others."""
    images = read_images(root)
    if images.spec.channels != GREY:
        raise InputError(
            f"{root}: holds {images.spec.kind} images; models are trained with grey ones"
        )
    return images.pixels


def load_mnist(root: str, train: bool) -> Tensor:
    """Return MNIST's 60,000 training or 10,000 test images from `root`/MNIST/raw.

    They are uint8 (n, 1, 28, 28). Raises `InputError` if they are not there or damaged.
    """
    try:
        return MNIST(root, train=train).data.unsqueeze(1)
    except Exception as error:  # torchvision's reader raises all of these
        raise _no_mnist(root, error) from error


def _no_mnist(root: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(
        f"{root}: no readable MNIST there; pass --data.root=FOLDER, where FOLDER contains "
        f"MNIST/raw, or allow the download ({reason})"
    )
