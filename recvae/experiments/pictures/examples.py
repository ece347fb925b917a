"""Pictures beside what codecs make of them in the same bytes."""

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
    """What a codec makes of some images.

    Fields:
        name: of the codec.
        images: decoded.
        bits_per_pixel: of all images together.
        psnr_db: mean over images.
    """

    name: str
    images: list[RGB]
    bits_per_pixel: float
    psnr_db: float


@dataclass(frozen=True)
class Examples:
    """Images of one size, and for each rate what codecs make of them, ours first."""

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
    """Ours at some qualities, and for each image the best file of each other codec as large.

    Args:
        codec: ours.
        images: of one size.
        qualities: of ours.
        effort: of ours.
        classics: codecs to choose `RIVALS` from.
        whole: whether to count whole files, else payloads: of ours the images' streams.
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
    """A square of an image, moved inwards where it would leave it, smaller where it must be."""
    top, left = (
        max(min(start, length - side), 0)
        for start, length in zip((top, left), image.shape[:2], strict=True)
    )
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def difference(image: RGB, decoded: RGB, gain: int) -> RGB:
    """What was made of an image less the image, amplified; grey where they are alike."""
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
