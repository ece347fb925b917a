"""Layers in integer arithmetic: the exact counterparts of a float network's layers.

Activations are fixed-point numbers (`FixedPoint`) carried in float32. A layer computes

    y = clamp(floor((W x + bias) / 2^shift), low, limit)

with integer W, bias and one shift per output; bias includes the half that makes floor round.
After `.double()` a network carries the same integers in float64, which needs no certificate of its
own: the sum of at most 64 float32 products of 2^24 each, and a bias of 32 bits, is below 2^53.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from recvae.exact.arithmetic import FLOAT32_EXACT, FixedPoint

MAX_CHUNKS = 64
MAX_SHIFT = 24
INT16_MAX = 32767


class IntegerDense(nn.Module):
    """Integer affine map of the last dimension, requantised; ReLU if `relu`.

    Args:
        weight: (outputs, inputs) int16.
        bias: (outputs,) int32, in units of the accumulator, rounding half included.
        shift: (outputs,) uint8, right shift of the accumulator.
        relu: clamp below at 0 instead of -limit.
        limit: largest magnitude of an output.
        input_limit: largest magnitude of all inputs or of each, (inputs,), which the preceding
            layers guarantee.

    Raises:
        ValueError: if shapes or dtypes are wrong, or if no exact evaluation is certified.
    """

    weight: Tensor
    bias: Tensor
    shift: Tensor
    _scale: Tensor
    _weight: Tensor
    _bias: Tensor

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        shift: Tensor,
        relu: bool,
        limit: int,
        input_limit: int | Tensor,
    ) -> None:
        super().__init__()
        outputs = len(bias)
        for name, tensor, dtype, shape in [
            ("weight", weight, torch.int16, (outputs, weight.shape[-1])),
            ("bias", bias, torch.int32, (outputs,)),
            ("shift", shift, torch.uint8, (outputs,)),
        ]:
            if tensor.dtype != dtype or tuple(tensor.shape) != shape:
                raise ValueError(
                    f"{name} is {tensor.dtype} {tuple(tensor.shape)}; needed: {dtype} {shape}"
                )
        if shift.numel() and int(shift.max()) > MAX_SHIFT:
            raise ValueError(f"shift is up to {int(shift.max())}; allowed: 0 to {MAX_SHIFT}")
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("shift", shift)
        self.low, self.limit = (0 if relu else -limit), limit
        self.chunks = certified_chunks(weight, bias, input_limit)
        # Float forms for the forward pass; derived, hence not part of the state. Integers scaled by
        # a power of two add up just as exactly.
        scale = 1.0 / (1 << shift.long()).double()
        self.register_buffer("_scale", scale, persistent=False)
        self.register_buffer("_weight", (weight * scale[:, None]).float(), persistent=False)
        self.register_buffer("_bias", (bias * scale).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs), integers in float32, or in float64 after `double()`."""
        carrier = self._weight.dtype
        x = x.to(carrier)
        if self.chunks == 1:  # so the bias is at most 2^24, and `_bias` exact
            total = functional.linear(x, self._weight, self._bias)
        else:
            total = self.bias.double() * self._scale
            chunks = self.chunks if carrier == torch.float32 else 1
            parts = (factor.tensor_split(chunks, dim=-1) for factor in (x, self._weight))
            for a, w in zip(*parts, strict=True):
                total = total + functional.linear(a, w)
        return total.floor_().clamp_(self.low, self.limit).to(carrier)


def certified_chunks(weight: Tensor, bias: Tensor, input_limit: int | Tensor) -> int:
    """The least number of float32 products to split the inputs into so that each is exact.

    A single product includes the bias; the sums of several are accumulated in float64. Raises
    ValueError if `MAX_CHUNKS` do not suffice.
    """
    for chunks in range(1, min(MAX_CHUNKS, weight.shape[1]) + 1):
        if int(largest_sums(weight.double(), bias.double(), input_limit, chunks).max()) <= (
            FLOAT32_EXACT
        ):
            return chunks
    largest = int(torch.as_tensor(input_limit).max())
    raise ValueError(
        f"a layer of {weight.shape[1]} inputs up to {largest} is not exact in float32: "
        "its weights are too large"
    )


