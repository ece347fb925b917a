"""Compiled functions, kept from one process to the next: a cache that one can do without.

What goes wrong with it costs time and nothing else: what cannot be read is compiled anew, what
cannot be written is said once. numba's own cache raises both, believes whatever its files hold, and
goes into the package's folder where it finds no other: what pip does not know it does not
uninstall, and the folder that remains would hide an editable installation.
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

# Those that hold compiled functions, and what they use.
PACKAGES = ("bitmaps", "codec", "exact", "kernels", "pixelwise", "rec", "vae")
VERSIONS = numba.__version__, llvmlite.__version__, sys.implementation.cache_tag
DIGEST_BYTES = 32


class KernelCache(NullCache):
    """The compiled forms of a function, a file a signature: a SHA-256, and the code that it is of.

    The file's name depends on all that the code does. Raises OSError if there is no source.
    """

    def __init__(self, dispatcher: Any) -> None:
        self._function = function = dispatcher.py_func
        source = _sha256(Path(function.__code__.co_filename).read_bytes())
        line = function.__code__.co_firstlineno
        self._identity = source, line, function.__qualname__, dispatcher.targetoptions
        self._folder = _caches() / "recvae" / digest_of_sources()

    @property
    def cache_path(self) -> str:
        """The folder of the files, which need not exist."""
        return str(self._folder)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The compiled form; None unless there is one in order: numba compiles then."""
        target.refresh()
        with suppress(Exception):
            data = self._path(signature, target.codegen()).read_bytes()
            digest, code = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
            if digest == _sha256(code):
                return CompileResult._rebuild(target, *pickle.loads(code))
        return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keeps what numba has compiled, or says why not."""
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
    """Of all kernels, when first asked: a function's own file does not tell what it calls."""
    packages = (Path(__file__).parent / name for name in PACKAGES)
    sources = (path for package in packages for path in package.rglob("*.py"))
    digests = [_sha256(path.read_bytes()) for path in sorted(sources) if path.is_file()]
    return _sha256(b"".join(digests)).hex()[:16]


def _caches() -> Path:
    """What numba is told, else the user's caches; relative where no home is known."""
    config: Any = numba.config
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR).absolute()
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = os.path.expanduser(os.environ.get("HOME", "~"))
    return named if named.is_absolute() else Path(home, ".cache")


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, whoever else writes it at the same time."""
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
        "compiled code cannot be kept in %s: %s; every start compiles anew"
        " (NUMBA_CACHE_DIR names another folder)",
        folder,
        reason,
    )
