"""The search compiled by numba, for CPUs.

All candidates are screened in float32: `screen` bounds their scores from above, four dimensions
after four, those first that take most away, and drops those that cannot lead. Those that are left
at the end are scored one by one as the eager code does it (`winners`), and only these scores count.

Candidates go through in segments that stay in the first-level cache. Each step is a loop of its
own over a segment: those without table look-ups become vector instructions. What that takes:
indices are unsigned (one that cannot be negative needs no wraparound), and integers become floats
from int32 or uint32 (CPUs without AVX-512 convert 64 bits one by one). No floating-point operations
are contracted or reordered.
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
    """Tensors on CPU, and a rule that the kernel knows."""
    if inputs.device.type != "cpu":
        return f"CPU tensors for it, not {inputs.device} ones"
    known = type(rule) in (Race, RaceToEnd, FirstAccepted)  # of a kind of them it knows nothing
    return None if known else "a rule that it knows"


def search(inputs: SearchInputs, rule: StoppingRule, chunk_elements: int) -> BestCandidates:
    """See `backend.search`."""
    # numba takes long to import, and only this needs it.
    from recvae.rec.search.numba import backend

    return backend.search(inputs, rule)


BACKEND = Backend("numba", search, needs, suits=lambda inputs, rule: True)
