"""Finds the quality of lossy coding that meets a target."""

import io
import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np

from recvae.codec.codec import MAX_QUALITY, Codec
from recvae.codec.compression import DEFAULT_EFFORT
from recvae.codec.image_coder import Pixels
from recvae.codec.sources import ImageSource, images_for
from recvae.errors import InputError
from recvae.images import ImageStream
from recvae.images.psnr import BEST_PSNR, psnr_db
from recvae.images.spec import GREY, ImageSpec

MOST_IMAGES, MOST_PIXELS = 64, 1 << 24  # coded in a search: an evenly spaced sample of more


@dataclass(frozen=True)
class FoundQuality:
    """The result of a search.

    Fields:
        quality: 1 to 100.
        num_images: number of images coded to find it.
        bits_per_pixel: of a file of these images.
        psnr_db: their mean PSNR; None if the target was a rate, which needs no decoding.
    """

    quality: int
    num_images: int
    bits_per_pixel: float
    psnr_db: float | None


def find_quality(
    codec: Codec,
    images: ImageSource,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    group_size: int | None = None,
    effort: int = DEFAULT_EFFORT,
    channels: int = GREY,
) -> FoundQuality:
    """Find the quality that meets one of two targets, by coding to memory and decoding.

    It assumes that rate and PSNR grow with quality, and codes seven files. Of more than 64 images,
    or 16 megapixels, it codes a sample: every second, fourth, ... image.

    Args:
        codec: a codec with a lossy model.
        images: as in `Codec.compress_to`; read once.
        target_bpp: bits per pixel of the file: finds the highest quality that takes no more.
        target_psnr: mean over the images in dB, at most 100: finds the lowest quality that reaches
            it.
        group_size, effort, channels: as in `Codec.compress_to`.

    Raises InputError for a target that no quality meets, and unless exactly one is given.
    """
    targets = {"bpp": target_bpp, "psnr": target_psnr}
    given = {name: target for name, target in targets.items() if target is not None}
    if len(given) != 1:
        raise InputError("pass one target, either bits per pixel or PSNR")
    ((kind, target),) = given.items()
    most = BEST_PSNR if kind == "psnr" else math.inf
    if not (0 < target <= most and math.isfinite(target)):
        limit = f", at most {most:g}" if kind == "psnr" else ""
        raise InputError(f"target {kind} is {target}: it must be a number above 0{limit}")
    codec.model.with_quality(1)  # raises at once if it has none
    sample = _sample(images_for(codec.model, images, channels).chunks)
    if not sample:
        raise InputError("there are no images to find a quality for")

    @cache
    def measured(quality: int) -> FoundQuality:
        stream = io.BytesIO()
        how = {"group_size": group_size, "effort": effort, "quality": quality}
        report = codec.compress_to(stream, _stream(sample), **how)  # type: ignore[arg-type]
        psnr = _mean_psnr_db(codec, sample, stream.getvalue()) if kind == "psnr" else None
        return FoundQuality(quality, len(sample), report.bits_per_pixel, psnr)

    def is_above(quality: int) -> bool:
        """Whether a quality gives more bits than the target, or as many decibels."""
        found = measured(quality)
        return found.bits_per_pixel > target if found.psnr_db is None else found.psnr_db >= target

    first_above = 1 + bisect_left(range(1, MAX_QUALITY + 1), True, key=is_above)
    quality = first_above - 1 if kind == "bpp" else first_above
    if quality < 1:
        least = measured(1).bits_per_pixel
        raise InputError(f"target bpp is {target}: quality 1 takes {least:.4f} bits per pixel")
    if quality > MAX_QUALITY:
        best = measured(MAX_QUALITY).psnr_db
        raise InputError(f"target psnr is {target}: quality {MAX_QUALITY} gives {best:.2f} dB")
    return measured(quality)


def _sample(chunks: Iterable[Pixels]) -> list[Pixels]:
    """An evenly spaced sample of images, not empty if there are any."""
    kept: list[Pixels] = []
    step = 1
    for number, image in enumerate(image for chunk in chunks for image in chunk):
        if number % step == 0:
            kept.append(image.copy())
        while len(kept) > MOST_IMAGES or (len(kept) > 1 and _pixels(kept) > MOST_PIXELS):
            kept, step = kept[::2], 2 * step
    return kept


def _pixels(images: list[Pixels]) -> int:
    return sum(image.shape[0] * image.shape[1] for image in images)


def _stream(images: list[Pixels]) -> ImageStream:
    """Single images as a stream."""
    specs = (ImageSpec.from_shape((1, *image.shape)) for image in images)
    runs = tuple((spec, len(list(same))) for spec, same in groupby(specs))
    return ImageStream(runs, (image[None] for image in images))


def _mean_psnr_db(codec: Codec, images: list[Pixels], data: bytes) -> float:
    with codec.open(data) as decoded:
        pairs = zip(images, decoded, strict=True)
        return float(np.mean([psnr_db(image[None], back[None])[0] for image, back in pairs]))
