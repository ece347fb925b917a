"""What an image is made of: size, channels, levels."""

from collections.abc import Sequence
from dataclasses import dataclass

GREY, RGB = 1, 3
MAX_SIDE = 65535  # pixels: what the file format can say


@dataclass(frozen=True)
class ImageSpec:
    """Size and values of an image.

    Fields:
        height, width: in pixels, at least 1.
        channels: 1, grey, or 3: red, green, blue.
        levels: how many values a pixel can take in each channel: 0 to levels - 1; at most 256.

    Raises ValueError for anything else.
    """

    height: int
    width: int
    channels: int = GREY
    levels: int = 256

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"an image of {self.height} x {self.width} pixels has none")
        if self.channels not in (GREY, RGB):
            raise ValueError(f"channels: {self.channels}, must be {GREY} or {RGB}")
        if not 1 <= self.levels <= 256:
            raise ValueError(f"levels: {self.levels}, must be 1 to 256")

    def __str__(self) -> str:
        return f"{self.height} × {self.width}{' RGB' * (self.channels == RGB)}"

    @classmethod
    def of(cls, shape: Sequence[int], channels: int = GREY) -> "ImageSpec":
        """The spec of images in an array (..., height, width) or, of RGB, (..., height, width, 3).

        Raises ValueError if the last axis does not hold the channels of RGB.
        """
        if channels == RGB:
            if len(shape) < 3 or shape[-1] != RGB:
                raise ValueError(f"has shape {tuple(shape)}, not (..., height, width, {RGB})")
            return cls(shape[-3], shape[-2], RGB)
        return cls(shape[-2], shape[-1], channels)

    @classmethod
    def from_shape(cls, shape: Sequence[int]) -> "ImageSpec":
        """The spec of images in an array (n, height, width) or (n, height, width, 3).

        Within the package grey images have no axis of channels, so that three axes are grey and
        four RGB. What comes from outside says by an argument which it means.
        """
        return cls.of(shape, GREY if len(shape) == 3 else RGB)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an array that holds one image: (height, width) or, of RGB, (height, width, 3)."""
        size = (self.height, self.width)
        return size if self.channels == GREY else (*size, self.channels)

    @property
    def num_pixels(self) -> int:
        """Height times width."""
        return self.height * self.width

    @property
    def raw_bytes(self) -> int:
        """Bytes of an image as it is, one for each channel of each pixel."""
        return self.num_pixels * self.channels
