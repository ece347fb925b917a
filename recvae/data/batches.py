"""Batches of images cut from one tensor, which saves a loader's work per item."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recvae.errors import InputError


class SeededBatches:
    """Batches drawn anew each epoch; they depend on `seed` and `epoch()` only.

    The remainder of `count` beyond whole batches is left out, so all batches have the same shape.
    Implements Lightning's `state_dict` interface, so that training resumed within an epoch
    continues with the next batch.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int = 0, epoch: Callable[[], int] = lambda: 0
    ) -> None:
        if seed < 0:
            raise InputError(f"seed is {seed}: it must not be negative")
        self.count, self.batch_size = count, batch_size
        self.seed, self.epoch = seed, epoch
        self._next = self._resume = {"epoch": 0, "batch": 0}

    def draw(self, generator: torch.Generator) -> Callable[[slice], Any]:
        """Draw an epoch; return a function that makes a batch from a slice of its `count` items."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[Any]:
        epoch = self.epoch()
        first = self._resume["batch"] if self._resume["epoch"] == epoch else 0
        self._resume = {"epoch": epoch, "batch": 0}
        batch_of = self.draw(torch.Generator().manual_seed(mix_seeds(self.seed, epoch)))
        for batch in range(first, len(self)):
            self._next = {"epoch": epoch, "batch": batch + 1}
            yield batch_of(slice(batch * self.batch_size, (batch + 1) * self.batch_size))

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the batch that comes next in it."""
        return dict(self._next)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next iteration at that batch if it is in the same epoch."""
        self._next = self._resume = dict(state)


class ShuffledBatches(SeededBatches):
    """Batches (batch_size, 1, height, width) of uint8 `images` (n, 1, height, width), shuffled.

    `shift` moves each image by up to that many pixels along both axes.
    """

    def __init__(
        self,
        images: Tensor,
        batch_size: int,
        shift: int = 0,
        seed: int = 0,
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        _check_batch_size(batch_size, len(images))
        if not 0 <= shift < min(images.shape[-2:]):
            raise InputError(
                f"shift is {shift}: it must lie between 0 and {min(images.shape[-2:]) - 1} pixels"
            )
        super().__init__(len(images), batch_size, seed, epoch)
        self.images, self.shift = images, shift

    def draw(self, generator: torch.Generator) -> Callable[[slice], Tensor]:
        """Draw order and shifts."""
        order = torch.randperm(self.count, generator=generator)
        bounds = (-self.shift, self.shift + 1)
        offsets = torch.randint(*bounds, (self.count, 2), generator=generator)

        def batch(places: slice) -> Tensor:
            images = self.images[order[places]]
            return shift_images(images, offsets[places], self.shift) if self.shift else images

        return batch


class CropBatches(SeededBatches):
    """Batches (batch_size, 3, crop, crop) of random crops of uint8 pictures (3, h, w).

    An epoch takes `count` crops, the same number from each picture, half of them mirrored. Crops
    may extend beyond a picture by `shift` pixels, where it is reflected. No side may be below
    `crop`. With `most_reduced` above 1, half of the crops are larger squares, as far as the picture
    allows, reduced by a factor up to that.
    """

    def __init__(
        self,
        pictures: Sequence[Tensor],
        crop: int,
        batch_size: int,
        count: int,
        shift: int = 0,
        seed: int = 0,
        epoch: Callable[[], int] = lambda: 0,
        most_reduced: float = 1.0,
    ) -> None:
        if not 1 <= batch_size <= count:
            raise InputError(
                f"batch_size is {batch_size}: it must lie between 1 and the {count} crops of an "
                "epoch, see crops_per_epoch"
            )
        super().__init__(count, batch_size, seed, epoch)
        self.pictures, self.crop, self.shift = pictures, crop, shift
        self.most_reduced = most_reduced

    def draw(self, generator: torch.Generator) -> Callable[[slice], Tensor]:
        """Draw pictures, positions and mirroring."""
        rounds = math.ceil(self.count / len(self.pictures))
        order = torch.cat(
            [torch.randperm(len(self.pictures), generator=generator) for _ in range(rounds)]
        )
        places = torch.rand((len(order), 2), generator=generator)
        mirrored = torch.rand(len(order), generator=generator) < 0.5
        factors = torch.ones(len(order))
        if self.most_reduced > 1:
            exponents = 2 * torch.rand(len(order), generator=generator) - 1
            factors = self.most_reduced ** exponents.clamp(min=0)

        def crop(index: int) -> Tensor:
            picture = self.pictures[int(order[index])]
            side = min(int(self.crop * factors[index]), *picture.shape[1:])
            part = crop_at(picture, max(side, self.crop), self.shift, places[index])
            part = reduced(part, self.crop)
            return part.flip(2) if mirrored[index] else part

        return lambda rows: torch.stack([crop(index) for index in range(rows.start, rows.stop)])


class NumberedBatches(SeededBatches):
    """Batches of numbers (batch_size,) and those of uint8 `images` (n, c, h, w), shuffled."""

    def __init__(
        self, images: Tensor, batch_size: int, seed: int = 0, epoch: Callable[[], int] = lambda: 0
    ) -> None:
        _check_batch_size(batch_size, len(images))
        super().__init__(len(images), batch_size, seed, epoch)
        self.images = images

    def draw(self, generator: torch.Generator) -> Callable[[slice], tuple[Tensor, Tensor]]:
        """Draw the order."""
        order = torch.randperm(self.count, generator=generator)
        return lambda places: (order[places], self.images[order[places]])


def _check_batch_size(batch_size: int, images: int) -> None:
    if not 1 <= batch_size <= images:
        raise InputError(
            f"batch_size is {batch_size}: it must lie between 1 and the {images} training images"
        )


class OrderedBatches:
    """Batches (at most batch_size, c, height, width) of all `images` (n, c, height, width)."""

    def __init__(self, images: Tensor, batch_size: int) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}: it must be at least 1")
        self.images, self.batch_size = images, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.images.split(self.batch_size))


def shift_images(images: Tensor, offsets: Tensor, limit: int) -> Tensor:
    """Shift each image (batch, 1, height, width) by its `offsets` (batch, 2): down and right.

    No offset exceeds `limit` in magnitude; vacated pixels are zero.
    """
    height, width = images.shape[-2:]
    padded = F.pad(images[:, 0], (limit, limit, limit, limit))
    rows = limit - offsets[:, :1] + torch.arange(height)  # (batch, height)
    columns = limit - offsets[:, 1:] + torch.arange(width)  # (batch, width)
    items = torch.arange(len(images))
    return padded[items[:, None, None], rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def reduced(picture: Tensor, side: int) -> Tensor:
    """Reduce a square (c, h, h) of uint8, h >= `side`, to that side."""
    if picture.shape[1] == side:
        return picture
    smaller = F.interpolate(picture[None].float(), side, mode="bicubic", antialias=True)[0]
    return smaller.round().clamp(0, 255).to(torch.uint8)


def crop_at(picture: Tensor, crop: int, shift: int, place: Tensor) -> Tensor:
    """A square crop of `picture` (c, h, w), which is reflected at its borders by `shift` pixels.

    `place` (2,) gives its position between the first and the last row and column, in [0, 1).
    """
    rows, columns = (
        _reflected(int(p * (side + 2 * shift - crop + 1)) - shift, crop, side)
        for p, side in zip(place, picture.shape[1:], strict=True)
    )
    return picture[:, rows[:, None], columns]


def _reflected(start: int, count: int, side: int) -> Tensor:
    """Positions start, start + 1, ... folded back into 0 to side - 1."""
    positions = torch.arange(start, start + count).abs()
    return torch.minimum(positions, 2 * (side - 1) - positions)


def mix_seeds(seed: int, epoch: int) -> int:
    """A 32-bit seed from both; a sum would repeat epochs in runs with neighbouring seeds."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
