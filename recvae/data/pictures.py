"""Pictures to train on: colour, of any size, as random crops."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from recvae.data.batches import CropBatches, NumberedBatches
from recvae.data.training_data import (
    SPLIT_SEED,
    TrainingData,
    check_fraction,
    split_validation,
)
from recvae.errors import InputError
from recvae.images import image_stream
from recvae.images.spec import GREY, RGB

SHOWN = 100  # pictures of the training set to validate on where none are held out


class PictureDataModule(TrainingData):
    """Uint8 batches (batch_size, 3, crop, crop) of pictures of any sizes, grey ones as colour.

    A random `validation_fraction` of the pictures, the same in every run, is held out and also
    serves as test set, each as its centre crop. With 0, training uses all pictures and validation
    up to 100 of them. All pictures are kept in memory.

    Args:
        root: a folder of pictures, one picture, or an array of them; see `read_pictures`.
        batch_size: crops in a batch.
        crop: side of the crops in pixels.
        shift: crops may extend beyond a picture by this many pixels, where it is reflected.
        reduce: factor to reduce the pictures by. Photographs that were JPEGs show blocks, which
            2 or more removes; 1 keeps pictures as they are.
        most_reduced: half of the crops are larger squares, reduced by a random factor up to this:
            they have finer detail than the pictures. 1 disables this.
        crops_per_epoch: crops in an epoch, the same number from each picture; 0 for one from each.
        validation_fraction: fraction of the pictures to hold out.
        seed: for order, crops and flips.
    """

    train_images: list[Tensor]

    def __init__(
        self,
        root: str,
        batch_size: int = 32,
        crop: int = 32,
        shift: int = 4,
        reduce: float = 1.0,
        most_reduced: float = 1.0,
        crops_per_epoch: int = 0,
        validation_fraction: float = 0.03,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        check_fraction(validation_fraction)
        if crop < 1:
            raise InputError(f"crop is {crop}: it must be at least 1 pixel")
        if not 0 <= shift < crop:
            raise InputError(f"shift is {shift}: it must lie between 0 and {crop - 1} pixels")
        if not 1 <= reduce < math.inf:
            raise InputError(f"reduce is {reduce}: it must be at least 1")
        if not 1 <= most_reduced < math.inf:
            raise InputError(f"most_reduced is {most_reduced}: it must be at least 1")
        if crops_per_epoch < 0:
            raise InputError(f"crops_per_epoch is {crops_per_epoch}: it must not be negative")
        self.root, self.crop, self.shift, self.reduce = root, crop, shift, reduce
        self.most_reduced = most_reduced
        self.crops_per_epoch, self.validation_fraction = crops_per_epoch, validation_fraction

    def load(self) -> tuple[list[Tensor], Tensor, Tensor]:
        """Return training pictures (3, h, w), validation crops (n, 3, crop, crop), and these again.

        Raises `InputError` for unreadable input and for pictures smaller than a crop.
        """
        pictures = read_pictures(self.root, self.reduce)
        check_sides(self.root, pictures, self.crop, self.reduce)
        order = np.random.default_rng(SPLIT_SEED).permutation(len(pictures))
        held_out = math.ceil(self.validation_fraction * len(pictures))
        train, val = split_validation([pictures[i] for i in order], held_out, SHOWN)
        middles = middle_crops(val, self.crop)
        return train, middles, middles

    @property
    def examples(self) -> Tensor:
        """The validation crops, which have the size of the training crops."""
        return self.val_images

    def train_batches(self) -> CropBatches:
        """Return random crops, drawn anew each epoch."""
        return CropBatches(
            self.train_images,
            self.crop,
            self.batch_size,
            self.crops_per_epoch or len(self.train_images),
            self.shift,
            self.seed,
            self._epoch,
            self.most_reduced,
        )


class NumberedPictureDataModule(TrainingData):
    """Batches of numbers (batch_size,) and pictures (batch_size, 3, crop, crop), uint8.

    For models with a posterior for each picture: the middles of the first `pictures` pictures,
    never shifted nor mirrored. There is no posterior for others, so validation and test use the
    first 100 of the same.

    Args:
        root: as for `PictureDataModule`.
        pictures: number of pictures to use, the first ones.
        batch_size: pictures in a batch; up to all of them.
        crop: side of the pictures' middles in pixels.
        seed: for the order.
    """

    train_images: Tensor

    def __init__(
        self, root: str, pictures: int, batch_size: int = 64, crop: int = 32, seed: int = 0
    ) -> None:
        super().__init__(batch_size, seed)
        if pictures < 1:
            raise InputError(f"pictures is {pictures}: it must be at least 1")
        self.root, self.pictures, self.crop = root, pictures, crop

    def load(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the pictures (n, 3, crop, crop), and the first of them twice."""
        found = read_pictures(self.root)[: self.pictures]
        if len(found) < self.pictures:
            raise InputError(
                f"{self.root}: holds {len(found)} pictures, fewer than the {self.pictures} of "
                "--data.pictures"
            )
        check_sides(self.root, found, self.crop)
        middles = middle_crops(found, self.crop)
        return middles, middles[:SHOWN], middles[:SHOWN]

    @property
    def examples(self) -> Tensor:
        """The validation pictures."""
        return self.val_images

    def train_batches(self) -> NumberedBatches:
        """Return the pictures in a new order each epoch."""
        return NumberedBatches(self.train_images, self.batch_size, self.seed, self._epoch)

    def val_dataloader(self) -> Any:
        """Return some of the training pictures, in order."""
        numbered = TensorDataset(torch.arange(len(self.val_images)), self.val_images)
        return DataLoader(numbered, self.batch_size)

    test_dataloader = val_dataloader


