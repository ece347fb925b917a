"""The search compiled by Triton, for GPUs: one kernel, a program an item."""

import importlib.util
import os

from recvae.rec.search.dispatch import Backend
from recvae.rec.search.inputs import (
    BestCandidates,
    FirstAccepted,
    Race,
    RaceToEnd,
    SearchInputs,
    StoppingRule,
)

MAX_KEEP = 1024


def interprets() -> bool:
    """Whether Triton runs kernels in its interpreter, on tensors of the CPU; for tests."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def needs(inputs: SearchInputs, rule: StoppingRule) -> str | None:
    """Tensors on a GPU, and a rule that the kernel knows."""
    if importlib.util.find_spec("triton") is None:
        return "the package triton, which is not installed"
    if inputs.device.type != ("cpu" if interprets() else "cuda"):
        return f"CUDA tensors for it, not {inputs.device} ones"
    if type(rule) not in (Race, RaceToEnd, FirstAccepted):  # of a kind of them it knows nothing
        return "a rule that it knows"
    return f"keep of at most {MAX_KEEP}" if rule.keep > MAX_KEEP else None


def search(inputs: SearchInputs, rule: StoppingRule, chunk_elements: int) -> BestCandidates:
    """See `backend.search`."""
    # triton takes long to import, and only this needs it.
    from recvae.rec.search.triton import backend

    return backend.search(inputs, rule)


BACKEND = Backend("triton", search, needs, suits=lambda inputs, rule: not interprets())
