"""Integer layers for kernels: the numbers of `recvae.exact.layers`, one vector at a time."""

from collections import namedtuple

import numpy as np

from recvae.jit import bare
from recvae.kernels.dense import add_products, aligned, pack

Layers = namedtuple("Layers", "weights bias shifts places")
"""The layers of a network, by number. They share arrays: a kernel takes long to compile for many.

weights: int16, of each layer those from `dense.pack`. bias, shifts: int32, one for each output.
places: int64, for each layer where its weights begin, pairs of inputs, outputs, where bias and
shifts begin, and the least output.
"""

Residual = namedtuple("Residual", "first second")
"""The numbers of two layers; see `add_residual`."""


def join_layers(parts):
    """Make layers from a list of weight (outputs, inputs) int16, bias and shift (outputs,), low."""
    packed = [pack(weight) for weight, _, _, _ in parts]
    weights = aligned(sum(own.size for own in packed))  # and so is each, as outputs are padded
    places = np.zeros((len(parts), 5), np.int64)
    outputs = sum(own.shape[1] for own in packed)
    bias, shifts = np.zeros(outputs, np.int32), np.zeros(outputs, np.int32)
    first = output = 0
    for number, (own, (_, own_bias, own_shifts, low)) in enumerate(zip(packed, parts, strict=True)):
        pairs, count, _ = own.shape
        places[number] = first, pairs, count, output, low
        weights[first : first + own.size] = own.flatten()
        bias[output : output + len(own_bias)] = own_bias
        shifts[output : output + len(own_shifts)] = own_shifts
        first, output = first + own.size, output + count
    return Layers(weights, bias, shifts, places)


def room(layers):
    """The size of vectors that suffices as inputs, outputs and sums of all layers."""
    return int(max(2 * layers.places[:, 1].max(), layers.places[:, 2].max()))


@bare
def apply(layers, number, inputs, sums, outputs, limit):
    """outputs = clamp((W inputs + bias) >> shift, low, limit), of the layer of a number.

    inputs, outputs: int16; sums: int32, scratch space. All may be longer than needed, and outputs
    may be shorter than the layer's, whose last ones are then dropped.
    """
    place = layers.places[number]
    first, pairs, count, output, low = place[0], place[1], place[2], place[3], place[4]
    bias, shifts = layers.bias[output : output + count], layers.shifts[output : output + count]
    for o in range(count):
        sums[o] = bias[o]
    size = pairs * count * 2
    add_products(layers.weights[first : first + size].reshape(pairs, count, 2), inputs, sums)
    least, most = np.int32(low), np.int32(limit)
    for o in range(min(outputs.size, count)):
        outputs[o] = min(max(sums[o] >> shifts[o], least), most)


@bare
def add_residual(layers, residual, x, sums, hidden, change, limit):
    """x = clamp(x + second(first(x)), -limit, limit); hidden and change: int16, scratch space."""
    apply(layers, residual.first, x, sums, hidden, limit)
    apply(layers, residual.second, hidden, sums, change, limit)
    add(x, change, limit)


@bare
def add(x, change, limit):
    """x = clamp(x + change, -limit, limit), int16."""
    high = np.int32(limit)
    for i in range(x.size):
        x[i] = min(max(np.int32(x[i]) + np.int32(change[i]), -high), high)
