"""What images a caller gives: arrays, tensors, iterables, streams; checked on their way."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.errors import InputError
from recvae.images import ImageStream
from recvae.images.spec import GREY, MAX_SIDE, RGB, ImageSpec

ImageSource = Pixels | Tensor | Iterable[Pixels] | ImageStream
"""Images, uint8: an array or a tensor (n, height, width) or, of RGB, (n, height, width, 3); an
iterable of such arrays or of single images; or a stream."""


@dataclass(frozen=True)
class GivenImages:
    """Images for a coder.

    Fields:
        spec: of the first one.
        one_spec: whether that is known to be the spec of all.
        chunks: uint8 arrays of one spec each, to be taken once; InputError where one does not fit.
        count: how many images there are, if that is known.
    """

    spec: ImageSpec
    one_spec: bool
    chunks: Iterator[Pixels]
    count: int | None = None


def images_for(coder: ImageCoder, source: ImageSource, channels: int = GREY) -> GivenImages:
    """What a coder is to code; `channels`, 1 or 3, says what the last axis of arrays is.

    Raises InputError where the first images do not fit, the chunks where later ones do not.
    """
    if channels not in (GREY, RGB):
        raise InputError(f"channels is {channels!r}: it must be {GREY} or {RGB}")
    if isinstance(source, ImageStream):
        _check_stream(coder, source)
        checked = (_checked(coder, chunk) for chunk in source.chunks)
        return GivenImages(source.runs[0][0], source.spec is not None, checked, source.count)
    if isinstance(source, np.ndarray | Tensor):
        batch = _batch(coder, source, channels)
        spec, chunk = ImageSpec.from_shape(batch.shape), _checked(coder, batch)
        return GivenImages(spec, True, iter([chunk]), len(batch))
    chunks = (_checked(coder, _batch(coder, array, channels)) for array in source)
    if coder.spec:
        return GivenImages(ImageSpec.from_shape((0, *coder.spec.shape)), True, chunks)
    first = next(chunks, None)
    spec = ImageSpec(1, 1, channels) if first is None else ImageSpec.from_shape(first.shape)
    return GivenImages(spec, first is None, chunks if first is None else chain([first], chunks))


def _check_stream(coder: ImageCoder, source: ImageStream) -> None:
    """Raise InputError unless the coder takes all of its images."""
    if coder.spec is None:
        for spec, _ in source.runs:
            _check_side(spec, source.source)
        return
    spec = ImageSpec.from_shape(source.shape)
    try:
        coder.check(spec, source.count)
    except InputError as error:
        if spec.channels == coder.spec.channels:
            raise
        raise InputError(f"{source.source}: {error}") from error


def _check_side(spec: ImageSpec, name: str) -> None:
    if max(spec.height, spec.width) > MAX_SIDE:
        raise InputError(f"{name}: an image of {spec} pixels; a side is at most {MAX_SIDE}")


def _batch(coder: ImageCoder, array: Any, channels: int) -> NDArray[Any]:
    """Images with the axes that `channels` says; InputError if the array has others."""
    if isinstance(array, Tensor):
        array = array.cpu().numpy()
    if not isinstance(array, np.ndarray):
        raise InputError(f"images are {type(array).__name__}: give arrays of uint8")
    axes = 3 if channels == GREY else 4
    if array.ndim == axes - 1 and not coder.spec:
        array = array[None]
    has_pixels = 0 not in array.shape[1:]
    if array.ndim == axes and has_pixels and (channels == GREY or array.shape[-1] == RGB):
        return array
    if coder.spec:
        expected = ", ".join(map(str, coder.spec.shape))
        raise InputError(
            f"images have shape {array.shape}: model {coder.name!r} codes (n, {expected}); train a "
            "model for other sizes"
        )
    hint = ": pass channels=3 if the last axis is colour" if array.shape[-1:] == (RGB,) else ""
    expected = "(n, height, width)" if channels == GREY else "(n, height, width, 3)"
    raise InputError(f"images have shape {array.shape}, not {expected}{hint}")


def _checked(coder: ImageCoder, pixels: NDArray[Any]) -> Pixels:
    if pixels.dtype != np.uint8:
        raise InputError(f"images are {pixels.dtype}: they must be uint8; convert them first")
    spec = ImageSpec.from_shape(pixels.shape)
    coder.check(spec, len(pixels))
    _check_side(spec, "images")
    levels = coder.spec.levels if coder.spec else 256
    if levels < 256 and pixels.size and (brightest := int(pixels.max())) >= levels:
        raise InputError(
            f"images have pixels of {brightest}: model {coder.name!r} codes {levels} grey "
            f"levels, 0 to {levels - 1}"
        )
    return pixels
