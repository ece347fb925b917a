"""How programs end: real processes, signals and standard streams."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from recvae.program import run_program

WRITE_AND_WAIT = """
import time
from recvae.files import atomic_file

def work():
    with atomic_file("out") as file:
        file.write(b"half")
        file.flush()
        open("begun", "x").close()
        time.sleep(20)
"""
WRITE_AND_SAY = """
import os
from recvae.files import atomic_file

def work():
    with atomic_file("out") as file:
        file.write(b"whole")
        assert file.fileno() > 2
    print("written \\u2713 \\udcff")
"""
SHOW = """
from recvae.reports import show

def work():
    show("asked for \\u2713 \\udcff")
"""


def start(folder: Path, work: str, **options: Any) -> subprocess.Popen:
    """A program without torch, which starts quickly."""
    script = f"{work}\nfrom recvae.program import run_program\n" + (
        "raise SystemExit(run_program('test', work))"
    )
    ready = options.pop("preexec_fn", lambda: None)

    def prepare() -> None:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # the tests may be run with some ignored
        ready()

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": prepare} | options
    return subprocess.Popen([sys.executable, "-c", script], cwd=folder, text=True, **pipes)


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize(
    ("numbers", "status", "word"),
    [
        ([signal.SIGINT], 130, "interrupted"),
        ([signal.SIGTERM], 143, "terminated"),
        ([signal.SIGHUP], 129, "terminated"),
        ([signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT], None, ""),
    ],
)
def test_signals_leave_nothing_behind(
    tmp_path: Path, numbers: list[int], status: int | None, word: str
) -> None:
    process = start(tmp_path, WRITE_AND_WAIT)
    wait_for(tmp_path / "begun")
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.005)  # the later ones come while it ends
    out, err = process.communicate()
    assert names(tmp_path) == ["begun"]
    assert (out, err.count("\n")) == ("", 1)
    if status:
        assert (process.returncode, err) == (status, f"test: {word}; no output was written\n")
    assert process.returncode in (129, 130, 143)


def test_what_is_ignored_stays_so(tmp_path: Path) -> None:
    """Signals ignored as under nohup."""
    process = start(
        tmp_path,
        WRITE_AND_WAIT.replace("20", ".5"),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    wait_for(tmp_path / "begun")
    process.send_signal(signal.SIGHUP)
    assert process.communicate() == ("", "")
    assert process.returncode == 0
    assert names(tmp_path) == ["begun", "out"]


def test_a_forked_worker_ends_as_ever(tmp_path: Path) -> None:
    work = """
import os, signal, time

def work():
    if not (child := os.fork()):
        open("begun", "x").close()
        time.sleep(20)
        os._exit(99)
    while not os.path.exists("begun"):
        time.sleep(0.01)
    os.kill(child, signal.SIGTERM)
    return -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
    process = start(tmp_path, work)
    assert process.communicate() == ("", "")
    assert process.returncode == signal.SIGTERM


def close(*descriptors: int) -> Callable[[], None]:
    return lambda: [os.close(descriptor) for descriptor in descriptors] and None


LOST: dict[str, dict[str, Any]] = {
    "stdout is closed": {"preexec_fn": close(1), "stdout": None},
    "all are closed": {"preexec_fn": close(0, 1, 2), "stdout": None, "stderr": None},
    "a full disk": {"stdout": "/dev/full"},
    "nobody reads": {"stdout": "a closed pipe"},
    "ascii": {"env": {"PYTHONIOENCODING": "ascii"}},
    "unbuffered": {"env": {"PYTHONUNBUFFERED": "1"}, "stdout": "/dev/full"},
}


def run(folder: Path, work: str, case: str) -> tuple[int, str, str]:
    options = {"env": {}} | LOST[case]
    options["env"] = os.environ | options["env"]
    with ExitStack() as stack:
        if options.get("stdout") == "/dev/full":
            options["stdout"] = stack.enter_context(open("/dev/full", "w"))
        elif options.get("stdout"):
            receiver, options["stdout"] = os.pipe()
            os.close(receiver)
            stack.callback(os.close, options["stdout"])
        process = start(folder, work, **options)
        out, err = process.communicate()
    return process.returncode, out or "", err or ""


