"""-ELBO of the test images, the reference for every row of a model."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec import CodecModel
from recvae.codec.vae.elbo import negative_elbo_bits
from recvae.errors import InputError
from recvae.experiments.running import write_files
from recvae.files import translate_os_errors
from recvae.vae.information import posterior


@dataclass(frozen=True)
class Bound:
    """Lower bounds of images in bits, (n,) float64 each.

    Fields:
        bits: -ELBO, with one true posterior sample an image.
        pixel_bits: its part for the pixels, given that sample.
    """

    bits: NDArray[np.float64]
    pixel_bits: NDArray[np.float64]


def cached_bound(
    model: CodecModel, images: Tensor, test_set: str, seed: int, folder: Path
) -> Bound:
    """-ELBO of images, cached in a file of the folder for rows of the same images or fewer.

    Images are drawn in order, so a longer run begins with those of a shorter one. `test_set` is the
    fingerprint of the set that they are taken from. Raises InputError for a file that cannot be
    read.
    """
    path = folder / f"{model.name}-{model.hash[:12]}-images-{test_set}-seed-{seed}.npy"
    known = _load(path)
    if known.shape[1] < len(images):
        generator = torch.Generator().manual_seed(seed)
        bits = negative_elbo_bits(model, images, generator=generator)
        kl_bits = posterior(model.encoder, images).kl_bits().sum(1).cpu().numpy()
        known = np.stack([bits, bits - kl_bits])
        stream = io.BytesIO()
        np.save(stream, known)
        with translate_os_errors(path):
            folder.mkdir(parents=True, exist_ok=True)
        write_files({path: stream.getvalue()})
    return Bound(known[0, : len(images)], known[1, : len(images)])


def _load(path: Path) -> NDArray[np.float64]:
    """The contents of a cache file, (2, n); empty if there is none."""
    try:
        return np.load(path) if path.exists() else np.zeros((2, 0))
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path}: cannot be read, delete it") from error
