"""Training data: pixels with their contexts, computed by the coder's own functions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recvae.jit import threaded
from recvae.pixelwise import context
from recvae.pixelwise.lanes import LANES
from recvae.pixelwise.tables import difference_table, magnitude_table


class Rows(NamedTuple):
    """Some pixels with c channels.

    Fields:
        inputs: inputs of the network, (n, inputs) int8.
        values, medians: grey values, (n, c) uint8.
        predictions: those of the filters, in 1/16 grey value, (n, c) int16.
    """

    inputs: NDArray[np.int8]
    values: NDArray[np.uint8]
    medians: NDArray[np.uint8]
    predictions: NDArray[np.int16]


def shape_of(reach: Sequence[int], filter_reach: Sequence[int], rate: int) -> context.Shape:
    """The context in the form for kernels; see `PixelArguments`."""
    reaches = np.array(reach, np.int64), np.array(filter_reach, np.int64)
    return context.Shape(*reaches, num_neighbours(filter_reach), rate)


def num_neighbours(reach: Sequence[int]) -> int:
    """The number of neighbours."""
    return int(reach[0] + sum(2 * side + 1 for side in reach[1:]))


def widened(filters: NDArray[np.int32]) -> NDArray[np.int32]:
    """Pad weights of filters with zeros as kernels need."""
    return np.pad(filters, ((0, 0), (0, -filters.shape[1] % LANES)))


def find_rows(
    image: NDArray[np.uint8],
    chosen: NDArray[np.bool_],
    shape: context.Shape,
    filters: NDArray[np.int32],
) -> Rows:
    """Find chosen pixels, (height, width) bool, of an image (height, width, c), in raster order.

    `filters` (c, filter inputs) are the initial weights, and finally the learned ones.
    """
    weights = widened(filters)
    channels, count = image.shape[2], int(chosen.sum())
    rows = Rows(
        np.zeros((count, channels * (num_neighbours(shape.reach) + 3)), np.int8),
        np.zeros((count, channels), np.uint8),
        np.zeros((count, channels), np.uint8),
        np.zeros((count, channels), np.int16),
    )
    _find(image, chosen, shape, weights, (difference_table(), magnitude_table()), rows)
    filters[:] = weights[:, : filters.shape[1]]
    return rows


@threaded
def _find(image, chosen, shape, filters, tables, rows):
    height, width, channels = image.shape
    state = context.new_state(filters, width)
    row = 0
    for y in range(height):
        context.begin_row(state, y)
        for x in range(width):
            context.look(shape, state, y, x)
            if chosen[y, x]:
                context.find_inputs(shape, state, x, tables, rows.inputs[row])
            for c in range(channels):
                value = np.int64(image[y, x, c])
                if chosen[y, x]:
                    rows.values[row, c] = value
                    rows.medians[row, c] = state.medians[c]
                    rows.predictions[row, c] = state.predictions[c]
                context.learn(shape, state, x, c, value)
            row += chosen[y, x]
