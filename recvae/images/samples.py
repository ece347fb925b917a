"""A few real images that ship with the package.

MNIST by Y. LeCun, C. Cortes and C. J. C. Burges, http://yann.lecun.com/exdb/mnist: the first 500
images of the training set and the first 300 of the test set.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from recvae.images.reading import read_images

_FILES = {
    "train": "train-first500-images-idx3-ubyte.gz",
    "test": "t10k-first300-images-idx3-ubyte.gz",
}


def sample_images(split: Literal["train", "test"] = "test") -> np.ndarray:
    """Return MNIST digits, uint8 (n, 28, 28): 500 for "train", 300 for "test"."""
    return read_images(Path(__file__).with_name("samples") / _FILES[split]).pixels
