"""What all kernels of the search share."""

import numpy as np

SEGMENT = 256
"""Candidates that the kernels work on at a time."""

U64 = np.uint64
