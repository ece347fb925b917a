"""The context of a pixel, known to sender and receiver before it is coded, in integers.

Images are coded in raster order. The context has a pixel's neighbours to the left and above; the
median edge prediction of each channel from three of them; and the prediction of a linear filter
that adapts (normalised least mean squares), with its recent errors. The filter of a channel also
sees earlier channels of the pixel.

All functions are compiled by numba. Channels are 1 or 3; predictions of filters and their errors
are in 1/16 of a grey value.
"""

from collections import namedtuple

import numpy as np

from recvae.jit import bare_inlined, inlined
from recvae.pixelwise.lanes import (
    DOT_SHIFT,
    MAX_WEIGHT,
    UPDATE_SHIFT,
    WEIGHT_BITS,
    dot,
    update,
)
from recvae.pixelwise.tables import MAX_DIFFERENCE, MAX_SIXTEENTHS

PAD = 4  # pixels beside a row; no neighbour is farther away
ROWS = 4  # the pixel's own and those above it
FIRST = 128  # assumed where nothing is known
PREDICTION_SHIFT = WEIGHT_BITS - DOT_SHIFT - 4  # to sixteenths
LEAST_ENERGY = 256

_U = np.uint64  # for non-negative indices, which numba need not wrap around

Shape = namedtuple("Shape", "reach filter_reach filter_neighbours rate")
"""The contexts of the network and of the filters: pixels to the left; then, for each row above,
pixels to either side of the pixel's column, (rows,) int64 each. The number of neighbours of the
filters, and their learning rate."""

State = namedtuple(
    "State", "rows medians tiled differences own sums weights predictions errors late energy"
)
"""The state that changes from pixel to pixel.

rows: the pixel's own and three above, with `PAD` more columns on both sides, (4, (width + 8) * c).
medians: one for each channel, (c,). tiled: 255 minus each of them, for 9 pixels.
differences: those of neighbours to the medians, the inputs of filters, then zeros, (d,), d a
multiple of 16. own: those of earlier channels, (c,). sums: the filters' sums over neighbours, (c,).
weights: those of each channel's filter, (c, d), first for neighbours, then for earlier channels.
predictions: one for each channel, 1/16, (c,). errors: magnitudes of the latest ones, 1/16, (c,).
late: those of the row above and of this row, (2, width + 2, c). energy: sum of squares of the
differences, (1,).
"""


@inlined
def new_state(weights, width):
    """The initial state for a tile or image `width` wide; the filters start from `weights`."""
    channels, dimensions = weights.shape
    return State(
        np.full((ROWS, (width + 2 * PAD) * channels), FIRST, np.int32),
        np.zeros(channels, np.int32),
        np.zeros((2 * PAD + 1) * channels, np.int32),
        np.zeros(dimensions, np.int32),
        np.zeros(channels, np.int32),
        np.zeros(channels, np.int32),
        weights,
        np.zeros(channels, np.int32),
        np.full(channels, 32, np.int32),
        np.full((2, width + 2, channels), 64, np.int32),
        np.zeros(1, np.int32),
    )


@bare_inlined
def begin_row(state, y):
    """Move to row `y`; left of it, values are those above its first pixel."""
    rows, late, channels = state.rows, state.late, state.medians.size
    pad = PAD * channels
    end = rows.shape[1] - pad
    if y > 0:
        for i in range(pad):
            rows[0, i] = rows[0, pad + i % channels]
            rows[0, end + i] = rows[0, end - channels + i % channels]
        for i in range(rows.shape[1]):
            rows[3, i] = rows[2, i] if y > 1 else rows[0, i]
            rows[2, i] = rows[1, i] if y > 1 else rows[0, i]
            rows[1, i] = rows[0, i]
        for i in range(pad):
            rows[0, i] = rows[1, pad + i % channels]
        for c in range(channels):
            for x in range(1, late.shape[1] - 1):
                late[0, x, c] = late[1, x, c]
            late[0, 0, c] = late[1, 1, c]
            late[0, late.shape[1] - 1, c] = late[1, late.shape[1] - 2, c]


