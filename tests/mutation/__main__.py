"""Run tests on a sample of mutants, each until a test fails: `pip install -e '.[mutation]'` first.

    python -m tests.mutation rec exact --sample 90 [--seed 0] [--seconds 60] [--processes 2]
    python -m tests.mutation --seconds 600 MUTANT ...     try these again, with more tests

The tests of a mutant are the files in its package's folders in `TESTS`: first those that name what
its module defines, then those beside it and the fastest, as many as take `--seconds` without a
mutant. Everything runs in copies of the working tree. `.mutation/times.json` stores the time of
each test file.
"""

import argparse
import collections
import difflib
import json
import math
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import numba
import pytest
import torch

from tests.mutation.mutants import Mutant, sample

ROOT = Path(__file__).parents[2]
TIMES = ROOT / ".mutation" / "times.json"
TESTS = {
    "rec": ["tests/rec", "tests/codec/vae", "tests/extending", "tests/golden"],
    "exact": ["tests/exact", "tests/vae", "tests/rec", "tests/codec/vae", "tests/golden"],
    "vae": ["tests/vae", "tests/bitmaps", "tests/codec/vae", "tests/training"],
    "codec": [
        "tests/codec",
        "tests/rec/test_index_codes.py",
        "tests/test_cli.py",
        "tests/golden",
        "tests/spec",
        "tests/extending",
    ],
}
OPTIONS = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
IMPORTED = ("jsonschema", "pytorch_lightning", "scipy.stats", "constriction")
WAITS = 10  # seconds at most for each of processor time
KERNEL_TESTS = "tests/rec/search/test_numba.py"
COMPILE_SECONDS = 120  # for kernels, which their mutants compile anew