@pytest.mark.parametrize("case", LOST)
def test_a_report_that_is_lost_fails_nothing(tmp_path: Path, case: str) -> None:
    status, out, err = run(tmp_path, WRITE_AND_SAY, case)
    assert (status, err) == (0, "")
    assert out == (r"written \u2713 \udcff" + "\n" if case == "ascii" else "")
    assert (tmp_path / "out").read_bytes() == b"whole"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize(
    ("case", "status", "reason"),
    [
        ("stdout is closed", 2, "test: standard output: Bad file descriptor\n"),
        ("a full disk", 2, "test: standard output: No space left on device\n"),
        ("unbuffered", 2, "test: standard output: No space left on device\n"),
        ("nobody reads", 141, ""),
        ("ascii", 0, ""),
    ],
)
def test_what_was_asked_for_arrives_or_fails(
    tmp_path: Path, case: str, status: int, reason: str
) -> None:
    assert run(tmp_path, SHOW, case)[::2] == (status, reason)


@pytest.mark.parametrize(
    ("error", "status"),
    [("InputError('a \\udcff')", 2), ("KeyboardInterrupt", 130), ("BrokenPipeError", 141)],
)
def test_the_status_does_not_depend_on_who_listens(tmp_path: Path, error: str, status: int) -> None:
    work = f"from recvae.errors import InputError\ndef work():\n    raise {error}"
    with open("/dev/full", "w") as full:
        process = start(tmp_path, work, stdout=full, stderr=full)
        assert process.wait() == status


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "CUDA error: an illegal memory access was encountered\nCompile with DSA\n",
            "the GPU failed: CUDA error: an illegal memory access was encountered: try again or "
            "use the CPU",
        ),
        (
            "Triton Error [CUDA]: invalid argument",
            "the GPU failed: Triton Error [CUDA]: invalid argument: try again or use the CPU",
        ),
        (
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 4 GiB",
            "CUDA out of memory. Tried to allocate 2.00 GiB: use smaller groups or the CPU",
        ),
        ("Expected all tensors to be on the same device, cuda:0 and cpu", None),
        ("", None),
    ],
)
def test_a_gpu_that_fails_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], message: str, line: str | None
) -> None:
    def work() -> None:
        raise RuntimeError(message)

    if line is None:  # a bug in the program
        with pytest.raises(RuntimeError, match=f"^{message}$"):
            run_program("test", work)
    else:
        assert run_program("test", work) == 2
        assert capsys.readouterr().err == f"test: {line}\n"


@pytest.mark.slow
def test_warnings_are_one_line() -> None:
    program = (
        "import warnings; from recvae.program import run_program\n"
        "run_program('recvae', lambda: warnings.warn('some searches ended at their cap'))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stderr == "recvae: warning: some searches ended at their cap\n"


def test_short_writes_of_real_commands(codec, digits, tmp_path: Path) -> None:
    """Standard output is a raw file under PYTHONUNBUFFERED: a write may be short."""
    (tmp_path / "x.recvae").write_bytes(codec.compress(digits))
    command = [sys.executable, "-m", "recvae", "decompress", "x.recvae", "-"]

    def decompress(limit: int) -> tuple[int, str]:
        def set_limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        with open(tmp_path / "out.idx", "wb") as out:
            process = subprocess.run(
                command,
                cwd=tmp_path,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                preexec_fn=set_limit,
            )
        return process.returncode, process.stderr

    whole = 16 + digits.nbytes
    status, err = decompress(whole - 1)
    assert (status, err) == (2, "recvae: standard output: File too large\n")
    assert decompress(whole)[0] == 0
    assert (tmp_path / "out.idx").stat().st_size == whole
