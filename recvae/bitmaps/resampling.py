"""How MNIST's grey pixels were computed from black and white scans, in integers.

A digit was cut out of a scan with one bit a pixel, put into a square of `size` x `size` pixels, its
longer side, and scaled to 20 x 20 pixels, each the mean of the part of the scan that it covers:
output pixel i covers [i s, (i + 1) s) in each direction, s = size / 20 scan pixels. The means were
taken in floats and cut off, not rounded, which leaves traces. Inferred here from the images, exact
to the last pixel for all but a few in a thousand:

- weights are in hundredths of a scan pixel; where an output pixel begins within a scan pixel, that
  one weighs a hundredth too little;
- the mean is taken over s^2, s (s - 0.01) or (s - 0.01)^2, the same for a whole image: its
  `deficit` 0, 1 or 2;
- a value v is cut off towards 128: pixel = 128 + trunc(v - 128);
- a v that is nearly an integer became, by the last bits of a float, that integer or the next one on
  the side of 128: where this differs from exact arithmetic, the pixel is `nudged`;
- for sizes 35, 70 and 75, the float of 4 s is slightly above the integer: output pixel 3 also sees
  a trace of the next scan pixel, and output pixel 4 begins within it.
"""

import numpy as np
from numpy.typing import NDArray

from recvae.jit import kernel

BOX = 20
"""Side of the square that a digit was scaled to, in pixels of the image."""

MIN_SIZE, MAX_SIZE = 20, 96
DEFICITS = 3
MOST_COVERED = 7
"""Most scan pixels that an output pixel touches in one direction, traces of weight 0 included."""

LEVELS = 255
MIDDLE = 128


@kernel
def footprints(
    size: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """First scan pixel, number of scan pixels and their weights for each of 20 output pixels.

    Returns (20,), (20,) and (20, MOST_COVERED), weights in hundredths.
    """
    first, count = np.zeros(BOX, np.int64), np.zeros(BOX, np.int64)
    weights = np.zeros((BOX, MOST_COVERED), np.int64)
    traced = _has_traces(size)
    for i in range(BOX):
        start, stop = i * size, (i + 1) * size  # in twentieths of a scan pixel
        first[i] = start // BOX
        count[i] = -(-stop // BOX) - first[i]
        for k in range(count[i]):
            pixel = BOX * (first[i] + k)
            covered = min(stop, pixel + BOX) - max(start, pixel)
            late = k == 0 and (start % BOX != 0 or (traced and i == 4))
            weights[i, k] = 5 * covered - late
        if traced and i == 3:
            count[i] += 1
    return first, count, weights


@kernel
def _has_traces(size: int) -> bool:
    return size in (35, 70, 75)


@kernel
def area(size: int, deficit: int) -> int:
    """The divisor of sums of weights, in square hundredths of a scan pixel."""
    side = 5 * size
    return (side - (deficit == 2)) * (side - (deficit >= 1))


@kernel
def shares_edge(size: int, i: int) -> bool:
    """Whether output pixels i and i + 1 both touch the scan pixel between them."""
    return (i + 1) * size % BOX != 0 or (i == 3 and _has_traces(size))


@kernel
def grey(total: int, area: int, nudged: bool) -> int:
    """The pixel for a sum of weights; `nudged` matters only if the value is nearly an integer."""
    scaled = LEVELS * total
    nearest = (2 * scaled + area) // (2 * area)
    above = scaled - nearest * area
    if abs(above) > _slack(area):
        cut = scaled // area
        return min(cut + (cut < MIDDLE), LEVELS)
    inwards = (nearest < MIDDLE) - (nearest > MIDDLE)
    moved = above > 0 if inwards > 0 else above < 0  # by the cut-off
    return min(nearest + inwards * (moved != nudged), LEVELS)


@kernel
def attainable_totals(pixel: int, area: int) -> tuple[int, int]:
    """The least and the largest sum of weights for a pixel, nudged or not."""
    if pixel == 0:
        return 0, 0
    low = pixel - (pixel <= MIDDLE)
    high = pixel + (pixel >= MIDDLE)
    most = area * area if pixel == LEVELS else (high * area + _slack(area)) // LEVELS
    return max(-(-(low * area - _slack(area)) // LEVELS), 0), most


@kernel
def _slack(area: int) -> int:
    """How near to an integer a value must be for floats to err: 2^-12."""
    return area >> 12


@kernel
def _tied_to(total: int, area: int) -> int:
    """The integer nearest to a value that a nudge can move; otherwise -1."""
    nearest = (2 * LEVELS * total + area) // (2 * area)
    near = abs(LEVELS * total - nearest * area) <= _slack(area)
    return nearest if near and 0 < nearest <= LEVELS and nearest != MIDDLE else -1


@kernel
def resample(
    bits: NDArray[np.uint8],
    size: int,
    deficit: int,
    nudged: NDArray[np.bool_],
    box: NDArray[np.uint8],
    ties: NDArray[np.int64],
) -> None:
    """Scale a bitmap (at least size x size, 0 or 1) to a box (20, 20).

    `ties` (20, 20) receives the integer nearest to the pixel's value where `nudged` matters, -1
    elsewhere.
    """
    first, count, weights = footprints(size)
    over = area(size, deficit)
    for i in range(BOX):
        for j in range(BOX):
            total, trace = 0, False
            for r in range(count[i]):
                for c in range(count[j]):
                    if bits[first[i] + r, first[j] + c]:
                        weight = weights[i, r] * weights[j, c]
                        total += weight
                        trace |= weight == 0
            if trace:  # a little above the integer, if it is one
                box[i, j] = grey(total, over, LEVELS * total < MIDDLE * over)
                ties[i, j] = -1
            else:
                box[i, j] = grey(total, over, nudged[i, j]) if total else 0
                ties[i, j] = _tied_to(total, over)
