"""Whole batches of images cut from one tensor, which spares a loader's work for each item."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recvae.errors import InputError


class ShuffledBatches:
    """Batches (batch_size, 1, height, width) of uint8 `images` (n, 1, height, width), in new order.

    Order and shifts depend on `seed` and on what `epoch()` returns when an iteration begins, on
    nothing else. What remains beyond whole batches is left out: each batch has the same shape.
    `shift` moves each image by up to that many pixels along both axes. Implements Lightning's
    `state_dict` interface, so that training resumed within an epoch goes on with the next batch.
    """

    def __init__(
        self,
        images: Tensor,
        batch_size: int,
        shift: int = 0,
        seed: int = 0,
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        if not 1 <= batch_size <= len(images):
            raise InputError(
                f"batch_size is {batch_size}: it must lie between 1 and the "
                f"{len(images)} training images"
            )
        if not 0 <= shift < min(images.shape[-2:]):
            raise InputError(
                f"shift is {shift}: it must lie between 0 and {min(images.shape[-2:]) - 1} pixels"
            )
        if seed < 0:
            raise InputError(f"seed is {seed}: it must not be negative")
        self.images, self.batch_size, self.shift = images, batch_size, shift
        self.seed, self.epoch = seed, epoch
        self._next = self._resume = {"epoch": 0, "batch": 0}

    def __len__(self) -> int:
        return len(self.images) // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        epoch = self.epoch()
        first = self._resume["batch"] if self._resume["epoch"] == epoch else 0
        self._resume = {"epoch": epoch, "batch": 0}
        generator = torch.Generator().manual_seed(mix_seeds(self.seed, epoch))
        order = torch.randperm(len(self.images), generator=generator)
        bounds = (-self.shift, self.shift + 1)
        offsets = torch.randint(*bounds, (len(self.images), 2), generator=generator)
        for batch in range(first, len(self)):
            self._next = {"epoch": epoch, "batch": batch + 1}
            rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            images = self.images[order[rows]]
            yield shift_images(images, offsets[rows], self.shift) if self.shift else images

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the batch that comes next in it."""
        return dict(self._next)

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next iteration, if it is of the same epoch, begin at that batch."""
        self._next = self._resume = dict(state)


class OrderedBatches:
    """Batches (at most batch_size, 1, height, width) of all `images` (n, 1, height, width)."""

    def __init__(self, images: Tensor, batch_size: int) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}: it must be at least 1")
        self.images, self.batch_size = images, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.images.split(self.batch_size))


def shift_images(images: Tensor, offsets: Tensor, limit: int) -> Tensor:
    """Move each of (batch, 1, height, width) by its row of `offsets` (batch, 2): down and right.

    No offset exceeds `limit` in size; zeros come in where an image leaves.
    """
    height, width = images.shape[-2:]
    padded = F.pad(images[:, 0], (limit, limit, limit, limit))
    rows = limit - offsets[:, :1] + torch.arange(height)  # (batch, height)
    columns = limit - offsets[:, 1:] + torch.arange(width)  # (batch, width)
    items = torch.arange(len(images))
    return padded[items[:, None, None], rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def mix_seeds(seed: int, epoch: int) -> int:
    """A 32-bit seed of both; their sum would give runs with neighbouring seeds the same epochs."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
