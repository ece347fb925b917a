"""The steps of coding, for comparing sender, receiver and machines: `CodecModel.traced`."""

from itertools import chain, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Trace:
    """Receives each step of coding, in order; this one ignores them."""

    def begin_batch(self, z: Tensor) -> None:
        """Receive the latents of a batch, (n, D) int64 in units of 2^-28.

        The receiver has those of the images that the model codes; the sender, which does not know
        yet which images it will store, has those of all.
        """

    def begin_pass(self, classes: int) -> None:
        """Begin a pass of the decoder with `classes` symbols."""

    def add_piece(self, logits: Tensor, frequencies: Tensor) -> None:
        """Receive a piece of the pass, (m, classes); a pass without symbols has no pieces.

        Both hold integers, the logits in the network's own dtype.
        """


class RecordedTrace(Trace):
    """Keeps all steps, in 8 bytes or more for each class of each symbol."""

    def __init__(self) -> None:
        self._z: list[NDArray[np.int64]] = []
        self._logits: list[list[list[NDArray[Any]]]] = []  # by batch, pass and piece
        self._frequencies: list[list[list[NDArray[np.int32]]]] = []

    def begin_batch(self, z: Tensor) -> None:
        """See `Trace.begin_batch`."""
        self._z.append(z.cpu().numpy())
        self._logits.append([])
        self._frequencies.append([])

    def begin_pass(self, classes: int) -> None:
        """See `Trace.begin_pass`."""
        nothing = (0, classes)
        self._logits[-1].append([np.zeros(nothing, dtype=np.float32)])
        self._frequencies[-1].append([np.zeros(nothing, dtype=np.int32)])

    def add_piece(self, logits: Tensor, frequencies: Tensor) -> None:
        """See `Trace.add_piece`."""
        self._logits[-1][-1].append(logits.cpu().numpy())
        self._frequencies[-1][-1].append(frequencies.cpu().numpy())

    @property
    def z(self) -> NDArray[np.int64]:
        """The latents of all batches, (n, D) in units of 2^-28; ValueError if there are none."""
        return np.concatenate(self._z)

    @property
    def logits(self) -> list[NDArray[Any]]:
        """The logits by pass, (m, classes) integers in a float dtype, over all batches in order."""
        return _by_pass(self._logits)

    @property
    def frequencies(self) -> list[NDArray[np.int32]]:
        """The frequencies by pass, (m, classes), over all batches in order."""
        return _by_pass(self._frequencies)


NO_TRACE = Trace()


def _by_pass(batches: list[list[list[NDArray[Any]]]]) -> list[NDArray[Any]]:
    return [np.concatenate(list(chain(*parts))) for parts in zip_longest(*batches, fillvalue=[])]
