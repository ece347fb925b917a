"""The kind of an image: size, channels, levels."""

from collections.abc import Sequence
from dataclasses import dataclass

GREY, GREY_ALPHA, RGB, RGBA = 1, 2, 3, 4
KINDS = {GREY: "grey", GREY_ALPHA: "grey with alpha", RGB: "RGB", RGBA: "RGB with alpha"}
"""Kinds of images by number of channels; alpha comes last."""
MAX_SIDE = 65535  # pixels: limit of the file format
MAX_PIXELS = 1 << 28  # default limit for reading a picture


@dataclass(frozen=True)
class ImageSpec:
    """Size and values of an image.

    Fields:
        height, width: in pixels, at least 1.
        channels: 1, grey, or 3: red, green, blue; 2 or 4 with alpha after these.
        levels: number of values of a pixel in each channel, 0 to levels - 1; at most 256.

    Raises ValueError for anything else.
    """

    height: int
    width: int
    channels: int = GREY
    levels: int = 256

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"an image of {self.height} x {self.width} pixels is empty")
        if self.channels not in KINDS:
            raise ValueError(f"channels: {self.channels}, must be {GREY} to {RGBA}")
        if not 1 <= self.levels <= 256:
            raise ValueError(f"levels: {self.levels}, must be 1 to 256")

    def __str__(self) -> str:
        kind = "" if self.channels == GREY else f" {self.kind}"
        return f"{self.height} × {self.width}{kind}"

    @classmethod
    def of(cls, shape: Sequence[int], channels: int = GREY) -> "ImageSpec":
        """The spec of images in an array (..., height, width), or (..., height, width, channels).

        There is an axis of channels if there is more than 1. Raises ValueError if its length
        differs from `channels`.
        """
        if channels == GREY:
            return cls(shape[-2], shape[-1])
        if len(shape) < 3 or shape[-1] != channels:
            raise ValueError(f"has shape {tuple(shape)}, not (..., height, width, {channels})")
        return cls(shape[-3], shape[-2], channels)

    @classmethod
    def from_shape(cls, shape: Sequence[int]) -> "ImageSpec":
        """The spec of images in an array (n, height, width) or (n, height, width, channels).

        Within the package grey images have no axis of channels, so that three axes are grey, and
        the last of four holds 2 to 4 channels. Outside arrays need an argument to tell. Raises
        ValueError for other shapes.
        """
        if len(shape) == 3:
            return cls.of(shape)
        if len(shape) != 4 or shape[-1] == GREY:
            raise ValueError(f"has shape {tuple(shape)}, not (n, height, width, {GREY_ALPHA} to 4)")
        return cls.of(shape, shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an array with one image: (height, width), or (height, width, channels)."""
        size = (self.height, self.width)
        return size if self.channels == GREY else (*size, self.channels)

    @property
    def kind(self) -> str:
        """Its channels in words."""
        return KINDS[self.channels]

    @property
    def num_pixels(self) -> int:
        """Height times width."""
        return self.height * self.width

    @property
    def raw_bytes(self) -> int:
        """Bytes of an uncompressed image, one for each channel of each pixel."""
        return self.num_pixels * self.channels
