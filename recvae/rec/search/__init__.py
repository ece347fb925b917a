"""The search through candidates: inputs, results, and backends.

    results = search(SearchInputs(...), Race(keep=4), "auto", chunk_elements)

`eager` is the reference, in plain torch for any device; `shared` scores items that share all their
candidates by one matrix product; `numba` is compiled for CPUs, `triton` for GPUs.
"""

from recvae.rec.search import eager, numba, shared, triton
from recvae.rec.search.dispatch import (
    BACKENDS,
    Backend,
    BackendFailure,
    BackendFailureWarning,
    check_implementation,
    register_backend,
    search,
)
from recvae.rec.search.inputs import (
    BestCandidates,
    FirstAccepted,
    Race,
    RaceToEnd,
    SearchInputs,
    StoppingRule,
    item_slices,
)

register_backend(eager.BACKEND)
register_backend(numba.BACKEND)
register_backend(triton.BACKEND)
register_backend(shared.BACKEND)

__all__ = [
    "BACKENDS",
    "Backend",
    "BackendFailure",
    "BackendFailureWarning",
    "BestCandidates",
    "FirstAccepted",
    "Race",
    "RaceToEnd",
    "SearchInputs",
    "StoppingRule",
    "check_implementation",
    "item_slices",
    "register_backend",
    "search",
]
