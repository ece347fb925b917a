"""numba's compiler, with a cache that leaves nothing behind in the package's folder.

The library's functions are compiled even where NUMBA_DISABLE_JIT, by which one debugs functions of
one's own, turns numba off: as Python they would take hours. That setting holds for all others.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import event

_config: Any = numba.config
PACKAGES = ("bitmaps", "exact", "rec")  # those that hold compiled functions, and what they use


def compiled(**options: Any) -> Callable[[Any], Any]:
    """numba.njit, kept in the user's cache; compiled anew in each process where none is writable.

    Not in the package's folder, numba's default: what pip does not know it does not uninstall, and
    the folder that remains would hide an editable installation.
    """

    def decorate(function: Any) -> Any:
        cache_folder = _config.CACHE_DIR or _cache_folder()
        with _set("DISABLE_JIT", 0), _set("CACHE_DIR", cache_folder):
            try:
                return numba.njit(function, error_model="numpy", cache=True, **options)
            except RuntimeError:  # numba found no place for its cache
                return numba.njit(function, error_model="numpy", **options)

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


@cache
def _cache_folder() -> str:
    """Named by the sources of all kernels: numba itself looks only at the file that one is in."""
    packages = (Path(__file__).parent / name for name in PACKAGES)
    sources = sorted(path for package in packages for path in package.rglob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(caches, "recvae", digest[:16])


kernel = compiled()
threaded = compiled(nogil=True)  # several at once in as many threads of Python
inlined = compiled(forceinline=True)
