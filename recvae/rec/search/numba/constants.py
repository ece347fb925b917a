"""Constants shared by all kernels of the search."""

import numpy as np

SEGMENT = 256
"""Number of candidates that the kernels process at a time."""

U64 = np.uint64
