"""Pictures beside their decoded versions by codecs at the same size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recvae.codec import Codec
from recvae.experiments.pictures import ours
from recvae.experiments.pictures.classical import (
    RGB,
    ClassicalCodec,
    fit_to_bytes,
    payload_bytes,
)
from recvae.experiments.pictures.images import mean_psnr_db, num_pixels

QUALITIES = tuple(range(101))  # of JPEG, WebP and AVIF
RIVALS = ("JPEG", "WebP", "AVIF")


@dataclass(frozen=True)
class Decoded:
    """Some images as decoded by a codec.

    Fields:
        name: name of the codec.
        images: decoded images.
        bits_per_pixel: of all images together.
        psnr_db: mean over images.
    """

    name: str
    images: list[RGB]
    bits_per_pixel: float
    psnr_db: float


@dataclass(frozen=True)
class Examples:
    """Images of one size, and for each rate their decoded versions, ours first."""

    images: list[RGB]
    rates: list[list[Decoded]]


def make_examples(
    codec: Codec,
    images: list[RGB],
    qualities: Sequence[int],
    effort: int,
    classics: Sequence[ClassicalCodec],
    whole: bool,
) -> Examples:
    """Code at some qualities, and each image by each other codec in at most as many bytes.

    Args:
        codec: ours.
        images: images of one size.
        qualities: our qualities.
        effort: our effort.
        classics: codecs to choose `RIVALS` from.
        whole: whether to count whole files, else payloads: for ours, the images' streams.
    """
    rivals = [classic for classic in classics if classic.name in RIVALS]
    if whole:
        rivals = [replace(rival, payload=None) for rival in rivals]
    rates = []
    for quality in qualities:
        file = ours.encode(codec, images, quality, effort)
        sizes = ours.one_file_each(file) if whole else ours.stream_bytes(file)
        columns = [_decoded("ours", images, ours.decode(codec, file), sizes)]
        columns += [_fitted(rival, images, sizes) for rival in rivals]
        rates.append(columns)
    return Examples(images, rates)


def crop(image: RGB, top: int, left: int, side: int) -> RGB:
    """A square crop of an image, moved or shrunk to fit inside it."""
    top, left = (
        max(min(start, length - side), 0)
        for start, length in zip((top, left), image.shape[:2], strict=True)
    )
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def difference(image: RGB, decoded: RGB, gain: int) -> RGB:
    """The decoded image minus the original, amplified; grey where they are equal."""
    apart = decoded.astype(np.int64) - image
    return np.clip(128 + gain * apart, 0, 255).astype(np.uint8)


def _fitted(codec: ClassicalCodec, images: list[RGB], sizes: Sequence[int]) -> Decoded:
    files = [
        fit_to_bytes(codec, image, size, QUALITIES)
        for image, size in zip(images, sizes, strict=True)
    ]
    taken = [payload_bytes(codec, file) for file in files]
    return _decoded(_name(codec), images, [codec.decode(file) for file in files], taken)


def _name(codec: ClassicalCodec) -> str:
    return codec.name if codec.payload is None else f"{codec.name} payload"


def _decoded(name: str, images: list[RGB], decoded: list[RGB], sizes: Sequence[int]) -> Decoded:
    bits_per_pixel = 8 * sum(sizes) / num_pixels(images)
    return Decoded(name, decoded, bits_per_pixel, mean_psnr_db(images, decoded))
