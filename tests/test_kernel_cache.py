"""The cache of compiled functions: it saves time where it can, and costs nothing but time else."""

import hashlib
import os
import pickle
import resource
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import recvae
from recvae import jit, kernel_cache
from recvae.files import atomic_file

ROOT = Path(recvae.__file__).parent


def test_packages_that_compile_name_the_cache() -> None:
    """One left out would leave stale code behind when its constants change."""
    texts = {path.relative_to(ROOT): path.read_text() for path in ROOT.rglob("*.py")}
    compiling = {path.parts[0] for path, text in texts.items() if "from recvae.jit import" in text}
    assert compiling
    assert compiling <= set(kernel_cache.PACKAGES)
    assert all((ROOT / package).is_dir() for package in kernel_cache.PACKAGES)


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's caches, none of them told to numba; the working directory is another."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "caches"


def add_one(number: int) -> int:
    return number + 1


def double(number: int) -> int:
    return 2 * number


def is_loaded(function: Any = add_one) -> bool:
    """Whether what another process would do takes its code from the cache."""
    dispatcher = jit.kernel(function)
    assert dispatcher(3) == function(3)
    return bool(dispatcher.stats.cache_hits)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


def changed(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def foreign(data: bytes) -> bytes:
    code = pickle.dumps("what another program kept")
    return hashlib.sha256(code).digest() + code


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
    "cut in its digest": lambda data: data[:20],
    "zeros": lambda data: bytes(len(data)),
    "a bit of its code": changed,
    "foreign": foreign,
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_file_is_compiled_anew_and_replaced(caches: Path, name: str) -> None:
    assert [is_loaded(), is_loaded()] == [False, True]
    (path,) = files(caches)
    path.write_bytes(DAMAGES[name](path.read_bytes()))
    assert [is_loaded(), is_loaded()] == [False, True]
    assert files(caches) == [path]


def test_what_is_no_file_is_said_once(caches: Path, caplog: pytest.LogCaptureFixture) -> None:
    is_loaded()
    (path,) = files(caches)
    path.unlink()
    path.mkdir()
    assert [is_loaded(), is_loaded()] == [False, False]
    (line,) = caplog.messages
    assert line.startswith(f"compiled code cannot be kept in {path.parent}: Is a directory; ")
    assert files(caches) == []


CHOICES = {
    "told to numba": ({"CACHE_DIR": "/told"}, "/told"),
    "told to numba, relative": ({"CACHE_DIR": "told"}, "{here}/told"),
    "XDG": ({"XDG_CACHE_HOME": "/xdg"}, "/xdg"),
    "XDG relative": ({"XDG_CACHE_HOME": "~/.cache"}, "/home/x/.cache"),
    "XDG empty": ({"XDG_CACHE_HOME": ""}, "/home/x/.cache"),
    "home": ({}, "/home/x/.cache"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_folder(caches: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings, folder = CHOICES[name]
    monkeypatch.setattr(numba.config, "CACHE_DIR", settings.get("CACHE_DIR", ""))
    monkeypatch.delenv("XDG_CACHE_HOME")
    for variable, value in ({"HOME": "/home/x"} | settings).items():
        monkeypatch.setenv(variable, value)
    path = Path(jit.kernel(add_one).stats.cache_path)
    assert str(path.parent) == folder.format(here=Path.cwd()) + "/recvae"


@pytest.mark.parametrize("home", ["", "~", "relative", "{file}"])
def test_without_a_folder_nothing_is_kept_anywhere(
    caches: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, home: str
) -> None:
    file = caches.with_name("file")
    file.touch()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", home.format(file=file))
    assert not any(is_loaded(function) for function in (add_one, add_one, double))
    (line,) = caplog.messages
    reason = "Not a directory" if "file" in home else "no home folder is known"
    assert line.startswith("compiled code cannot be kept in ")
    assert line.endswith(
        f": {reason}; every start will compile again (set NUMBA_CACHE_DIR to another folder)"
    )
    assert files(Path.cwd().parent) == [file]
    beside = files(ROOT) + files(Path(__file__).parent)  # where numba would put them
    assert not [path for path in beside if "add_one" in path.name]


def test_folder_is_named_by_all_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links to nowhere, as editors leave them, are none."""
    source = tmp_path / kernel_cache.PACKAGES[0] / "deep" / "constants.py"
    source.parent.mkdir(parents=True)
    monkeypatch.setattr(kernel_cache, "__file__", str(tmp_path / "kernel_cache.py"))
    digest = kernel_cache.digest_of_sources.__wrapped__
    source.write_text("STEP = 1")
    before = digest()
    source.with_name(".#constants.py").symlink_to("user@host.1234")
    assert digest() == before
    source.write_text("STEP = 2")
    assert digest() != before


def test_code_of_a_changed_source_is_not_taken(caches: Path, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    for step in (1, 2, 1):
        path.write_text(
            f"from recvae import jit\nstep = {step}\n@jit.kernel\ndef f(x): return x + step"
        )
        assert runpy.run_path(str(path))["f"](1) == 1 + step


def test_code_of_other_values_options_and_types_is_not_taken(caches: Path) -> None:
    def pick(offset: int) -> Callable[[Any, int], Any]:
        return lambda array, place: array[place + offset]

    numbers = np.arange(5)
    assert [jit.kernel(pick(offset))(numbers, 1) for offset in (0, 1, 0)] == [1, 2, 1]
    assert jit.kernel(pick(0))(numbers / 2, 1) == 0.5
    with pytest.raises(IndexError):
        jit.compiled(boundscheck=True)(pick(0))(numbers, 5)


def test_addresses_of_a_process_are_not_kept(
    caches: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = np.arange(300_000)  # too large to be copied into the code

    def look_up(place: int) -> int:
        return table[place]

    assert not is_loaded(look_up)
    assert "look_up holds addresses of this process" in caplog.text
    assert files(caches) == []


def test_errors_of_the_compiler_are_raised(caches: Path) -> None:
    with pytest.raises(numba.TypingError):
        jit.kernel(add_one)("text")


def test_full_disk_is_told_of_the_cache_and_not_of_the_output(
    caches: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with atomic_file(tmp_path / "output") as file:
            file.write(bytes(jit.kernel(function)(3) for function in (add_one, double)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (line,) = caplog.messages
    assert line.startswith(f"compiled code cannot be kept in {caches / 'recvae'}")
    assert ": File too large; every start" in line
    assert (tmp_path / "output").read_bytes() == bytes([4, 6])
    assert files(caches) == []


def run(folder: Path, program: str, *arguments: str, **environment: str) -> str:
    """What it prints to stderr in a process of its own, whose kernels have a source."""
    path = folder / "program.py"
    path.write_text(program)
    command = [sys.executable, "-W", "error", str(path), *arguments]
    variables = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(command, env=variables | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


NOBODY = """
import os, sys
from recvae.jit import kernel

def add_one(x): return x + 1
def double(x): return 2 * x

assert kernel(add_one)(1) == 2
os.setgroups([])
os.setgid(54321)
os.setuid(54321)
reader = kernel(add_one)
assert reader(1) == 2 and reader.stats.cache_hits
print("read", file=sys.stderr, flush=True)
assert kernel(double)(1) == 2
del os.environ["XDG_CACHE_HOME"]
assert "HOME" not in os.environ
os.chdir(sys.argv[1])
assert kernel(double)(1) == 2
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="need root")
def test_user_without_a_home_reads_what_root_compiled() -> None:
    """As in a container; it says what it cannot keep, and keeps it nowhere else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        here = folder / "here"
        here.mkdir()
        here.chmod(0o777)
        stderr = run(folder, NOBODY, str(here), XDG_CACHE_HOME=str(folder / "caches"))
        read, unwritable, homeless = stderr.splitlines()
        assert read == "read"
        assert "caches/recvae" in unwritable
        assert ": Permission denied; every start" in unwritable
        assert homeless.startswith("compiled code cannot be kept in ~/.cache/recvae")
        assert len(files(folder / "caches")) == 1
        assert files(here) == []


MANY = """
import sys
from recvae.jit import kernel

@kernel
def power(x, n):
    total = x
    for _ in range(n):
        total *= x
    return total

assert (power(3, 3), power(2.0, 3)) == (81, 16.0)
print(sum(power.stats.cache_hits.values()), file=sys.stderr)
"""


@pytest.mark.slow
def test_processes_that_start_at_once_with_an_empty_cache(tmp_path: Path) -> None:
    """In the folder that numba is told of."""

    def loaded(_: int) -> int:
        return int(run(tmp_path, MANY, NUMBA_CACHE_DIR=str(tmp_path / "caches")))

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(loaded, range(4))) <= {0, 1, 2}
    assert len(files(tmp_path / "caches" / "recvae")) == 2
    assert loaded(4) == 2
