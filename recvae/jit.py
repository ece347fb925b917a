"""numba's compiler, with a cache of ours.

The library's functions are compiled even where NUMBA_DISABLE_JIT, by which one debugs functions of
one's own, turns numba off: as Python they would take hours. That setting holds for all others.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numba
from numba.core import event

from recvae.kernel_cache import KernelCache

_config: Any = numba.config


def compiled(**options: Any) -> Callable[[Any], Any]:
    """numba.njit, kept in the user's cache; compiled anew in each process where that fails."""

    def decorate(function: Any) -> Any:
        with _set("DISABLE_JIT", 0):
            dispatcher = numba.njit(function, error_model="numpy", **options)
        with suppress(OSError):  # without its source nobody can tell what became of it
            dispatcher._cache = KernelCache(dispatcher)
        return dispatcher

    return decorate


@contextmanager
def _set(name: str, value: Any) -> Iterator[None]:
    """A setting of numba's for a while."""
    before = getattr(_config, name)
    setattr(_config, name, value)
    try:
        yield
    finally:
        setattr(_config, name, before)


class _WhileCompiling(event.Listener):
    """Lets numba compile what a function needs of numba itself, whatever NUMBA_DISABLE_JIT says."""

    def __init__(self) -> None:
        self._before: list[int] = []

    def on_start(self, _: event.Event) -> None:
        """Before a function is compiled, maybe for another one."""
        _config.reload_config()  # from the environment: the compiler's next step, if that changed
        self._before.append(_config.DISABLE_JIT)
        _config.DISABLE_JIT = 0

    def on_end(self, _: event.Event) -> None:
        """When it is, or cannot be."""
        _config.DISABLE_JIT = self._before.pop()


event.register("numba:compile", _WhileCompiling())


kernel = compiled()
threaded = compiled(nogil=True)  # several at once in as many threads of Python
inlined = compiled(forceinline=True)