@bare_inlined
def look(shape, state, y, x):
    """Find medians, differences and predictions of the pixel in row `y`, column `x`."""
    rows, medians, tiled, differences = state.rows, state.medians, state.tiled, state.differences
    channels = medians.size
    at = (x + PAD) * channels
    if y == 0:  # everything above equals the last pixel
        for row in range(1, ROWS):
            for i in range(at - PAD * channels, at + (PAD + 1) * channels):
                rows[row, i] = rows[0, at - channels + (i - at) % channels]
    for c in range(channels):
        left, above = rows[0, at + c - channels], rows[1, at + c]
        corner = rows[1, at + c - channels]
        low, high = min(left, above), max(left, above)
        if corner >= high:
            medians[c] = low
        elif corner <= low:
            medians[c] = high
        else:
            medians[c] = left + above - corner
    for i in range(0, tiled.size, channels):
        for c in range(channels):
            tiled[i + c] = MAX_DIFFERENCE - medians[c]
    d = 0
    for up in range(shape.filter_reach.size):
        first, count = _run(shape.filter_reach, up, at, channels)
        for i in range(count):
            differences[_U(d + i)] = rows[up, _U(first + i)] + tiled[i] - MAX_DIFFERENCE
        d += count
    energy = np.int32(0)
    for i in range(d):
        energy = np.int32(energy + np.int32(differences[i] * differences[i]))
    for rest in range(d, differences.size):
        differences[rest] = 0
    state.energy[0] = energy
    for c in range(channels):
        state.own[c] = 0
        state.sums[c] = dot(state.weights, c, differences)
        _predict(state, c, 0)


@bare_inlined
def _run(reach, up, at, channels):
    """The start of the neighbours in a row, and their number of values."""
    if up == 0:
        return at - reach[0] * channels, reach[0] * channels
    return at - reach[up] * channels, (2 * reach[up] + 1) * channels


@bare_inlined
def _predict(state, c, total):
    """The filter's prediction of channel `c`, in sixteenths; `total` is from earlier channels."""
    prediction = 16 * state.medians[c] + (np.int32(state.sums[c] + total) >> PREDICTION_SHIFT)
    state.predictions[c] = min(max(prediction, 0), MAX_SIXTEENTHS)


@bare_inlined
def learn(shape, state, x, c, value):
    """Learn from the value of channel `c` of the pixel in column `x`; predict the next channel."""
    weights, own, channels = state.weights, state.own, state.medians.size
    error = np.int32(16 * value - state.predictions[c])
    step = np.int32((error * shape.rate) // (state.energy[0] + LEAST_ENERGY))
    update(weights, c, state.differences, step)
    # Separately, since loading a vector that was just partly written is slow.
    first = shape.filter_neighbours * channels
    for before in range(c):
        weight = weights[c, first + before] + (np.int32(step * own[before]) >> UPDATE_SHIFT)
        weights[c, first + before] = min(max(weight, -MAX_WEIGHT), MAX_WEIGHT)
    magnitude = abs(error)
    state.errors[c] = magnitude
    state.late[1, x + 1, c] = magnitude
    state.rows[0, (x + PAD) * channels + c] = value
    if c + 1 < channels:
        own[c] = value - state.medians[c]
        state.energy[0] += own[c] * own[c]
        total = np.int32(0)
        for before in range(c + 1):
            total = np.int32(total + (weights[c + 1, first + before] >> DOT_SHIFT) * own[before])
        _predict(state, c + 1, total)


@bare_inlined
def find_inputs(shape, state, x, tables, inputs):
    """Fill in the network's inputs for the pixel in column `x`, -127 to 127 each."""
    rows, medians, tiled = state.rows, state.medians, state.tiled
    of_difference, of_magnitude = tables
    channels, i = medians.size, 0
    for up in range(shape.reach.size):
        first, count = _run(shape.reach, up, (x + PAD) * channels, channels)
        for j in range(count):
            inputs[_U(i + j)] = of_difference[_U(rows[up, _U(first + j)] + tiled[j])]
        i += count
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
