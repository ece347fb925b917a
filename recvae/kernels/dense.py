"""A dense layer of one vector in integers, for kernels: the same sums on every machine.

The loop is written in LLVM's own vectors, since numba's loops add across a vector for each output,
which costs as much as the products. Here each lane is an output, and inputs come in pairs: for
these x86 has instructions (vpmaddwd, vpdpwssd), and LLVM emulates them elsewhere.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numpy.typing import NDArray

from recvae.jit import bare_inlined

LANES = 16
ALIGNED_BYTES = 64  # a vector across two cache lines is read twice

_INT16, _INT32 = ir.IntType(16), ir.IntType(32)
_PAIRED, _SUMS = ir.VectorType(_INT16, 2 * LANES), ir.VectorType(_INT32, LANES)
_PRODUCTS = ir.VectorType(_INT32, 2 * LANES)
_intrinsic: Any = intrinsic(prefer_literal=True)  # sees the number of vectors of a call


def pack(weights: NDArray[np.int16]) -> NDArray[np.int16]:
    """Weights (outputs, inputs) in the form for add_products: (pairs of inputs, outputs, 2).

    Inputs are padded with zeros to an even number, outputs to a multiple of LANES.
    """
    outputs, inputs = weights.shape
    shape = -(-inputs // 2), -(-outputs // LANES) * LANES, 2
    packed = aligned(int(np.prod(shape))).reshape(shape)
    for odd in range(2):
        half = weights[:, odd::2].T
        packed[: half.shape[0], :outputs, odd] = half
    return packed


def aligned(size: int) -> NDArray[np.int16]:
    """Zeros (size,) at an address where a vector lies in one cache line."""
    memory = np.zeros(2 * size + ALIGNED_BYTES, np.uint8)
    start = -memory.ctypes.data % ALIGNED_BYTES
    return memory[start : start + 2 * size].view(np.int16)


@bare_inlined
def add_products(packed: Any, inputs: Any, sums: Any) -> None:
    """sums[o] += sum_i weights[o, i] * inputs[i], modulo 2^32, for kernels only.

    Arguments, all contiguous; inputs and sums may be longer than needed, the rest is not touched:
        packed: int16 (pairs, outputs, 2) from pack
        inputs: int16, 2 * pairs of them
        sums: int32, as many as packed has outputs; initialise them with the bias

    Raises ValueError if the sizes do not fit.
    """
    pairs, outputs, two = packed.shape
    if outputs % LANES or two != 2 or inputs.size < 2 * pairs or sums.size < outputs:
        raise ValueError("sizes of weights, inputs and sums do not fit")
    for first in range(0, outputs - 63, 64):
        _add_block(packed, inputs, sums, first, 4)
    if outputs & 32:
        _add_block(packed, inputs, sums, outputs // 64 * 64, 2)
    if outputs & 16:
        _add_block(packed, inputs, sums, outputs - 16, 1)


@_intrinsic
def _add_block(_: Any, packed: Any, inputs: Any, sums: Any, first: Any, vectors: Any) -> Any:
    """The outputs from `first` on, LANES * vectors of them, with sums held in registers.

    Even and odd pairs have separate sums, as a sum is ready some cycles after its product.
    """
    expected = (types.int16, 3), (types.int16, 1), (types.int32, 1)
    for array, (dtype, dimensions) in zip((packed, inputs, sums), expected, strict=True):
        if (array.dtype, array.ndim, array.layout) != (dtype, dimensions, "C"):
            raise TypingError(f"{array} is not {dtype} in {dimensions} dimensions, contiguous")
    count = vectors.literal_value

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        weights, values, results = (
            context.make_array(kind)(context, builder, argument)
            for kind, argument in zip(signature.args[:3], arguments[:3], strict=True)
        )
        pairs, outputs, _ = cgutils.unpack_tuple(builder, weights.shape)
        one, two = (ir.Constant(pairs.type, number) for number in (1, 2))

        def vector(data: Any, index: Any, number: int, kind: Any) -> Any:
            """Pointer to the vector `number` of those that begin at data[index]."""
            index = builder.add(index, ir.Constant(index.type, number * kind.count))
            return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())

        def add(pair: Any, accumulators: list[Any]) -> None:
            repeated = _repeat_pair(builder, values.data, builder.mul(pair, two))
            start = builder.mul(builder.add(builder.mul(pair, outputs), arguments[3]), two)
            for number, accumulator in enumerate(accumulators):
                weight = builder.load(vector(weights.data, start, number, _PAIRED), align=2)
                products = _multiply_pairs(builder, weight, repeated)
                builder.store(builder.add(builder.load(accumulator), products), accumulator)

        even, odd = ([cgutils.alloca_once(builder, _SUMS) for _ in range(count)] for _ in range(2))
        places = [vector(results.data, arguments[3], number, _SUMS) for number in range(count)]
        for number, place in enumerate(places):
            builder.store(builder.load(place, align=4), even[number])
            builder.store(ir.Constant(_SUMS, None), odd[number])
        with cgutils.for_range(builder, builder.lshr(pairs, one)) as loop:
            pair = builder.mul(loop.index, two)
            add(pair, even)
            add(builder.add(pair, one), odd)
        with builder.if_then(builder.trunc(pairs, ir.IntType(1))):
            add(builder.sub(pairs, one), even)
        for number, place in enumerate(places):
            total = builder.add(builder.load(even[number]), builder.load(odd[number]))
            builder.store(total, place, align=4)
        return context.get_dummy_value()

    return types.void(packed, inputs, sums, types.intp, vectors), generate


def _repeat_pair(builder: ir.IRBuilder, values: Any, index: Any) -> Any:
    """A vector that repeats the two numbers at values[index]."""
    place = builder.bitcast(builder.gep(values, [index]), _INT32.as_pointer())
    nothing = ir.Constant(_SUMS, ir.Undefined)
    pair = builder.load(place, align=2)
    alone = builder.insert_element(nothing, pair, ir.Constant(_INT32, 0))
    return builder.bitcast(builder.shuffle_vector(alone, nothing, _lanes([0] * LANES)), _PAIRED)


def _multiply_pairs(builder: ir.IRBuilder, weights: Any, inputs: Any) -> Any:
    """The sum of the two products of each pair, in the form that LLVM recognises as vpmaddwd."""
    products = builder.mul(builder.sext(weights, _PRODUCTS), builder.sext(inputs, _PRODUCTS))
    nothing = ir.Constant(_PRODUCTS, ir.Undefined)
    first, second = (
        builder.shuffle_vector(products, nothing, _lanes(range(odd, 2 * LANES, 2)))
        for odd in range(2)
    )
    return builder.add(first, second)


def _lanes(numbers: Any) -> Any:
    numbers = [ir.Constant(_INT32, number) for number in numbers]
    return ir.Constant(ir.VectorType(_INT32, len(numbers)), numbers)
