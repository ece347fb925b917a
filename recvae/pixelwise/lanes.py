"""The two loops of an adaptive filter, for kernels, in LLVM's own vectors of 16 lanes.

numba leaves loops to LLVM's vectoriser, which takes steps of 64: too long for filters.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

LANES = 16
WEIGHT_BITS = 16  # a weight of 1 is 2^16
MAX_WEIGHT = 1 << 18
DOT_SHIFT = 2  # right shift of weights, so that sums fit 32 bits
UPDATE_SHIFT = 8

_INT32 = ir.IntType(32)
_VECTOR = ir.VectorType(_INT32, LANES)
_intrinsic: Any = intrinsic  # calls pass one argument less than the definition


@_intrinsic
def dot(_: Any, weights: Any, row: Any, differences: Any) -> Any:
    """Sum of (weights[row, d] >> 2) * differences[d] over all d, modulo 2^32; int32.

    weights: int32 (rows, d), differences: int32 (d,), contiguous, d a multiple of 16.
    """
    _check(weights, differences)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        total = cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, None))
        shift = ir.Constant(_VECTOR, [DOT_SHIFT] * LANES)

        def body(weight_at: Any, difference_at: Any) -> None:
            weight = builder.ashr(builder.load(weight_at, align=4), shift)
            product = builder.mul(weight, builder.load(difference_at, align=4))
            builder.store(builder.add(builder.load(total), product), total)

        _for_lanes(context, builder, signature, arguments, body)
        kind = ir.FunctionType(_INT32, (_VECTOR,))
        name = f"llvm.vector.reduce.add.v{LANES}i32"
        reduce = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(reduce, [builder.load(total)])

    return types.int32(weights, row, differences), generate


@_intrinsic
def update(_: Any, weights: Any, row: Any, differences: Any, step: Any) -> Any:
    """weights[row, d] += (step * differences[d]) >> 8 for all d, clamped to -2^18 to 2^18.

    Arrays as in `dot`; step: int32. Products are modulo 2^32.
    """
    _check(weights, differences)
    if step != types.int32:
        raise TypingError(f"step is {step}, not int32")

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        shift, high, low = (
            ir.Constant(_VECTOR, [number] * LANES)
            for number in (UPDATE_SHIFT, MAX_WEIGHT, -MAX_WEIGHT)
        )
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        alone = builder.insert_element(nothing, arguments[3], ir.Constant(_INT32, 0))
        first = ir.Constant(_VECTOR, [0] * LANES)
        steps = builder.shuffle_vector(alone, nothing, first)

        def body(weight_at: Any, difference_at: Any) -> None:
            change = builder.mul(steps, builder.load(difference_at, align=4))
            weight = builder.add(builder.load(weight_at, align=4), builder.ashr(change, shift))
            weight = builder.select(builder.icmp_signed(">", weight, high), high, weight)
            weight = builder.select(builder.icmp_signed("<", weight, low), low, weight)
            builder.store(weight, weight_at, align=4)

        _for_lanes(context, builder, signature, arguments, body)
        return context.get_dummy_value()

    return types.void(weights, row, differences, step), generate


def _check(weights: Any, differences: Any) -> None:
    for array, dimensions in ((weights, 2), (differences, 1)):
        if (array.dtype, array.ndim, array.layout) != (types.int32, dimensions, "C"):
            raise TypingError(f"{array} is not int32 in {dimensions} dimensions, contiguous")


def _for_lanes(
    context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any, body: Any
) -> None:
    """Call `body` in a loop with pointers to 16 weights of the row and their differences."""
    weights, differences = (
        context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2)
    )
    size = cgutils.unpack_tuple(builder, differences.shape)[0]
    row = context.cast(builder, arguments[1], signature.args[1], types.intp)
    start = builder.mul(row, size)
    lanes = ir.Constant(size.type, LANES)
    with cgutils.for_range(builder, builder.udiv(size, lanes)) as loop:
        index = builder.mul(loop.index, lanes)
        places = (
            builder.bitcast(builder.gep(array.data, [place]), _VECTOR.as_pointer())
            for array, place in ((weights, builder.add(start, index)), (differences, index))
        )
        body(*places)
