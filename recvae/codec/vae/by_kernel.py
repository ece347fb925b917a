"""Pixels given latents, one at a time in kernels: for decoders with a `PixelKernel`.

Symbols may depend on all earlier pixels. Images are coded in threads; a receiver's threads take a
group each, since its images share a range coder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recvae.codec.kernel_range_coder import (
    Intervals,
    KernelRangeDecoder,
    KernelRangeEncoder,
    checking_decoder,
)
from recvae.codec.range_coder import CheckingRangeDecoder, RangeDecoder, RangeEncoder
from recvae.codec.vae.coded_pixels import CodedPixels, PixelCoding, Write
from recvae.codec.vae.parts import VaeParts
from recvae.exact import PRECISION_BITS
from recvae.threads import in_threads, usable_cpus
from recvae.vae.networks.decoder import PixelKernel


class ByKernel(PixelCoding):
    """The kernel of a decoder, with the range coder for kernels."""

    def __init__(self, model: VaeParts, kernel: PixelKernel) -> None:
        self.model, self.kernel = model, kernel

    def new_encoder(self) -> RangeEncoder:
        """See `PixelCoding.new_encoder`."""
        return KernelRangeEncoder()

    def new_decoder(self, data: bytes) -> RangeDecoder:
        """See `PixelCoding.new_decoder`."""
        return KernelRangeDecoder(data)

    def checking_decoder(self, data: bytes) -> CheckingRangeDecoder:
        """See `PixelCoding.checking_decoder`."""
        return checking_decoder(data)

    def code(self, z: Tensor, images: Tensor) -> "CodedIntervals":
        """See `PixelCoding.code`."""
        self.model.trace.begin_batch(z)
        pixels = images.cpu().numpy()
        size = -(-len(pixels) // usable_cpus()) or 1
        parts = [slice(start, start + size) for start in range(0, len(pixels), size)]
        maps = [self.model.decoder.maps(z[part]) for part in parts]
        coded = in_threads(
            lambda part: self.kernel.intervals(*part),
            [(own, pixels[part]) for own, part in zip(maps, parts, strict=True)],
        )
        return CodedIntervals([own for part in coded for own in part])

    def decode(
        self, z: Tensor, decoders: Sequence[RangeDecoder], counts: Sequence[int]
    ) -> NDArray[np.uint8]:
        """See `PixelCoding.decode`."""
        ends = np.cumsum([0, *counts])
        maps = [self.model.decoder.maps(z[start:stop]) for start, stop in pairwise(ends)]
        pixels = in_threads(self._decode_group, list(zip(maps, decoders, strict=True)))
        return np.concatenate(list(pixels))

    def _decode_group(self, group: tuple[NDArray[np.int16], RangeDecoder]) -> NDArray[np.uint8]:
        maps, decoder = group
        checking = decoder if isinstance(decoder, CheckingRangeDecoder) else None
        own = checking.decoder if checking else decoder
        assert isinstance(own, KernelRangeDecoder)
        pixels = self.kernel.decode(maps, own.coder)
        own.check()
        if checking:
            assert isinstance(checking.again, KernelRangeEncoder)
            for intervals in self.kernel.intervals(maps, pixels):
                checking.again.encode_intervals(intervals)
        return pixels


@dataclass(frozen=True)
class CodedIntervals(CodedPixels):
    """The intervals of the symbols of each image."""

    intervals: list[Intervals]

    @property
    def bits(self) -> NDArray[np.float64]:
        """See `CodedPixels.bits`."""
        costs = (PRECISION_BITS - np.log2(own[:, 1], dtype=np.float64) for own in self.intervals)
        return np.array([cost.sum() for cost in costs])

    def by_group(self, group_numbers: NDArray[np.int64], num_groups: int) -> list[Write]:
        """See `CodedPixels.by_group`."""

        def write(group: int, encoder: RangeEncoder) -> None:
            assert isinstance(encoder, KernelRangeEncoder)
            for image in np.flatnonzero(group_numbers == group):
                encoder.encode_intervals(self.intervals[image])

        return [partial(write, group) for group in range(num_groups)]
