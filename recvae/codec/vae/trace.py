"""The steps of coding, told to who compares sender, receiver or machines: `CodecModel.traced`."""

from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Trace:
    """Called with each step of coding, in order; this one keeps nothing."""

    def begin_batch(self, z: Tensor) -> None:
        """Called with the latents of a batch, (n, D) int64 in units of 2^-28.

        The receiver has those of the images that the model codes; the sender, which does not know
        yet which ones it will store, of all images.
        """

    def begin_pass(self, classes: int) -> None:
        """Called at each pass of the decoder, with its number of symbols."""

    def add_piece(self, logits: Tensor, frequencies: Tensor) -> None:
        """Called with a piece of a pass, (m, classes) integers: none where no pixel is coded."""


class RecordedTrace(Trace):
    """Keeps all steps. Memory grows with the pixels: 8 bytes for each symbol that one may be."""

    def __init__(self) -> None:
        self._z: list[NDArray[np.int64]] = []
        self._logits: list[list[list[NDArray[np.int32]]]] = []  # by batch, pass and piece
        self._frequencies: list[list[list[NDArray[np.int32]]]] = []

    def begin_batch(self, z: Tensor) -> None:
        """See `Trace.begin_batch`."""
        self._z.append(z.cpu().numpy())
        self._logits.append([])
        self._frequencies.append([])

    def begin_pass(self, classes: int) -> None:
        """See `Trace.begin_pass`."""
        nothing = np.zeros((0, classes), dtype=np.int32)
        self._logits[-1].append([nothing])
        self._frequencies[-1].append([nothing])

    def add_piece(self, logits: Tensor, frequencies: Tensor) -> None:
        """See `Trace.add_piece`."""
        self._logits[-1][-1].append(logits.cpu().numpy())
        self._frequencies[-1][-1].append(frequencies.cpu().numpy())

    @property
    def z(self) -> NDArray[np.int64]:
        """The latents of all batches, (n, D) in units of 2^-28."""
        return np.concatenate(self._z)

    @property
    def logits(self) -> list[NDArray[np.int32]]:
        """Of each pass, (m, classes), of all batches one after the other."""
        return _by_pass(self._logits)

    @property
    def frequencies(self) -> list[NDArray[np.int32]]:
        """Of each pass, (m, classes), of all batches one after the other."""
        return _by_pass(self._frequencies)


NO_TRACE = Trace()


def _by_pass(batches: list[list[list[NDArray[np.int32]]]]) -> list[NDArray[np.int32]]:
    return [np.concatenate(list(chain(*parts))) for parts in zip_longest(*batches, fillvalue=[])]
