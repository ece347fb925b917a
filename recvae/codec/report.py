"""Where the bits of a file go."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recvae.codec.container import ContainerSizes

KL = "kl"  # among the bits, but not part of the file
STORED, PIXELS = "stored", "pixels"  # reported together


@dataclass(frozen=True)
class CompressionReport:
    """Where the bits of a file go.

    Fields:
        num_images, num_pixels, raw_bytes: the images coded, and their bytes uncompressed.
        sizes: bytes of the container's parts; `sizes.total` is the file.
        bits: ideal code lengths by part, summed over images. For a VAE: `bins` and `ranks` of the
            latents, `pixels` given these, `stored` for images stored as they are and the symbols
            that mark them; `kl`, KL[q(z|x) || p(z)], is the least that bins and ranks cost.
        resumed_images: number of images that were coded by an earlier, interrupted run.
        quality: the quality asked for, in lossy coding.
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
        """Bits outside the parts of images, including the range coder's endings."""
        return 8 * self.sizes.total - sum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """Bits by part of the images, with `stored` counted as pixels."""
        parts = {part: bits for part, bits in self.bits.items() if part not in (KL, STORED)}
        if PIXELS in parts or STORED in self.bits:
            parts[PIXELS] = parts.get(PIXELS, 0.0) + self.bits.get(STORED, 0.0)
        return parts

    def as_dict(self) -> dict[str, Any]:
        """The report as plain numbers; parts are in bits per pixel."""
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