def largest_sums(weight: Tensor, bias: Tensor, input_limit: int | Tensor, chunks: int) -> Tensor:
    """The largest partial sum of each output in one product, (outputs,) float64."""
    products = weight.abs() * input_limit
    parts = [part.sum(1) for part in products.tensor_split(chunks, dim=1)]
    sums = torch.stack(parts).amax(dim=0)
    return sums + bias.abs() if chunks == 1 else sums


def quantise_dense(
    weight: Tensor,
    bias: Tensor,
    relu: bool,
    output: FixedPoint,
    input_format: FixedPoint,
    chunk_inputs: int,
    input_limit: int | Tensor | None = None,
) -> IntegerDense:
    """The integer layer nearest to a float one that is exact in a few products.

    The weights of an output are scaled by the largest power of two that the certificate allows.

    Args:
        weight: (outputs, inputs) float.
        bias: (outputs,) float.
        relu: whether the layer ends in a ReLU.
        output, input_format: the number formats on either side.
        chunk_inputs: number of full-range inputs that one float32 product should take; fewer give
            finer weights and a slower layer.
        input_limit: largest magnitude of all inputs or of each, (inputs,); by default that of
            `input_format`.

    Raises:
        ValueError: if the layer does not fit integer arithmetic.
    """
    weight, bias = weight.detach().double().cpu(), bias.detach().double().cpu()
    if input_limit is None:
        input_limit = input_format.limit
    full_inputs = float((torch.ones(weight.shape[1]) * input_limit).sum()) / input_format.limit
    chunks = min(math.ceil(full_inputs / chunk_inputs), MAX_CHUNKS)
    # accumulator = 2^scale w * 2^input_bits x; shifting it right gives 2^output_bits y
    headroom = input_format.fraction_bits - output.fraction_bits

    def scaled(shift: Tensor) -> tuple[Tensor, Tensor]:
        half = torch.where(shift > 0, torch.exp2(shift - 1), 0.0)
        return (
            torch.round(weight * torch.exp2(shift - headroom)[:, None]),
            torch.round(bias * torch.exp2(shift + output.fraction_bits)) + half,
        )

    shift = torch.full((len(bias),), float(MAX_SHIFT), dtype=torch.float64)
    while True:
        integer_weight, integer_bias = scaled(shift)
        too_large = largest_sums(integer_weight, integer_bias, input_limit, chunks)
        too_large = (too_large > FLOAT32_EXACT) | (integer_weight.abs().amax(dim=1) > INT16_MAX)
        too_large |= integer_bias.abs() > FLOAT32_EXACT
        if not too_large.any():
            break
        if bool((shift[too_large] == 0).any()):
            raise ValueError("a layer's weights or biases are too large for integer arithmetic")
        shift = shift - too_large.double()
    return IntegerDense(
        integer_weight.to(torch.int16),
        integer_bias.to(torch.int32),
        shift.to(torch.uint8),
        relu,
        output.limit,
        input_limit,
    )


class IntegerResidual(nn.Module):
    """clamp(x + second(first(x))) in integers."""

    def __init__(self, first: IntegerDense, second: IntegerDense) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width), integers as in `IntegerDense`."""
        limit = self.second.limit
        return self.second(self.first(x)).add_(x).clamp_(-limit, limit)


class IntegerEmbedding(nn.Module):
    """Integers (...) to rows of a table of integers, (..., columns).

    Args:
        table: (count, columns) int16.
        limit: largest magnitude of an entry.

    Raises:
        ValueError: if the table is invalid.
    """

    table: Tensor
    _rows: Tensor

    def __init__(self, table: Tensor, limit: int) -> None:
        super().__init__()
        if table.dtype != torch.int16 or table.ndim != 2:
            raise ValueError(
                f"table is {table.dtype} {tuple(table.shape)}; needed: int16, 2 dimensions"
            )
        if table.numel() and int(table.int().abs().max()) > limit:
            raise ValueError(f"table has entries beyond {limit}, the limit of the number format")
        self.register_buffer("table", table)
        self.register_buffer("_rows", table.float(), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """(...) int64 to (..., columns), carried as in `IntegerDense`."""
        return functional.embedding(values, self._rows)


def quantise_embedding(table: Tensor, output: FixedPoint) -> IntegerEmbedding:
    """Round a float table (count, columns) to integers in a number format."""
    limit = min(output.limit, INT16_MAX)
    rounded = torch.round(table.detach().double().cpu() * output.one).clamp(-limit, limit)
    return IntegerEmbedding(rounded.to(torch.int16), output.limit)
