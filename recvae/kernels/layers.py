"""Layers in integers for kernels: the numbers of `recvae.exact.layers`, one vector at a time."""

from collections import namedtuple

import numpy as np

from recvae.jit import kernel
from recvae.kernels.dense import add_products, pack

Layer = namedtuple("Layer", "weights bias shifts low")
"""weights: as `dense.pack` has them. bias, shifts: int32, as many as its outputs. low: the least
output, an int."""

Residual = namedtuple("Residual", "first second")
"""Two layers; see `add_residual`."""


def new_layer(weight, bias, shift, low):
    """Of weight (outputs, inputs) int16, bias and shift (outputs,)."""
    packed = pack(weight)
    bias, shift = (
        np.pad(part, (0, packed.shape[1] - len(part))).astype(np.int32) for part in (bias, shift)
    )
    return Layer(packed, bias, shift, low)


@kernel
def apply(layer, inputs, sums, outputs, limit):
    """outputs = clamp((W inputs + bias) >> shift, low, limit).

    inputs, outputs: int16; sums: int32, for what comes in between. All may be longer than needed,
    and outputs shorter than the layer, whose last ones are then left out.
    """
    for o in range(layer.bias.size):
        sums[o] = layer.bias[o]
    add_products(layer.weights, inputs, sums)
    low, high = np.int32(layer.low), np.int32(limit)
    for o in range(min(outputs.size, layer.bias.size)):
        outputs[o] = min(max(sums[o] >> layer.shifts[o], low), high)


@kernel
def add_residual(residual, x, sums, hidden, change, limit):
    """x = clamp(x + second(first(x)), -limit, limit); hidden and change: int16, in between."""
    apply(residual.first, x, sums, hidden, limit)
    apply(residual.second, hidden, sums, change, limit)
    add(x, change, limit)


@kernel
def add(x, change, limit):
    """x = clamp(x + change, -limit, limit), int16."""
    high = np.int32(limit)
    for i in range(x.size):
        x[i] = min(max(np.int32(x[i]) + np.int32(change[i]), -high), high)
