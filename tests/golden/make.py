"""Write the golden files: `python tests/golden/make.py`. Only for a new model or a new version.

Files of versions that were released are kept for ever: a new one gets a new name.
"""

from pathlib import Path

import numpy as np

import recvae
from recvae.codec import shipped_models
from recvae.data import sample_images


def images() -> np.ndarray:
    """Twenty digits, and one image of each kind that is stored or strange."""
    noise = np.arange(784, dtype=np.uint8).reshape(1, 28, 28) * 37
    flat = np.zeros((2, 28, 28), dtype=np.uint8) + np.array([0, 255], np.uint8)[:, None, None]
    return np.concatenate([sample_images()[:20], noise, flat])


if __name__ == "__main__":
    for name in shipped_models():
        path = Path(__file__).parent / f"v1-{name}.recvae"
        path.write_bytes(recvae.load(name).compress(images(), 8))
