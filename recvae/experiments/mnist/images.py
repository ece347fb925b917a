"""The images on which rows are measured and fitted."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from recvae.errors import InputError
from recvae.images import read_images, sample_images

Split = Literal["train", "test"]
FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
SPLIT_IMAGES = {"train": 60_000, "test": 10_000}
SHUFFLE_SEED = 0


def load_images(root: str | None, split: Split, count: int) -> Tensor:
    """The first `count` images of a shuffled split of MNIST, (count, 28, 28) uint8.

    Without `root`, the package's images. Raises InputError if there is no MNIST below `root`.
    """
    pixels = torch.from_numpy(sample_images(split) if root is None else _read(root, split))
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(SHUFFLE_SEED))
    return pixels[order[:count]]


def fingerprint(root: str | None, split: Split) -> str:
    """Identifies a set and its order: the start of the SHA-256 of the shuffled pixels."""
    pixels = load_images(root, split, SPLIT_IMAGES[split]).numpy()
    return hashlib.sha256(pixels.tobytes()).hexdigest()[:16]


def _read(root: str, split: Split) -> np.ndarray:
    folder = Path(root) / "MNIST" / "raw"
    for name in (FILES[split], f"{FILES[split]}.gz"):
        if (folder / name).is_file():
            return read_images(folder / name).pixels
    raise InputError(
        f"{folder / FILES[split]}: no such file; --data.root must be the folder with MNIST/raw"
    )