def read_pictures(root: str, reduce: float = 1.0) -> list[Tensor]:
    """Read pictures in colour, uint8 (3, h, w) each, reduced by a factor of `reduce`.

    `root` is as for `image_stream`; an array whose last axis is 3 is in colour. Raises `InputError`
    for unreadable input, and if there are no pictures.
    """
    with image_stream(root, RGB if _is_colour(root) else GREY) as images:
        if other := next((s for s, _ in images.runs if s.channels not in (GREY, RGB)), None):
            raise InputError(
                f"{root}: holds pictures of {other.kind}; models are trained with grey and RGB ones"
            )
        pictures = [_planes(pixels, reduce) for chunk in images.chunks for pixels in chunk]
    if not pictures:
        raise InputError(f"{root}: holds no pictures to train on")
    return pictures


def check_sides(root: str, pictures: Sequence[Tensor], crop: int, reduce: float = 1.0) -> None:
    """Raise `InputError` if a picture (3, h, w) is smaller than a crop."""
    small = [side for picture in pictures if (side := min(picture.shape[1:])) < crop]
    if small:
        reduced = f", reduced by {reduce:g}," if reduce > 1 else ""
        raise InputError(
            f"{root}: of {len(pictures)} pictures {len(small)}{reduced} have a side below "
            f"{crop} pixels, the smallest {min(small)}: take them out, or pass "
            f"--data.crop {min(small)} or less"
        )


def _is_colour(root: str) -> bool:
    """Whether it is a .npy array with a last axis of 3; other formats state their channels."""
    if not root.endswith(".npy"):
        return False
    try:
        return np.load(root, mmap_mode="r", allow_pickle=False).shape[-1:] == (RGB,)
    except (OSError, ValueError, EOFError):  # reading it reports this better
        return False


def _planes(pixels: np.ndarray, reduce: float) -> Tensor:
    """(h, w) or (h, w, 3) as (3, h, w), reduced."""
    colour = np.stack([pixels] * RGB, axis=-1) if pixels.ndim == 2 else pixels
    if reduce > 1:
        size = [max(1, round(side / reduce)) for side in colour.shape[1::-1]]
        colour = np.asarray(Image.fromarray(colour).resize(size, Image.Resampling.LANCZOS))
    return torch.from_numpy(colour.transpose(2, 0, 1).copy())


def middle_crops(pictures: Sequence[Tensor], crop: int) -> Tensor:
    """The middle squares of pictures (3, h, w) with no shorter side: (n, 3, crop, crop)."""
    return torch.stack([_middle(picture, crop) for picture in pictures])


def _middle(picture: Tensor, crop: int) -> Tensor:
    top, left = ((side - crop) // 2 for side in picture.shape[1:])
    return picture[:, top : top + crop, left : left + crop]
