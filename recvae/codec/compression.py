"""A .recvae file in the making: images in, batch by batch; at the end a report."""

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from recvae.codec.container import ContainerWriter, Header
from recvae.codec.report import CompressionReport
from recvae.codec.vae.groups import Bits, encode_groups
from recvae.codec.vae.latents import LatentCodec
from recvae.codec.vae.model import CodecModel

Progress = Callable[[int, int], None]
"""Is told after each batch how many images are done, and the bytes written or read."""


def no_progress(images: int, num_bytes: int) -> None:
    """Tell nobody."""


class Compression:
    """Writes a .recvae file to a buffered binary stream, which need not seek.

    `bits` are the sums that its report tells: of bins, ranks, pixels, stored images and KL.
    `latents` stands in for the model's own; see `encode_groups`.
    """

    def __init__(
        self,
        model: CodecModel,
        stream: BinaryIO,
        group_size: int,
        latents: LatentCodec | None = None,
    ) -> None:
        self.model, self.latents = model, latents
        self.header = Header(model.file_id, *model.image_shape, group_size)
        self.writer = ContainerWriter(stream, self.header)
        self.bits: dict[str, Any] = dict.fromkeys(("bins", "ranks", "pixels", "stored", "kl"), 0.0)

    def add(self, images: NDArray[np.uint8]) -> Bits:
        """Code images (n, height, width), whole groups of them unless they are the last.

        Returns where the bits of each of them go.
        """
        size = self.header.group_size
        groups, bits = encode_groups(self.model, images, size, self.latents)
        for index, payload in enumerate(groups):
            self.writer.add_group(payload, min(size, len(images) - index * size))
        for part in self.bits:
            self.bits[part] += float(getattr(bits, part).sum())
        return bits

    def finish(self, names: Sequence[str] | None = None) -> CompressionReport:
        """Write the index, with a file name for each image if given."""
        height, width = self.model.image_shape
        return CompressionReport(
            num_images=self.writer.num_images,
            num_pixels=self.writer.num_images * height * width,
            sizes=self.writer.finish(names),
            **{f"{part}_bits": total for part, total in self.bits.items()},
        )
