"""The search of `search_fused`, compiled by numba.

All candidates are screened in float32: `screen` bounds their scores from above, dimension after
dimension, and drops those that cannot lead. Those that are left at the end are scored one by one as
the eager code does it (`winners`), and only these scores count.

Candidates go through in strips that stay in the first-level cache. Each step is a loop over a strip
of its own: those without table look-ups become vector instructions. What that takes: indices are
unsigned (one that cannot be negative needs no wraparound), and integers become floats from int32 or
uint32 (CPUs without AVX-512 convert 64 bits one by one). No floating-point operations are
contracted or reordered.
"""
