"""The prior's quantile of one position, bit-identical to `exact.gaussian`."""

import numpy as np

from recvae.exact.gaussian import FIRST_ENTRY, MANTISSA_BITS, REST_BITS
from recvae.jit import inlined
from recvae.rec.search.numba.constants import U64
from recvae.rec.search.numba.words import MASK

_ENTRY_SHIFT, _REST_SHIFT = U64(52 - MANTISSA_BITS), U64(52 - MANTISSA_BITS - REST_BITS)
_FIRST_ENTRY, _REST_MASK = U64(FIRST_ENTRY), (1 << REST_BITS) - 1


@inlined
def quantile(position, table):
    """z of a position in [0, 2^32), an integer in units of 2^-28; table: `gaussian_table()`."""
    pattern = np.float64(np.float64(min(position, MASK - position)) + 0.5).view(np.uint64)
    entry = (pattern >> _ENTRY_SHIFT) - _FIRST_ENTRY
    rest = np.int64(pattern >> _REST_SHIFT) & _REST_MASK
    drop = np.int64(table[entry]) - np.int64(table[entry + U64(1)])
    magnitude = np.int64(table[entry]) - (drop * rest >> REST_BITS)
    return magnitude if position > MASK >> U64(1) else -magnitude
