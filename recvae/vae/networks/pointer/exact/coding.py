"""The pointer decoder in integers as a `PixelKernel`."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recvae.exact import FixedPoint
from recvae.kernels import range_coder
from recvae.vae.networks.pointer.exact.integers import to_kernel
from recvae.vae.networks.pointer.exact.kernel import code_images, new_buffers, new_symbols
from recvae.vae.networks.pointer.exact.past import new_past

if TYPE_CHECKING:
    from recvae.vae.networks.pointer.decoder import PointerDecoder

NO_CODER = range_coder.Coder(np.zeros(3, np.uint64), np.zeros(0, np.uint32), np.zeros(2, np.int64))
"""Without words: the kernel then encodes, and does not use it."""


class PointerKernel:
    """Codes images of one size; may be called in several threads at once.

    Raises ValueError for a number format that its sums do not fit.
    """

    def __init__(self, decoder: "PointerDecoder", number: FixedPoint) -> None:
        self._network = to_kernel(decoder, number)
        self._height, self._width = decoder.height, decoder.width

    def intervals(
        self, maps: NDArray[np.int16], pixels: NDArray[np.uint8]
    ) -> list[NDArray[np.int32]]:
        """See `PixelKernel.intervals`."""
        most = 2 * self._height * self._width
        intervals = np.zeros((len(pixels), most, 2), np.int32)
        counts = np.zeros(len(pixels), np.int64)
        own = np.array(pixels, order="C")  # which the kernel may write to
        self._code(maps, own, intervals, counts, NO_CODER)
        return [part[:count] for part, count in zip(intervals, counts, strict=True)]

    def decode(self, maps: NDArray[np.int16], coder: range_coder.Coder) -> NDArray[np.uint8]:
        """See `PixelKernel.decode`."""
        pixels = np.zeros((len(maps), self._height, self._width), np.uint8)
        self._code(maps, pixels, np.zeros((0, 0, 2), np.int32), np.zeros(0, np.int64), coder)
        return pixels

    def _code(
        self,
        maps: NDArray[np.int16],
        pixels: NDArray[np.uint8],
        intervals: NDArray[np.int32],
        counts: NDArray[np.int64],
        coder: range_coder.Coder,
    ) -> None:
        network = self._network
        numbers, rounds = network.numbers, len(network.rounds)
        most = self._height * self._width + 1
        code_images(
            network,
            np.ascontiguousarray(maps),
            pixels,
            intervals,
            counts,
            new_buffers(network, self._height, self._width),
            new_symbols(network),
            new_past(rounds, numbers.heads, numbers.width, most, network.none),
            coder,
        )
