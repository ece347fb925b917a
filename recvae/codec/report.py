"""Where the bits of a file go."""

import math
from dataclasses import dataclass
from typing import Any

from recvae.codec.container import ContainerSizes


@dataclass(frozen=True)
class CompressionReport:
    """Where the bits of a file go.

    Fields:
        num_images, num_pixels: what was coded.
        sizes: bytes of the container's parts; `sizes.total` is the file.
        bins_bits, ranks_bits: of the latents, summed over images.
        pixels_bits: given the latents.
        stored_bits: of images stored as they are, and of the symbols that tell which.
        kl_bits: KL[q(z|x) || p(z)], what bins and ranks cost at least.
        resumed_images: how many of the images an interrupted run before this one had coded.
    """

    num_images: int
    num_pixels: int
    sizes: ContainerSizes
    bins_bits: float
    ranks_bits: float
    pixels_bits: float
    stored_bits: float
    kl_bits: float
    resumed_images: int = 0

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the whole file over the number of pixels; NaN for no images."""
        return 8 * self.sizes.total / self.num_pixels if self.num_pixels else math.nan

    @property
    def container_bits(self) -> float:
        """All that is neither latents nor pixels, the range coder's endings included."""
        coded = self.bins_bits + self.ranks_bits + self.pixels_bits + self.stored_bits
        return 8 * self.sizes.total - coded

    def facts(self) -> dict[str, Any]:
        """As plain numbers; where the bits go in bits per pixel."""
        pixels = max(self.num_pixels, 1)
        return {
            "images": self.num_images,
            "resumed_images": self.resumed_images,
            "bytes_in": self.num_pixels,
            "bytes_out": self.sizes.total,
            "bits_per_pixel": round(self.bits_per_pixel, 5) if self.num_pixels else None,
            "bins_bpp": round(self.bins_bits / pixels, 5),
            "ranks_bpp": round(self.ranks_bits / pixels, 5),
            "pixels_bpp": round((self.pixels_bits + self.stored_bits) / pixels, 5),
            "container_bpp": round(self.container_bits / pixels, 5),
        }
