"""A scan, the image that it makes, and the way back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recvae.scans.identify import Candidate, candidates
from recvae.scans.resampling import BOX, box_of
from recvae.scans.solver import MOST_PIECES, solve

MOST_CANDIDATES = 16
"""Of an image. The most telling one that can be solved is right: wrong ones make no puzzle."""


@dataclass(frozen=True)
class Scan:
    """A digit as it was scanned, and how it became an image.

    Fields:
        bits: (size, size) uint8, 1 is ink.
        deficit: of the resampling, 0, 1 or 2; see `recvae.scans.resampling`.
        top, left: where its box of 20 x 20 pixels begins in the image.
        nudged: (20, 20) bool, pixels whose value is an integer that a float missed.
    """

    bits: NDArray[np.uint8]
    deficit: int
    top: int
    left: int
    nudged: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Pixels of the scan that became 20 of the image."""
        return len(self.bits)

    def render(self, height: int = 28, width: int = 28) -> NDArray[np.uint8]:
        """The image, (height, width) uint8."""
        box = np.zeros((BOX, BOX), dtype=np.uint8)
        box_of(self.bits, self.size, self.deficit, self.nudged, box)
        image = np.zeros((height + BOX, width + BOX), dtype=np.uint8)
        image[self.top : self.top + BOX, self.left : self.left + BOX] = box
        return image[:height, :width]


def recover(image: NDArray[np.uint8]) -> Scan | None:
    """A scan that renders to exactly an image (h, w) uint8; None if none was found."""
    solved = (_solved(image, way) for way in candidates(image)[:MOST_CANDIDATES])
    return next((scan for scan in solved if scan is not None), None)


def _solved(image: NDArray[np.uint8], way: Candidate) -> Scan | None:
    padded = np.zeros((image.shape[0] + BOX, image.shape[1] + BOX), dtype=np.uint8)
    padded[: image.shape[0], : image.shape[1]] = image
    box = np.ascontiguousarray(padded[way.top : way.top + BOX, way.left : way.left + BOX])
    bits = np.zeros((way.size, way.size), dtype=np.uint8)
    pieces = np.empty(MOST_PIECES, dtype=np.int64)
    if not solve(box, way.size, way.deficit, pieces, bits):
        return None
    straight = np.zeros_like(box)
    box_of(bits, way.size, way.deficit, np.zeros((BOX, BOX), dtype=bool), straight)
    scan = Scan(bits, way.deficit, way.top, way.left, straight != box)
    return scan if np.array_equal(scan.render(*image.shape), image) else None
