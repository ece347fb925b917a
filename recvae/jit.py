"""numba's compiler, with a cache that leaves nothing behind in the package's folder."""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

PACKAGES = ("bitmaps", "exact", "rec")  # those that hold compiled functions, and what they use


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
