"""What sender and receiver know of a pixel before it is coded, in integers.

Images are coded in raster order. Of each pixel there are its neighbours above and to the left; the
median edge prediction of each channel from three of them; and the prediction of a linear filter
that learns as it goes (normalised least mean squares), with its late errors. The filter of a
channel also sees the channels of the pixel that came before.

All functions are numba's. Channels are 1 or 3; differences to predictions in sixteenths of a level
are in 1/16 of a grey value.
"""

from collections import namedtuple

import numpy as np

from recvae.jit import inlined
from recvae.pixelwise.tables import MAX_DIFFERENCE, MAX_SIXTEENTHS

PAD = 4  # pixels beside a row: no neighbour is farther
ROWS = 4  # the pixel's own and those above it
FIRST = 128  # what is assumed where nothing is known
WEIGHT_BITS = 16  # a filter's weight of 1 is 2^16
MAX_WEIGHT = 1 << 18
UPDATE_BITS = 8
LEAST_ENERGY = 256

Shape = namedtuple("Shape", "neighbours filter_neighbours rate")
"""What is looked at: rows up and columns to the right of each neighbour, (n, 2) int64 each, of the
network and of the filters; how fast filters learn."""

State = namedtuple("State", "rows medians differences weights predictions errors late energy")
"""What changes from pixel to pixel.

rows: the pixel's own and three above, with `PAD` columns more on both sides, (4, width + 8, c).
medians: of each channel, (c,). differences: inputs of the filters, (d,). weights: of the filter of
each channel, (c, d). predictions: of each channel, 1/16, (c,). errors: magnitudes of the last
ones, 1/16, (c,). late: those of the row above and of this row, (2, width + 2, c). energy: sum of
squares of the differences, (1,).
"""


@inlined
def new_state(weights, width):
    """Of a tile or image that is `width` wide; the weights are those that filters go on from."""
    channels, dimensions = weights.shape
    return State(
        np.full((ROWS, width + 2 * PAD, channels), FIRST, np.int32),
        np.zeros(channels, np.int32),
        np.zeros(dimensions, np.int32),
        weights,
        np.zeros(channels, np.int32),
        np.full(channels, 32, np.int32),
        np.full((2, width + 2, channels), 64, np.int32),
        np.zeros(1, np.int32),
    )


@inlined
def begin_row(state, y):
    """Move on to row `y`; left of it is what lies above its first pixel."""
    rows, late = state.rows, state.late
    end = rows.shape[1] - PAD
    if y > 0:
        for x in range(PAD):
            rows[0, x] = rows[0, PAD]
            rows[0, end + x] = rows[0, end - 1]
        if y == 1:
            rows[1:] = rows[0]
        else:
            rows[3], rows[2], rows[1] = rows[2], rows[1], rows[0]
        for x in range(PAD):
            rows[0, x] = rows[1, PAD]
        late[0] = late[1]
        late[0, 0], late[0, -1] = late[0, 1], late[0, -2]


@inlined
def look(shape, state, y, x):
    """Find medians, differences and predictions of the pixel in row `y`, column `x`."""
    rows, medians, differences = state.rows, state.medians, state.differences
    channels = medians.size
    at = x + PAD
    if y == 0:  # all above is as what came last
        for row in range(1, ROWS):
            for column in range(at - PAD, at + PAD + 1):
                for c in range(channels):
                    rows[row, column, c] = rows[0, at - 1, c]
    for c in range(channels):
        left, above, corner = rows[0, at - 1, c], rows[1, at, c], rows[1, at - 1, c]
        low, high = min(left, above), max(left, above)
        if corner >= high:
            medians[c] = low
        elif corner <= low:
            medians[c] = high
        else:
            medians[c] = left + above - corner
    energy = np.int32(0)
    d = 0
    for i in range(shape.filter_neighbours.shape[0]):
        up, right = shape.filter_neighbours[i]
        for c in range(channels):
            difference = np.int32(rows[up, at + right, c] - medians[c])
            differences[d] = difference
            energy = np.int32(energy + difference * difference)
            d += 1
    for rest in range(d, differences.size):
        differences[rest] = 0
    state.energy[0] = energy
    for c in range(channels):
        predict(state, c)


@inlined
def predict(state, c):
    """The filter's prediction of channel `c`, in sixteenths, from the differences that are known."""
    weights, differences = state.weights[c], state.differences
    total = np.int32(0)
    for d in range(differences.size):
        total = np.int32(total + np.int32(np.int32(weights[d] >> 2) * differences[d]))
    prediction = 16 * state.medians[c] + (total >> (WEIGHT_BITS - 2 - 4))
    state.predictions[c] = min(max(prediction, 0), MAX_SIXTEENTHS)


@inlined
def learn(shape, state, x, c, value):
    """Take in the value of channel `c` of the pixel in column `x`; predict the next channel."""
    weights, differences = state.weights[c], state.differences
    error = np.int32(16 * value - state.predictions[c])
    step = np.int32(error * shape.rate) // np.int32(state.energy[0] + LEAST_ENERGY)
    for d in range(differences.size):
        weight = np.int32(weights[d] + (np.int32(step * differences[d]) >> UPDATE_BITS))
        weights[d] = min(max(weight, -MAX_WEIGHT), MAX_WEIGHT)
    magnitude = abs(error)
    state.errors[c] = magnitude
    state.late[1, x + 1, c] = magnitude
    state.rows[0, x + PAD, c] = value
    if c + 1 < state.medians.size:
        difference = np.int32(value - state.medians[c])
        differences[shape.filter_neighbours.shape[0] * state.medians.size + c] = difference
        state.energy[0] += difference * difference
        predict(state, c + 1)


@inlined
def find_inputs(shape, state, x, tables, inputs):
    """Fill in what the network sees of the pixel in column `x`, -127 to 127 each."""
    rows, medians = state.rows, state.medians
    of_difference, of_magnitude = tables
    channels, at, i = medians.size, x + PAD, 0
    for n in range(shape.neighbours.shape[0]):
        up, right = shape.neighbours[n]
        for c in range(channels):
            inputs[i] = of_difference[rows[up, at + right, c] - medians[c] + MAX_DIFFERENCE]
            i += 1
    inputs[i] = medians[0] >> 1
    i += 1
    for c in range(1, channels):
        inputs[i] = of_difference[medians[c] - medians[0] + MAX_DIFFERENCE]
        i += 1
    for c in range(channels):
        further = state.predictions[c] - 16 * medians[c]
        magnitude = of_magnitude[abs(further)]
        inputs[i] = magnitude if further >= 0 else -magnitude
        i += 1
    for c in range(channels):
        late = state.late[0, x, c] + 2 * state.late[0, x + 1, c] + state.late[0, x + 2, c]
        inputs[i] = of_magnitude[(late + 4 * state.errors[c]) >> 3]
        i += 1
    for rest in range(i, inputs.size):
        inputs[rest] = 0
