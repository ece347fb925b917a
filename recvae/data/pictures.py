"""Pictures to train on: colour, of any size, as random crops."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from recvae.data.batches import OrderedBatches, mix_seeds
from recvae.data.datamodule import SPLIT_SEED
from recvae.errors import InputError
from recvae.images import image_stream
from recvae.images.spec import GREY, RGB


class PictureDataModule(pl.LightningDataModule):
    """Uint8 batches (batch_size, 3, crop, crop) of a folder of pictures or a .npy file.

    A random `validation_fraction` of the pictures, the same in every run, is held out; validation
    takes the middle of each.

    Args:
        root: a folder of pictures, one picture, or a .npy file (n, h, w) or (n, h, w, 3); grey ones
            count as colour.
        batch_size: crops per batch.
        crop: side of the crops, pixels.
        shift: a picture is reflected at its borders by so many pixels before it is cropped.
        reduce: photographs that were JPEGs are reduced by this factor, which leaves no trace of
            their blocks; 1 takes them as they are.
        crops_per_epoch: 0 for one of each picture.
        validation_fraction: of the pictures.
        seed: of order, crops and flips.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 32,
        crop: int = 32,
        shift: int = 4,
        reduce: float = 1.0,
        crops_per_epoch: int = 0,
        validation_fraction: float = 0.03,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= validation_fraction < 1:
            raise InputError(
                f"validation_fraction is {validation_fraction}: it must be at least 0 and below 1"
            )
        if not reduce >= 1:
            raise InputError(f"reduce is {reduce}: it must be at least 1")
        self.root, self.batch_size, self.crop, self.shift = root, batch_size, crop, shift
        self.reduce, self.crops_per_epoch = reduce, crops_per_epoch
        self.validation_fraction, self.seed = validation_fraction, seed

    def setup(self, stage: str | None = None) -> None:
        """Load all pictures into memory, once."""
        if hasattr(self, "train_images"):
            return
        pictures = [
            F.pad(p, (self.shift,) * 4, "reflect") if self.shift else p
            for p in read_pictures(self.root, self.reduce)
        ]
        smallest = min((min(p.shape[1:]) for p in pictures), default=0)
        if smallest < self.crop:
            raise InputError(
                f"{self.root}: holds a picture with a side of {smallest - 2 * self.shift} pixels: "
                f"crop is {self.crop}, pass a smaller one by --data.crop"
            )
        order = np.random.default_rng(SPLIT_SEED).permutation(len(pictures))
        held_out = math.ceil(self.validation_fraction * len(pictures))
        if held_out >= len(pictures):
            raise InputError(f"{self.root}: holds {len(pictures)} pictures: none is left to train")
        self.train_images = [pictures[i] for i in order[: len(pictures) - held_out]]
        self.val_images = torch.stack(
            [_middle(pictures[i], self.crop) for i in order[len(pictures) - (held_out or 100) :]]
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the training pictures and their shapes, in hexadecimal."""
        digest = hashlib.sha256()
        for picture in self.train_images:
            digest.update(repr(tuple(picture.shape)).encode())
            digest.update(picture.contiguous().numpy().data)
        return digest.hexdigest()

    def train_dataloader(self) -> "CropBatches":
        """Return random crops, drawn anew each epoch."""
        return CropBatches(
            self.train_images,
            self.crop,
            self.batch_size,
            self.crops_per_epoch or len(self.train_images),
            self.seed,
            lambda: 0 if self.trainer is None else self.trainer.current_epoch,
        )

    def val_dataloader(self) -> OrderedBatches:
        """Return the validation crops in order."""
        return OrderedBatches(self.val_images, self.batch_size)


class CropBatches:
    """Random crops, half of them mirrored; they depend on `seed` and `epoch()` alone."""

    def __init__(
        self,
        pictures: Sequence[Tensor],
        crop: int,
        batch_size: int,
        count: int,
        seed: int,
        epoch: Callable[[], int],
    ) -> None:
        if not 1 <= batch_size <= count:
            raise InputError(
                f"batch_size is {batch_size}: it must lie between 1 and the {count} crops of an "
                "epoch"
            )
        self.pictures, self.crop, self.batch_size = pictures, crop, batch_size
        self.count, self.seed, self.epoch = count, seed, epoch
        self._next = self._resume = {"epoch": 0, "batch": 0}

    def __len__(self) -> int:
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        epoch = self.epoch()
        first = self._resume["batch"] if self._resume["epoch"] == epoch else 0
        self._resume = {"epoch": epoch, "batch": 0}
        generator = torch.Generator().manual_seed(mix_seeds(self.seed, epoch))
        rounds = math.ceil(self.count / len(self.pictures))
        order = torch.cat(
            [torch.randperm(len(self.pictures), generator=generator) for _ in range(rounds)]
        )
        places = torch.rand((len(order), 2), generator=generator)
        mirrored = torch.rand(len(order), generator=generator) < 0.5
        for batch in range(first, len(self)):
            self._next = {"epoch": epoch, "batch": batch + 1}
            rows = range(batch * self.batch_size, (batch + 1) * self.batch_size)
            yield torch.stack(
                [
                    _crop(self.pictures[int(order[i])], self.crop, places[i], bool(mirrored[i]))
                    for i in rows
                ]
            )

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the batch that comes next in it."""
        return dict(self._next)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next iteration, if it is of the same epoch, begin at that batch."""
        self._next = self._resume = dict(state)


def read_pictures(root: str, reduce: float = 1.0) -> list[Tensor]:
    """Pictures in colour, uint8 (3, h, w) each; `InputError` for what cannot be read."""
    channels = RGB if str(root).endswith(".npy") and _last_axis(root) == RGB else GREY
    pictures = []
    with image_stream(root, channels) as images:
        for pixels in (pixels for chunk in images.chunks for pixels in chunk):
            colour = np.stack([pixels] * RGB, axis=-1) if pixels.ndim == 2 else pixels
            if reduce > 1:
                size = [max(1, round(side / reduce)) for side in colour.shape[1::-1]]
                colour = np.asarray(Image.fromarray(colour).resize(size, Image.Resampling.LANCZOS))
            pictures.append(torch.from_numpy(colour.transpose(2, 0, 1).copy()))
    return pictures


def _last_axis(path: str) -> int:
    try:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (OSError, ValueError):  # which reading it tells better
        return 0
    return shape[3] if len(shape) == 4 else 0


def _middle(picture: Tensor, crop: int) -> Tensor:
    top, left = ((side - crop) // 2 for side in picture.shape[1:])
    return picture[:, top : top + crop, left : left + crop]


def _crop(picture: Tensor, crop: int, place: Tensor, mirrored: bool) -> Tensor:
    top, left = (int(p * (s - crop + 1)) for p, s in zip(place, picture.shape[1:], strict=True))
    part = picture[:, top : top + crop, left : left + crop]
    return part.flip(2) if mirrored else part
