"""Integer layers for kernels: the numbers of `recvae.exact.layers`, one vector at a time."""

from collections import namedtuple

import numpy as np

from recvae.jit import bare
from recvae.kernels.dense import add_products, pack

Layer = namedtuple("Layer", "weights bias shifts low")
"""weights: from `dense.pack`. bias, shifts: int32, one for each output. low: the least output, an
int."""

Residual = namedtuple("Residual", "first second")
"""Two layers; see `add_residual`."""


def new_layer(weight, bias, shift, low):
    """Make a layer from weight (outputs, inputs) int16, bias and shift (outputs,)."""
    packed = pack(weight)
    bias, shift = (
        np.pad(part, (0, packed.shape[1] - len(part))).astype(np.int32) for part in (bias, shift)
    )
    return Layer(packed, bias, shift, low)


@bare
def apply(layer, inputs, sums, outputs, limit):
    """outputs = clamp((W inputs + bias) >> shift, low, limit).

    inputs, outputs: int16; sums: int32, scratch space. All may be longer than needed, and outputs
    may be shorter than the layer's, whose last ones are then dropped.
    """
    for o in range(layer.bias.size):
        sums[o] = layer.bias[o]
    add_products(layer.weights, inputs, sums)
    low, high = np.int32(layer.low), np.int32(limit)
    for o in range(min(outputs.size, layer.bias.size)):
        outputs[o] = min(max(sums[o] >> layer.shifts[o], low), high)


@bare
def add_residual(residual, x, sums, hidden, change, limit):
    """x = clamp(x + second(first(x)), -limit, limit); hidden and change: int16, scratch space."""
    apply(residual.first, x, sums, hidden, limit)
    apply(residual.second, hidden, sums, change, limit)
    add(x, change, limit)


@bare
def add(x, change, limit):
    """x = clamp(x + change, -limit, limit), int16."""
    high = np.int32(limit)
    for i in range(x.size):
        x[i] = min(max(np.int32(x[i]) + np.int32(change[i]), -high), high)
