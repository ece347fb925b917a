"""Where the bits of a file go."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recvae.codec.container import ContainerSizes

KL = "kl"  # among bits by part, but no part of the file
STORED, PIXELS = "stored", "pixels"  # told together


@dataclass(frozen=True)
class CompressionReport:
    """Where the bits of a file go.

    Fields:
        num_images, num_pixels, raw_bytes: what was coded; bytes as the pixels are.
        sizes: bytes of the container's parts; `sizes.total` is the file.
        bits: ideal code lengths by part, summed over images. Of a VAE: `bins` and `ranks` of the
            latents, `pixels` given these, `stored` of images stored as they are and of the symbols
            that tell which; `kl`, KL[q(z|x) || p(z)], is what bins and ranks cost at least.
        resumed_images: how many of the images an interrupted run before this one had coded.
        quality: that was asked for, of lossy coding.
    """

    num_images: int
    num_pixels: int
    raw_bytes: int
    sizes: ContainerSizes
    bits: Mapping[str, float]
    resumed_images: int = 0
    quality: int | None = None

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the whole file over the number of pixels; NaN for no images."""
        return 8 * self.sizes.total / self.num_pixels if self.num_pixels else math.nan

    @property
    def container_bits(self) -> float:
        """All that is in no part of an image, the range coder's endings included."""
        return 8 * self.sizes.total - sum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """Bits of the parts of the images, those stored among the pixels."""
        parts = {part: bits for part, bits in self.bits.items() if part not in (KL, STORED)}
        if PIXELS in parts or STORED in self.bits:
            parts[PIXELS] = parts.get(PIXELS, 0.0) + self.bits.get(STORED, 0.0)
        return parts

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers; where the bits go in bits per pixel."""
        pixels = max(self.num_pixels, 1)
        return {
            "images": self.num_images,
            "resumed_images": self.resumed_images,
            "bytes_in": self.raw_bytes,
            "bytes_out": self.sizes.total,
            **({} if self.quality is None else {"quality": self.quality}),
            "bits_per_pixel": round(self.bits_per_pixel, 5) if self.num_pixels else None,
            **{f"{part}_bpp": round(bits / pixels, 5) for part, bits in self.parts().items()},
            "container_bpp": round(self.container_bits / pixels, 5),
        }
