"""Distortion between images."""

import numpy as np
from numpy.typing import NDArray

BEST_PSNR = 100.0  # dB, for equal images


def psnr_db(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """PSNR of each image against the other, (n,): 10 log10(255^2 / mean squared error) dB.

    Both are (n, ...) of one shape. At most 100, the value for equal images.
    """
    errors = np.subtract(images, others, dtype=np.float32).reshape(len(images), -1)
    squared = np.square(errors, out=errors).mean(axis=1, dtype=np.float64)
    least = 255**2 / 10 ** (BEST_PSNR / 10)
    return 10 * np.log10(255**2 / np.maximum(squared, least))
