"""A cache of compiled functions between processes, which is never required.

Problems with it only cost time: unreadable files are compiled anew, and a failure to write is
reported once. numba's own cache raises in both cases, trusts whatever its files hold, and falls
back to the package's folder: pip does not uninstall files it does not know, and the folder left
over would hide an editable installation.
"""

import errno
import hashlib
import logging
import os
import pickle
import secrets
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

# Packages with compiled functions, and what they use.
PACKAGES = ("bitmaps", "codec", "exact", "kernels", "pixelwise", "rec", "vae")
VERSIONS = numba.__version__, llvmlite.__version__, sys.implementation.cache_tag
DIGEST_BYTES = 32


class KernelCache(NullCache):
    """The compiled forms of a function, a file for each signature: a SHA-256, then the code.

    The file's name depends on everything that the code depends on. Raises OSError without source.
    """

    def __init__(self, dispatcher: Any) -> None:
        self._function = function = dispatcher.py_func
        source = _sha256(Path(function.__code__.co_filename).read_bytes())
        line = function.__code__.co_firstlineno
        self._identity = source, line, function.__qualname__, dispatcher.targetoptions
        self._folder = _caches() / "recvae" / digest_of_sources()

    @property
    def cache_path(self) -> str:
        """The folder of the files, which may not exist yet."""
        return str(self._folder)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Load the compiled form; None if there is no valid one, and numba compiles."""
        target.refresh()
        with suppress(Exception):
            data = self._path(signature, target.codegen()).read_bytes()
            digest, code = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
            if digest == _sha256(code):
                return CompileResult._rebuild(target, *pickle.loads(code))
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Store what numba has compiled, or report why not."""
        try:
            if result.library.has_dynamic_globals:
                raise ValueError(f"{self._function.__qualname__} holds addresses of this process")
            code = dumps(result._reduce())
            _write(self._path(signature, result.codegen), _sha256(code) + code)
        except Exception as error:
            _tell(self._folder, getattr(error, "strerror", None) or repr(error))

    def _path(self, signature: Any, codegen: Any) -> Path:
        if not self._folder.is_absolute():
            raise OSError(errno.ENOENT, "no home folder is known")
        around = dumps([cell.cell_contents for cell in self._function.__closure__ or ()])
        key = repr((self._identity, around, signature, codegen.magic_tuple(), VERSIONS))
        return self._folder / f"{self._function.__name__}-{_sha256(key.encode()).hex()[:32]}"


@cache
def digest_of_sources() -> str:
    """Digest of all kernels' sources, computed once: a function may call those of other files."""
    packages = (Path(__file__).parent / name for name in PACKAGES)
    sources = (path for package in packages for path in package.rglob("*.py"))
    digests = [_sha256(path.read_bytes()) for path in sorted(sources) if path.is_file()]
    return _sha256(b"".join(digests)).hex()[:16]


def _caches() -> Path:
    """numba's folder if set, else the user's caches; relative if the home is unknown."""
    config: Any = numba.config
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR).absolute()
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = os.path.expanduser(os.environ.get("HOME", "~"))
    return named if named.is_absolute() else Path(home, ".cache")


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, even if other processes write it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@cache  # once in a process, not for each function
def _tell(folder: Path, reason: str) -> None:
    logging.getLogger("recvae").warning(
        "compiled code cannot be kept in %s: %s; every start will compile again"
        " (set NUMBA_CACHE_DIR to another folder)",
        folder,
        reason,
    )
