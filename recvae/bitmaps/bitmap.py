"""A bitmap, that is a black and white scan, to the image computed from it, and back."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recvae.bitmaps.identify import Candidate, candidates
from recvae.bitmaps.resampling import BOX, resample
from recvae.bitmaps.solver import MOST_PIECES, solve

SIDE = 28
"""Side of MNIST's images in pixels."""

MOST_CANDIDATES = 2
"""Candidates tried for an image. The most likely one is right for sizes below 60, one of two for
99 % of the larger sizes. Wrong ones have no solution, but it takes 0.1 s or more to find out."""


@dataclass(frozen=True)
class Bitmap:
    """A digit as it was scanned, and the parameters of its conversion to an image.

    Fields:
        bits: (size, size) uint8, 1 is ink; the digit is centred.
        deficit: of the resampling, 0, 1 or 2; see `recvae.bitmaps.resampling`.
        nudged: (20, 20) bool, pixels whose value is nearly an integer and was cut off to the other
            side of it.
    """

    bits: NDArray[np.uint8]
    deficit: int
    nudged: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Side of the scan in pixels, which became 20 in the image."""
        return len(self.bits)

    def box(self) -> NDArray[np.uint8]:
        """The digit scaled to 20 x 20 pixels, (20, 20) uint8."""
        return self._resampled()[0]

    def ties(self) -> NDArray[np.int64]:
        """Where `nudged` matters, (20, 20): the integer nearest to the value; elsewhere -1."""
        return self._resampled()[1]

    def _resampled(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        box = np.zeros((BOX, BOX), dtype=np.uint8)
        ties = np.zeros((BOX, BOX), dtype=np.int64)
        resample(self.bits, self.size, self.deficit, self.nudged, box, ties)
        return box, ties

    def render(self) -> NDArray[np.uint8]:
        """The image, (28, 28) uint8: the box with its centre of mass in the middle."""
        box = self.box()
        top, left = (_start(box.sum(axis=axis)) for axis in (1, 0))
        image = np.zeros((SIDE + 2 * BOX, SIDE + 2 * BOX), dtype=np.uint8)
        image[BOX + top : 2 * BOX + top, BOX + left : 2 * BOX + left] = box
        return image[BOX : BOX + SIDE, BOX : BOX + SIDE]


def recover(image: NDArray[np.uint8]) -> Bitmap | None:
    """Find a bitmap that renders exactly to an image (28, 28) uint8; None if none was found."""
    solved = (_solved(image, way) for way in candidates(image)[:MOST_CANDIDATES])
    return next((bitmap for bitmap in solved if bitmap is not None), None)


def _solved(image: NDArray[np.uint8], way: Candidate) -> Bitmap | None:
    padded = np.pad(image, BOX)
    top, left = BOX + way.top, BOX + way.left
    box = np.ascontiguousarray(padded[top : top + BOX, left : left + BOX])
    bits = np.zeros((way.size, way.size), dtype=np.uint8)
    if not solve(box, way.size, way.deficit, np.empty(MOST_PIECES, dtype=np.int64), bits):
        return None
    plain = Bitmap(bits, way.deficit, np.zeros((BOX, BOX), dtype=bool))
    bitmap = replace(plain, nudged=plain.box() != box)
    return bitmap if np.array_equal(bitmap.render(), image) else None


def _start(mass: NDArray[np.uint64]) -> int:
    """The start of a box whose centre of mass (20,) falls on pixel 14, rounded."""
    total = int(mass.sum())
    moment = int((mass * np.arange(BOX)).sum())
    return (SIDE * total - 2 * moment + total) // (2 * total) if total else 0
