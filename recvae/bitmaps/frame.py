"""A bitmap as numbers: its frame, which places the ink in its square, and the ink itself.

A frame is coded as one symbol for each of its fields, in order. Any symbols decode to a frame.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recvae.bitmaps.bitmap import Bitmap
from recvae.bitmaps.resampling import BOX, DEFICITS, MAX_SIZE, MIN_SIZE


class Frame(NamedTuple):
    """The position of a bitmap's ink in its square.

    Fields:
        size, deficit: see `recvae.bitmaps.resampling`.
        height, width: those of the smallest box that holds all ink, in scan pixels.
        top, left: its upper left corner.
    """

    size: int
    deficit: int
    height: int
    width: int
    top: int
    left: int

    def symbols(self) -> list[int]:
        """The symbols; 0 for the usual case of a longer side of `size` and a centred box."""
        free_rows, free_columns = self.size - self.height, self.size - self.width
        return [
            self.size - MIN_SIZE,
            self.deficit,
            free_rows,
            free_columns,
            (self.top - free_rows // 2) % MAX_SIZE,
            (self.left - free_columns // 2) % MAX_SIZE,
        ]

    @classmethod
    def from_symbols(cls, symbols: list[int]) -> "Frame":
        """The frame for symbols; parts outside the square are moved to its border."""
        size, deficit, free_rows, free_columns, down, right = symbols
        size += MIN_SIZE
        free_rows, free_columns = min(free_rows, size - 1), min(free_columns, size - 1)
        return cls(
            size,
            deficit,
            size - free_rows,
            size - free_columns,
            min((free_rows // 2 + down) % MAX_SIZE, free_rows),
            min((free_columns // 2 + right) % MAX_SIZE, free_columns),
        )


CLASSES = Frame(MAX_SIZE + 1 - MIN_SIZE, DEFICITS, MAX_SIZE, MAX_SIZE, MAX_SIZE, MAX_SIZE)
"""Number of symbols of each field."""


def split(bitmap: Bitmap) -> tuple[Frame, NDArray[np.uint8]]:
    """Split a bitmap with ink into its frame and the ink in its box, (height, width) uint8."""
    (top, bottom), (left, right) = (
        np.flatnonzero(bitmap.bits.any(axis=axis))[[0, -1]] for axis in (1, 0)
    )
    ink = bitmap.bits[top : bottom + 1, left : right + 1]
    height, width = ink.shape
    return Frame(bitmap.size, bitmap.deficit, height, width, int(top), int(left)), ink


def joined(frame: Frame, ink: NDArray[np.uint8]) -> Bitmap:
    """Join a frame and its ink (height, width) uint8 to a bitmap without nudges."""
    bits = np.zeros((frame.size, frame.size), dtype=np.uint8)
    bits[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width] = ink
    return Bitmap(bits, frame.deficit, np.zeros((BOX, BOX), dtype=bool))
