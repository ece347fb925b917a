"""The networks of models: integers, checked before use."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recvae.codec.pixelwise import kernel
from recvae.codec.pixelwise.corrections import Corrections, new_corrections
from recvae.codec.pixelwise.mixture import logit_table
from recvae.kernels.dense import pack
from recvae.pixelwise.arguments import PixelArguments
from recvae.pixelwise.lanes import MAX_WEIGHT
from recvae.pixelwise.rows import shape_of, widened
from recvae.pixelwise.tables import (
    difference_table,
    inverse_scale_table,
    logistic_table,
    magnitude_table,
    weight_table,
)

LAYERS = 3
MOST_INPUT = 127
MAX_SHIFT = 16

TABLES = kernel.Tables(
    (difference_table(), magnitude_table()),
    weight_table(),
    inverse_scale_table(),
    logistic_table(),
    logit_table(),
)


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A network for pixels of 1 or 3 channels.

    Fields:
        arguments: sizes, and the context.
        weights: those of each layer, int16 (outputs, inputs).
        biases: those of each layer, int32 (outputs,).
        shifts: sums of a layer are divided by 2^shift, rounded down.
        filters: initial values of the filters, int32 (channels, filter inputs).

    Raises ValueError for other shapes, sums that could leave 32 bits, and numbers out of bounds.
    """

    arguments: PixelArguments
    weights: tuple[NDArray[np.int16], ...]
    biases: tuple[NDArray[np.int32], ...]
    shifts: tuple[int, ...]
    filters: NDArray[np.int32]

    def __post_init__(self) -> None:
        sizes = [(o, i) for i, o in self.arguments.layer_sizes(self.channels)]
        given = [weights.shape for weights in self.weights]
        if given != sizes or [len(bias) for bias in self.biases] != [own for own, _ in sizes]:
            raise ValueError(f"weights: shapes are {given}, the architecture has {sizes}")
        if self.filters.shape[1] != self.arguments.num_filter_inputs(self.channels):
            raise ValueError(f"filters: {self.filters.shape[1]} inputs do not match their context")
        for number, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            most = MOST_INPUT if number == 0 else kernel.MOST_ACTIVATION
            if largest_sum(weights, bias, most) >= 1 << 31:
                raise ValueError(f"layer {number}: its sums could leave 32 bits")
        if not all(0 <= shift <= MAX_SHIFT for shift in self.shifts):
            raise ValueError(f"shifts: must lie between 0 and {MAX_SHIFT}")
        if np.abs(self.filters.astype(np.int64)).max() > MAX_WEIGHT:
            raise ValueError(f"filters: must lie between -{MAX_WEIGHT} and {MAX_WEIGHT}")

    @property
    def channels(self) -> int:
        """Channels of the pixels."""
        return len(self.filters)

    @cached_property
    def for_kernel(self) -> kernel.Network:
        """The network in the form for `kernel.code_image`."""
        layers = []
        for weights, bias, shift in zip(self.weights, self.biases, self.shifts, strict=True):
            packed = pack(weights)
            layers.append(
                kernel.Layer(packed, np.pad(bias, (0, packed.shape[1] - bias.size)), shift)
            )
        own = self.arguments
        shape = shape_of(own.reach, own.filter_reach, own.filter_rate)
        return kernel.Network(shape, tuple(layers), own.components, own.corrected)

    def new_filters(self) -> NDArray[np.int32]:
        """The initial filters in the form for kernels."""
        return widened(self.filters)

    def new_corrections(self) -> Corrections:
        """The initial corrections of a stream."""
        return new_corrections(self.channels, self.arguments.components)


def largest_sum(weights: NDArray[Any], bias: NDArray[Any], most: int) -> int:
    """The largest magnitude of a sum in the layer, partial sums included."""
    sums = np.abs(weights.astype(np.int64)).sum(1) * most + np.abs(bias.astype(np.int64))
    return int(sums.max())
