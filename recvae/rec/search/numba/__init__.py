"""The search compiled by numba, for CPUs.

All candidates are screened in float32: `screen` bounds their scores from above, four dimensions at
a time, those that lower the bound most first, and drops candidates that cannot lead. The remaining
ones are scored one by one as in the eager code (`winners`), and only these scores count.

Candidates are processed in segments that stay in the first-level cache. Each step is a separate
loop over a segment: those without table look-ups become vector instructions. For that, indices are
unsigned (one that cannot be negative needs no wraparound), and integers become floats from int32 or
uint32 (CPUs without AVX-512 convert 64 bits one by one). No floating-point operations are
contracted or reordered.
"""

from recvae.rec.search.dispatch import Backend
from recvae.rec.search.inputs import (
    BestCandidates,
    FirstAccepted,
    Race,
    RaceToEnd,
    SearchInputs,
    StoppingRule,
)


def needs(inputs: SearchInputs, rule: StoppingRule) -> str | None:
    """Tensors on the CPU, and a rule that the kernel knows."""
    if inputs.device.type != "cpu":
        return f"CPU tensors for it, not {inputs.device} ones"
    known = type(rule) in (Race, RaceToEnd, FirstAccepted)  # subclasses are unknown to it
    return None if known else "a rule that it knows"


def search(inputs: SearchInputs, rule: StoppingRule, chunk_elements: int) -> BestCandidates:
    """See `backend.search`."""
    # numba takes long to import, and only this needs it.
    from recvae.rec.search.numba import backend

    return backend.search(inputs, rule)


BACKEND = Backend("numba", search, needs, suits=lambda inputs, rule: True)