def main() -> None:
    """Print each survivor with its change, and the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", nargs="+", metavar="PACKAGE|MUTANT", help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, default=90, help="mutants of each package")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60, help="of tests for each mutant")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    mutants = []
    for word in options.what:
        sampled = word in TESTS and sample(word, options.sample, options.seed, ROOT)
        mutants += sampled or [Mutant.named(word)]
    print(f"seed {options.seed}: {len(mutants)} mutants, {options.seconds:.0f} s of tests each")
    torch.set_num_threads(1)
    for name in IMPORTED:  # once, not for each mutant
        import_module(name)
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as work:
        fork = multiprocessing.get_context("fork")
        with fork.Pool(options.processes, _copy_tree, (Path(work),)) as pool:
            times = _times({_package(mutant) for mutant in mutants}, pool)
            tasks = [(mutant, _near(mutant, times, options.seconds)) for mutant in mutants]
            for mutant, outcome, told in pool.imap_unordered(_try, tasks):
                counts[_package(mutant)][outcome] += 1
                print(f"{outcome:9} {mutant} {told}", flush=True)
    print("\n| package | mutants | killed | survived | timed out | rate |")
    print("|---" * 6 + "|")
    for package, count in [*counts.items(), ("all", sum(counts.values(), collections.Counter()))]:
        outcomes = [count[outcome] for outcome in ("killed", "survived", "timed out")]
        rate = 1 - count["survived"] / count.total()
        row = [package, count.total(), *outcomes, f"{rate:.1%}"]
        print("|", " | ".join(map(str, row)), "|")


def _package(mutant: Mutant) -> str:
    return mutant.path.split("/")[1]


def _copy_tree(work: Path) -> None:
    """Make a worker's own copy and move into it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends all of them
    tree = work / str(os.getpid()) / "tree"
    kept = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in kept.splitlines():
        if (ROOT / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    os.chdir(tree)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code saves seconds for each mutant
    sys.dont_write_bytecode = False
    for variable in ("PYTHONPATH", "HYPOTHESIS_STORAGE_DIRECTORY"):
        os.environ[variable] = str(tree if variable == "PYTHONPATH" else tree.parent / "examples")
    sys.path[:] = [str(tree), *(entry for entry in sys.path if entry not in ("", str(ROOT)))]
    import_module("recvae.kernel_cache").digest_of_sources()  # now: no mutant changes all kernels
    if _run(KERNEL_TESTS, 900, Path("../numba"))[0] != "survived":  # compiles them
        print(Path("../output").read_text(), f"{KERNEL_TESTS} fails without a mutant", flush=True)


def _times(packages: set[str], pool) -> dict[str, float]:
    """Seconds of each test file without a mutant; all must pass."""
    known = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    names = {str(path.relative_to(ROOT)) for of in packages for path in _files(of)}
    for name, seconds, passed, output in pool.imap(_time, sorted(names - set(known))):
        if not passed:
            raise SystemExit(f"{output}\n{name} fails without a mutant")
        print(f"{seconds:6.1f} s {name}", flush=True)
        known[name] = seconds
        TIMES.parent.mkdir(exist_ok=True)
        TIMES.write_text(json.dumps(known, indent=1))
    return known


def _files(package: str) -> list[Path]:
    folders = [ROOT / name for name in TESTS[package]]
    return [path for folder in folders for path in (sorted(folder.rglob("test_*.py")) or [folder])]


def _near(mutant: Mutant, times: dict[str, float], seconds: float) -> list[tuple[str, float]]:
    """Test files, and the time limit of each."""
    module = mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    stem = module.rpartition(".")[2]
    names = re.findall(r"^(?:def|class) (\w+)", (ROOT / mutant.path).read_text(), re.MULTILINE)
    ordered = []
    for path in _files(_package(mutant)):
        text, name = path.read_text(), str(path.relative_to(ROOT))
        near = stem in path.stem or any(re.search(rf"\b{it}\b", text) for it in [module, *names])
        beside = path.parent.parts[len(ROOT.parts) + 1 :] == Path(mutant.path).parts[1:-1]
        own = name.startswith(f"tests/{_package(mutant)}/")
        ordered.append((not near, not beside, not own, times[name], name))
    chosen, total = [], 0.0
    for *_, needed, name in sorted(ordered):
        if total + needed <= seconds:
            chosen.append((name, 20 + 3 * needed + _compiles(mutant.path) * COMPILE_SECONDS))
            total += needed
    return chosen


def _compiles(path: str) -> bool:
    """Whether numba's kernels include the file's functions or constants."""
    sources = {str(p.relative_to(ROOT)): p.read_text() for p in ROOT.glob("recvae/**/*.py")}
    names = {n: n.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for n in sources}
    kernels = [text for text in sources.values() if "from recvae.jit import" in text]
    parent, _, stem = names[path].rpartition(".")
    imported = rf"from ({re.escape(names[path])} import|{re.escape(parent)} import .*\b{stem}\b)"
    return "recvae.jit" in sources[path] or any(re.search(imported, text) for text in kernels)


def _time(name: str) -> tuple[str, float, bool, str]:
    start = time.monotonic()
    outcome, output = _run(name, 900, Path("../numba"))
    return name, time.monotonic() - start, outcome == "survived", output


def _try(task: tuple[Mutant, list[tuple[str, float]]]) -> tuple[Mutant, str, str]:
    mutant, tests = task
    path = Path(mutant.path)
    before = path.read_text()
    after = mutant.apply(before)
    shutil.copy2(path, "../original")
    path.write_text(after)
    shutil.rmtree("../mutated", ignore_errors=True)
    kernels = Path("../mutated" if _compiles(mutant.path) else "../numba")
    try:
        for name, limit in tests:
            outcome, _ = _run(name, limit, kernels)
            if outcome != "survived":
                return mutant, outcome, f"by {name}"
    finally:
        shutil.copy2("../original", path)  # keeps its time, so compiled code stays valid
    change = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return mutant, "survived", "\n    " + "\n    ".join(list(change)[2:])


def _run(test: str, limit: float, kernels: Path) -> tuple[str, str]:
    """Run a test file in a process forked from this one, where torch is already imported.

    `limit` is in processor time, which does not depend on the machine's other work.
    """
    output = Path("../output")
    if not (pid := os.fork()):
        os.setsid()
        log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = str(kernels.resolve())
        code, seconds = 1, math.ceil(limit)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        try:
            code = pytest.main([*OPTIONS, test]) not in (0, 5)
        finally:
            os._exit(code)
    end = time.monotonic() + WAITS * limit
    while not (status := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.02)
    if os.WIFSIGNALED(status[1]) and os.WTERMSIG(status[1]) in (signal.SIGKILL, signal.SIGXCPU):
        return "timed out", ""
    return "killed" if status[1] else "survived", output.read_text(errors="replace")


if __name__ == "__main__":
    main()
