"""Chooses the shipped model that codes images without loss in the fewest bytes."""

from dataclasses import replace
from itertools import chain

import numpy as np

from recvae.codec.codec import Codec
from recvae.codec.models import load_model, lossless_models
from recvae.images import ImageStream
from recvae.images.spec import GREY

SAMPLE = 64
"""At most this many images are coded to compare models."""


def fitting_codec(images: ImageStream, device: str, batch_size: int) -> tuple[Codec, ImageStream]:
    """The codec whose model suits the images best, and the images, from the first one on.

    Where several models are candidates, each codes the first images. Raises InputError as `Codec`
    and the images do.
    """
    names = lossless_models(spec for spec, _ in images.runs)
    models = [load_model(name) for name in names]
    if device == "cuda":  # which models for the CPU alone refuse
        models = [model for model in models if not model.cpu_only] or models
    codecs = [Codec(model, device, batch_size) for model in models]
    if len(codecs) == 1:
        return codecs[0], images
    first: list[np.ndarray] = []
    sample: list[np.ndarray] = []
    wanted = SAMPLE
    while wanted > 0 and (chunk := next(images.chunks, None)) is not None:
        first.append(chunk)
        sample.append(chunk[:wanted])
        wanted -= len(chunk)
    best = min(codecs, key=lambda codec: sum(_file_bytes(codec, chunk) for chunk in sample))
    return best, replace(images, chunks=chain(first, images.chunks))


def _file_bytes(codec: Codec, images: np.ndarray) -> int:
    return len(codec.compress(images, channels=images.shape[3] if images.ndim == 4 else GREY))
