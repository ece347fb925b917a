"""The choice of a search backend, by device, rule and size: decided in this one place.

A backend gives exactly the codes of the eager reference; `tests/rec/backends.py` checks every
registered one.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

from recvae.rec.search.inputs import BestCandidates, SearchInputs, StoppingRule

AUTO = "auto"
ALIASES = {"fused": "numba"}


def _anything(inputs: SearchInputs, rule: StoppingRule) -> str | None:
    return None


def _by_name_alone(inputs: SearchInputs, rule: StoppingRule) -> bool:
    return False


@dataclass(frozen=True)
class Backend:
    """An implementation of the search.

    Args:
        name: its name for `implementation` of a coder.
        search: from inputs, rule and chunk_elements, which bounds its memory in elements of 8 bytes
            per temporary, to results.
        needs: what it is missing to serve inputs and a rule, in words; None if it serves them.
        suits: whether "auto" takes it for inputs and a rule that it serves.
    """

    name: str
    search: Callable[[SearchInputs, StoppingRule, int], BestCandidates]
    needs: Callable[[SearchInputs, StoppingRule], str | None] = _anything
    suits: Callable[[SearchInputs, StoppingRule], bool] = _by_name_alone


BACKENDS: dict[str, Backend] = {}
"""By name; "auto" tries the last registered first."""

_failed: set[str] = set()
"""Backends that "auto" avoids, since they have failed once."""


class BackendFailure(RuntimeError):
    """Raised, with one line, by a backend that serves the inputs but cannot run here."""

    @staticmethod
    def of(error: Exception) -> "BackendFailure":
        """Make one from an error of a library or a driver."""
        lines = str(error).strip().splitlines() or [""]
        return BackendFailure(f"{type(error).__name__}: {lines[0]}")


class BackendFailureWarning(UserWarning):
    """A backend failed, and another one takes over."""


def register_backend(backend: Backend) -> None:
    """Register a backend. Raises ValueError if its name is taken."""
    if backend.name in (AUTO, *ALIASES, *BACKENDS):
        raise ValueError(f"name: got {backend.name!r}, need one that is not taken")
    BACKENDS[backend.name] = backend


def check_implementation(name: str) -> None:
    """Raise ValueError unless `name` is "auto", a backend or an alias of one."""
    known = (AUTO, *BACKENDS, *ALIASES)
    if name not in known:
        raise ValueError(f"implementation: got {name!r}, need one of {', '.join(map(repr, known))}")


def search(
    inputs: SearchInputs, rule: StoppingRule, implementation: str, chunk_elements: int
) -> BestCandidates:
    """Search with a backend by name, or with the best one for "auto".

    If a backend chosen by "auto" fails, warn once; the next best takes over from then on.

    Raises:
        ValueError: if the backend named cannot serve inputs and rule.
        BackendFailure: if that backend fails.
    """
    while True:
        backend = choose_backend(inputs, rule, implementation)
        try:
            return backend.search(inputs, rule, chunk_elements)
        except BackendFailure as error:
            if implementation != AUTO:
                raise
            _failed.add(backend.name)
            warnings.warn(
                f"search by {backend.name!r} failed; a slower backend takes over with the same "
                f"codes; please report: {error}",
                BackendFailureWarning,
                stacklevel=2,
            )


def choose_backend(inputs: SearchInputs, rule: StoppingRule, implementation: str) -> Backend:
    """The backend that `search` uses; raises as it does."""
    if implementation == AUTO:
        return next(
            backend
            for backend in reversed(BACKENDS.values())
            if backend.name not in _failed
            and backend.suits(inputs, rule)
            and backend.needs(inputs, rule) is None
        )
    backend = BACKENDS[ALIASES.get(implementation, implementation)]
    if missing := backend.needs(inputs, rule):
        raise ValueError(f"implementation: got {implementation!r}, need {missing}")
    return backend
