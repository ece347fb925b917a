"""What an image is made of: size, channels, levels."""

from collections.abc import Sequence
from dataclasses import dataclass

GREY, GREY_ALPHA, RGB, RGBA = 1, 2, 3, 4
KINDS = {GREY: "grey", GREY_ALPHA: "grey with alpha", RGB: "RGB", RGBA: "RGB with alpha"}
"""What images of so many channels are; alpha comes last."""
MAX_SIDE = 65535  # pixels: what the file format can say
MAX_PIXELS = 1 << 28  # of a picture that is read, if the caller sets no other limit


@dataclass(frozen=True)
class ImageSpec:
    """Size and values of an image.

    Fields:
        height, width: in pixels, at least 1.
        channels: 1, grey, or 3: red, green, blue; 2 or 4 if alpha follows these.
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

        The axis of channels is there if they are more than 1. Raises ValueError if its length is
        another number.
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
        the last of four holds 2 to 4 channels. What comes from outside says by an argument which
        it means. Raises ValueError for other shapes.
        """
        if len(shape) == 3:
            return cls.of(shape)
        if len(shape) != 4 or shape[-1] == GREY:
            raise ValueError(f"has shape {tuple(shape)}, not (n, height, width, {GREY_ALPHA} to 4)")
        return cls.of(shape, shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an array that holds one image: (height, width), or (height, width, channels)."""
        size = (self.height, self.width)
        return size if self.channels == GREY else (*size, self.channels)

    @property
    def kind(self) -> str:
        """What its channels are, in words."""
        return KINDS[self.channels]

    @property
    def num_pixels(self) -> int:
        """Height times width."""
        return self.height * self.width

    @property
    def raw_bytes(self) -> int:
        """Bytes of an image as it is, one for each channel of each pixel."""
        return self.num_pixels * self.channels
