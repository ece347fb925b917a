"""Images from callers: arrays, tensors, iterables and streams, checked as they pass."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from recvae.codec.image_coder import ImageCoder, Pixels
from recvae.errors import InputError
from recvae.images import ImageStream
from recvae.images.spec import GREY, KINDS, MAX_SIDE, RGBA, ImageSpec

if TYPE_CHECKING:
    from torch import Tensor

ImageSource: TypeAlias = "Pixels | Tensor | Iterable[Pixels] | Iterable[Tensor] | ImageStream"
"""Images, uint8: an array or tensor (n, height, width) or (n, height, width, channels), or one
image without n; an iterable of these, such as a DataLoader of images; or a stream."""


@dataclass(frozen=True)
class GivenImages:
    """Images for a coder.

    Fields:
        spec: spec of the first one.
        one_spec: whether all are known to have this spec.
        chunks: uint8 arrays of one spec each, to be consumed once; InputError for one that does not
            fit.
        count: number of images, if known.
        specs: specs of all images, as far as known.
    """

    spec: ImageSpec
    one_spec: bool
    chunks: Iterator[Pixels]
    count: int | None = None
    specs: tuple[ImageSpec, ...] = ()

    @property
    def most_pixels(self) -> int:
        """Pixels of the largest image, or of the first if the others are unknown."""
        return max(spec.num_pixels for spec in (self.spec, *self.specs))


def images_for(coder: ImageCoder, source: ImageSource, channels: int = GREY) -> GivenImages:
    """Prepare images for a coder; `channels`, 2 to 4, states that arrays have an axis for them.

    Raises InputError if the first images do not fit; the chunks raise it for later ones.
    """
    if channels not in KINDS:
        raise InputError(f"channels is {channels!r}: it must be {GREY} to {RGBA}")
    if isinstance(source, ImageStream):
        _check_stream(coder, source)
        checked = (_checked(coder, chunk) for chunk in source.chunks)
        specs = tuple(spec for spec, _ in source.runs)
        return GivenImages(specs[0], source.spec is not None, checked, source.count, specs)
    if isinstance(source, np.ndarray) or _is_tensor(source):
        batch = _batch(coder, source, channels)
        spec, chunk = ImageSpec.from_shape(batch.shape), _checked(coder, batch)
        return GivenImages(spec, True, iter([chunk]), len(batch))
    if isinstance(source, str | PathLike) or not hasattr(source, "__iter__"):
        raise _no_images(source)
    chunks = (_checked(coder, _batch(coder, array, channels)) for array in source)
    if coder.spec:
        return GivenImages(ImageSpec.from_shape((0, *coder.spec.shape)), True, chunks)
    first = next(chunks, None)
    spec = ImageSpec(1, 1, channels) if first is None else ImageSpec.from_shape(first.shape)
    return GivenImages(spec, first is None, chunks if first is None else chain([first], chunks))


def _check_stream(coder: ImageCoder, source: ImageStream) -> None:
    """Raise InputError unless the coder supports all of its images."""
    if coder.spec is None:
        first = 0
        for spec, count in source.runs:
            try:
                _check_side(spec)
                coder.check(spec, count)
            except InputError as error:
                raise InputError(f"{source.source}: {source.name_of(first)}: {error}") from error
            first += count
        return
    spec = ImageSpec.from_shape(source.shape)
    try:
        coder.check(spec, source.count)
    except InputError as error:
        if spec.channels == coder.spec.channels:
            raise
        raise InputError(f"{source.source}: {error}") from error


def _check_side(spec: ImageSpec) -> None:
    if max(spec.height, spec.width) > MAX_SIDE:
        raise InputError(f"an image has {spec} pixels; sides may be at most {MAX_SIDE}")


def _batch(coder: ImageCoder, array: Any, channels: int) -> NDArray[Any]:
    """Check the array's type and axes, for `channels`, and add the axis n if it is missing."""
    if not (isinstance(array, np.ndarray) or _is_tensor(array)):
        raise _no_images(array)
    _check_dtype(array)
    if _is_tensor(array):
        array = array.cpu().numpy()
    axes = 3 if channels == GREY else 4
    if array.ndim == axes - 1 and (not coder.spec or array.shape == coder.spec.shape):
        array = array[None]
    has_pixels = 0 not in array.shape[1:]
    if array.ndim == axes and has_pixels and (channels == GREY or array.shape[-1] == channels):
        return array
    advice = _without_channel(array.shape)
    if coder.spec:
        expected = ", ".join(map(str, coder.spec.shape))
        if channels != coder.spec.channels and array.shape[-1:] == (coder.spec.channels,):
            advice = f"pass channels={coder.spec.channels}"
        advice = advice or "train a model for other sizes"
        raise InputError(
            f"images have shape {array.shape}: model {coder.name!r} codes (n, {expected}); {advice}"
        )
    if (last := array.shape[-1] if array.ndim else GREY) in KINDS and last not in (GREY, channels):
        advice = f"pass channels={last} if the last axis is {KINDS[last]}"
    hint = f": {advice}" if advice else ""
    expected = "(n, height, width)" if channels == GREY else f"(n, height, width, {channels})"
    raise InputError(f"images have shape {array.shape}, not {expected}{hint}")


def _is_tensor(given: object) -> "TypeGuard[Tensor]":
    """Whether it is a tensor, without importing torch."""
    return isinstance(given, getattr(sys.modules.get("torch"), "Tensor", ()))


def _without_channel(shape: tuple[int, ...]) -> str:
    """A hint for removing an axis of one channel, if there is one."""
    if len(shape) != 4 or 1 not in (shape[1], shape[3]):
        return ""
    axis = 1 if shape[1] == 1 else 3
    return f"if axis {axis} is the channel, remove it: images.squeeze({axis})"


def _no_images(given: object) -> InputError:
    advice = ""
    if isinstance(given, str | PathLike):
        advice = ", such as recvae.images.read_images(path).pixels"
    elif isinstance(given, list | tuple):
        advice = "; of a DataLoader with labels, (images for images, *_ in loader)"
    return InputError(f"images are {type(given).__name__}: pass arrays or tensors of uint8{advice}")


def _check_dtype(array: "NDArray[Any] | Tensor") -> None:
    """Raise InputError unless it is uint8; numpy may not even have the dtype of a tensor."""
    name = str(array.dtype).removeprefix("torch.")
    if name == "uint8":
        return
    advice = "convert them first"
    if "float" in name:
        convert = "to(torch.uint8)" if _is_tensor(array) else "astype(numpy.uint8)"
        advice += f", values of 0 to 1 by (images * 255).round().{convert}"
    raise InputError(f"images are {name}: they must be uint8; {advice}")


def _checked(coder: ImageCoder, pixels: NDArray[Any]) -> Pixels:
    _check_dtype(pixels)
    spec = ImageSpec.from_shape(pixels.shape)
    coder.check(spec, len(pixels))
    _check_side(spec)
    levels = coder.spec.levels if coder.spec else 256
    if levels < 256 and pixels.size and (brightest := int(pixels.max())) >= levels:
        raise InputError(
            f"images have pixels of {brightest}: model {coder.name!r} codes {levels} grey "
            f"levels, 0 to {levels - 1}"
        )
    return pixels
