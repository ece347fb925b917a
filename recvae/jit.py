"""numba's compiler, with the package's own cache.

The package's functions are compiled even if NUMBA_DISABLE_JIT, which people set to debug their own
functions, turns numba off: in Python they would take hours. It still applies to other functions.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numba
from numba.core import event

from recvae.kernel_cache import KernelCache

_config: Any = numba.config


def compiled(**options: Any) -> Callable[[Any], Any]:
    """`numba.njit` with the user's cache; without one, each process compiles anew."""

    def decorate(function: Any) -> Any:
        with _set("DISABLE_JIT", 0):
            dispatcher = numba.njit(function, error_model="numpy", **options)
        with suppress(OSError):  # without its source, changes would go unnoticed
            dispatcher._cache = KernelCache(dispatcher)
        return dispatcher

    return decorate


@contextmanager
def _set(name: str, value: Any) -> Iterator[None]:
    """Set an option of numba for the block."""
    before = getattr(_config, name)
    setattr(_config, name, value)
    try:
        yield
    finally:
        setattr(_config, name, before)


class _WhileCompiling(event.Listener):
    """Lets numba compile its own functions for ours, whatever NUMBA_DISABLE_JIT says."""

    def __init__(self) -> None:
        self._before: list[int] = []

    def on_start(self, _: event.Event) -> None:
        """Called before a function is compiled, possibly for another one."""
        _config.reload_config()  # the compiler would do so next if the environment changed
        self._before.append(_config.DISABLE_JIT)
        _config.DISABLE_JIT = 0

    def on_end(self, _: event.Event) -> None:
        """Called after it is compiled or has failed."""
        _config.DISABLE_JIT = self._before.pop()


event.register("numba:compile", _WhileCompiling())


kernel = compiled()
threaded = compiled(nogil=True)  # runs in several Python threads at once
inlined = compiled(forceinline=True)

# The same for functions that allocate nothing: without the atomic operations by which numba counts
# references to arrays, which take longer than the work of a small function.
bare = compiled(_nrt=False)
bare_threaded = compiled(_nrt=False, nogil=True)
bare_inlined = compiled(_nrt=False, forceinline=True)

# Compiled only within its caller, of which there should be one. LLVM optimises others alone, then
# again within each caller, then within the callers of these.
bare_part = compiled(_nrt=False, inline="always")
