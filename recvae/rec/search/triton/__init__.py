"""The search compiled by Triton, for GPUs.

One program searches one item, a tile of candidates at a time (`kernel`). It screens in float32 and
scores the few that may lead in float64 as the eager code does, so the codes are the eager ones on
the same device. Partitions are data, not code: a few kernels serve all of them.
"""

import importlib.util
import os

import torch

from recvae.rec.search.dispatch import Backend, BackendFailure
from recvae.rec.search.inputs import (
    BestCandidates,
    FirstAccepted,
    Race,
    RaceToEnd,
    SearchInputs,
    StoppingRule,
)

MAX_KEEP = 256  # beyond this, registers would spill
OLDEST_CAPABILITY = (8, 0)


def interprets() -> bool:
    """Whether Triton runs kernels in its interpreter on CPU tensors, for tests."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def needs(inputs: SearchInputs, rule: StoppingRule) -> str | None:
    """Tensors on a GPU that Triton compiles for, and a rule that the kernels know."""
    device = inputs.device
    if device.type != ("cpu" if interprets() else "cuda"):
        return f"CUDA tensors for it, not {device} ones"
    if importlib.util.find_spec("triton") is None:
        return "the package triton, which is not installed"
    if device.type == "cuda" and torch.version.hip is None:
        capability = torch.cuda.get_device_capability(device)
        if capability < OLDEST_CAPABILITY:
            return "a GPU of compute capability 8.0 or above, not {}.{}".format(*capability)
    if type(rule) not in (Race, RaceToEnd, FirstAccepted):  # subclasses are unknown to it
        return "a rule that it knows"
    return f"keep of at most {MAX_KEEP}" if rule.keep > MAX_KEEP else None


def search(inputs: SearchInputs, rule: StoppingRule, chunk_elements: int) -> BestCandidates:
    """See `backend.search`."""
    try:
        # triton takes long to import, and only this needs it.
        from recvae.rec.search.triton import backend
    except Exception as error:
        raise BackendFailure.of(error) from error
    return backend.search(inputs, rule)


BACKEND = Backend("triton", search, needs, suits=lambda inputs, rule: not interprets())
