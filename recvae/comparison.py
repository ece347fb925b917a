"""Compares a .recvae file with given images: equality, or PSNR for lossy models."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from recvae.codec import CompressedImages
from recvae.codec.image_coder import Pixels
from recvae.errors import InputError
from recvae.images import ImageStream, default_names, regroup
from recvae.images.psnr import psnr_db
from recvae.images.stream import Runs, images_at_once
from recvae.wording import sizes_in_words

COMPARED_BYTES = 1 << 24  # of images, compared at a time


def compare(
    images: CompressedImages, decoded: Iterator[Pixels], against: ImageStream, against_name: str
) -> list[float]:
    """The PSNR of each image in dB; 100 if equal.

    Raises InputError if number, sizes or names differ and, unless the model is lossy, at the first
    image that differs.
    """
    name = images.reader.name
    if _shapes(images.runs()) != _shapes(against.runs):
        got, expected = sizes_in_words(images.runs(), ""), sizes_in_words(against.runs, "")
        raise InputError(
            f"{name}: holds {len(images)} images of {got}, {against_name} {against.count} of "
            f"{expected}"
        )
    kept = images.names or default_names(len(images)) if against.names else None
    if kept != against.names:
        raise InputError(f"{name}: holds other file names than {against_name}")
    decibels: list[float] = []
    at_once = min(1024, *(images_at_once(spec, COMPARED_BYTES) for spec, _ in against.runs))
    pairs = zip(regroup(decoded, at_once), regroup(against.chunks, at_once), strict=True)
    for ours, theirs in pairs:
        same = (ours == theirs).reshape(len(ours), -1).all(axis=1)
        if not (images.model.lossy or same.all()):
            first = len(decibels) + int(np.flatnonzero(~same)[0])
            raise InputError(f"{name}: image {first} differs from {against_name}")
        decibels += psnr_db(ours, theirs).tolist()
    return decibels


def _shapes(runs: Runs) -> list[tuple[tuple[int, ...], int]]:
    """Runs of images of the same shape: specs without their levels."""
    return [
        (shape, sum(count for _, count in same))
        for shape, same in groupby(runs, key=lambda run: run[0].shape)
    ]
