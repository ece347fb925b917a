"""numba's compiler, with a cache that leaves nothing behind in the package's folder."""

import os
from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Any], Any]:
    """numba.njit, kept in the user's cache; compiled anew in each process where none is writable.

    Not in the package's folder, numba's default: what pip does not know it does not uninstall, and
    the folder that remains would hide an editable installation.
    """

    def decorate(function: Any) -> Any:
        config: Any = numba.config
        before = config.CACHE_DIR
        config.CACHE_DIR = before or _cache_folder()
        try:
            return numba.njit(function, error_model="numpy", cache=True, **options)
        except RuntimeError:  # numba found no place for its cache
            return numba.njit(function, error_model="numpy", **options)
        finally:
            config.CACHE_DIR = before

    return decorate


def _cache_folder() -> str:
    return os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "recvae"
    )
