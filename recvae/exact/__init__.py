"""Integer arithmetic that gives the same bits on every machine."""

from recvae.exact.arithmetic import FixedPoint, exact_arithmetic
from recvae.exact.frequencies import PRECISION_BITS, TOTAL, frequencies
from recvae.exact.gaussian import FRACTION_BITS, quantile, to_float
from recvae.exact.layers import (
    IntegerDense,
    IntegerEmbedding,
    IntegerResidual,
    quantise_dense,
    quantise_embedding,
)

__all__ = [
    "FRACTION_BITS",
    "PRECISION_BITS",
    "TOTAL",
    "FixedPoint",
    "IntegerDense",
    "IntegerEmbedding",
    "IntegerResidual",
    "exact_arithmetic",
    "frequencies",
    "quantile",
    "quantise_dense",
    "quantise_embedding",
    "to_float",
]
