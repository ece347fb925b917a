"""The benchmark on a GPU, as far as it goes without one."""

import csv
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from recvae.errors import InputError

ROOT = Path(__file__).parents[2]
STEPS = ["machine", "codes", "grid", "eager", "codec", "sweep", "rules", "profile", "golden"]


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def dry_run(out: Path, *arguments: str) -> list[dict[str, str]]:
    """The rows of a run in the interpreter, which needs a separate process."""
    command = [sys.executable, "benchmarks/gpu.py", "--dry-run", "--out", str(out), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(out / "dry-run.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_all_steps_run_dry(tmp_path: Path) -> None:
    rows = dry_run(tmp_path)
    assert list(dict.fromkeys(row["step"] for row in rows)) == STEPS
    equal = [row["value"] for row in rows if row["step"] in ("codes", "golden")]
    assert set(equal) == {"equal", "same"}
    report = (tmp_path / "dry-run.md").read_text()
    assert "nothing here was measured on a GPU" in report
    assert report.count("not measured") == len(import_module("on_gpu.report").TARGETS)
    assert (tmp_path / "dry-run.svg").stat().st_size < 100_000


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^torch finds no GPU here: choose --dry-run or --comp"):
        import_module("gpu").main(["--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


STRANGE = """
import os
import subprocess
import time
from on_gpu.rows import Row

def raises(run):
    yield Row("before", 1.0)
    raise RuntimeError("CUDA error: an illegal memory access\\nand how to debug it")

def dies(run):
    yield Row("before", 1.0)
    os._exit(3)

def hangs(run):
    child = subprocess.Popen(["sleep", "600"])
    yield Row("child", float(child.pid))
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("name", "limit_s", "line"),
    [
        ("raises", 60, "raises: RuntimeError: CUDA error: an illegal memory access"),
        ("dies", 60, "dies: its process ended with status 3"),
        ("hangs", 2, "hangs: it took more than 2 s"),
    ],
)
def test_a_step_that_fails_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit_s: float, line: str
) -> None:
    (tmp_path / "strange.py").write_text(STRANGE)
    monkeypatch.syspath_prepend(tmp_path)
    stepping, rows = import_module("on_gpu.stepping"), import_module("on_gpu.rows")
    step = stepping.Step(name, "strange", limit_s)
    before, failed = stepping.rows_of(step, rows.Run("cpu"), limit_s)
    assert before.step == name
    assert import_module("on_gpu.report").failures([before, failed]) == [line]
    if before.name == "child":
        wait_for_end(int(before.value))


def wait_for_end(pid: int) -> None:
    """Whether an orphaned process is gone or dead."""
    status, end = Path(f"/proc/{pid}/status"), time.monotonic() + 60
    while status.exists() and "State:\tZ" not in status.read_text():
        assert time.monotonic() < end, "it still runs"
        time.sleep(0.01)


def test_a_difference_is_a_failure() -> None:
    rows, report = import_module("on_gpu.rows"), import_module("on_gpu.report")
    found = [
        rows.Row("ORC", "equal", step="codes"),
        rows.Row("MRC", f"{rows.DIFFERENT}: 0.1% of items", step="codes"),
    ]
    assert report.failures(found) == ["codes, MRC: DIFFERENT: 0.1% of items"]


def test_what_is_reached_is_at_the_sizes_of_the_target() -> None:
    rows, report = import_module("on_gpu.rows"), import_module("on_gpu.report")
    found = [
        rows.Row("ORC", 400.0, "G/s", 65536, 4096, step="grid"),
        rows.Row("ORC", 200.0, "G/s", 4096, 4096, step="grid"),
        rows.Row("ORC", 500.0, "G/s", 4096, 256, step="grid"),
        rows.Row("ORC", 2.0, "G/s", 4096, 4096, step="eager"),
        rows.Row("partitioned ORC", 90.0, "G/s", 4096, 4096, step="grid"),
        rows.Row("partitioned ORC", 1.0, "G/s", 256, 4096, step="eager"),
        rows.Row("compress, cuda", 7000.0, "images/s", 16384, step="codec"),
    ]
    reached = {line[0]: line[-1] for line in report.target_lines(found, dry=False)}
    assert reached == {
        "partitioned ORC": "90 G/s",
        "ORC": "200 G/s",
        "partitioned ORC to eager": "not measured",
        "ORC to eager": "100 x",
        "compress, `mnist`": "7,000 images/s",
    }
    assert {line[-1] for line in report.target_lines(found, dry=True)} == {"not measured"}


def test_a_card_names_its_files() -> None:
    slug = import_module("on_gpu.report").slug
    assert slug("NVIDIA H100 80GB HBM3") == "nvidia-h100-80gb-hbm3"
    assert slug("../..") == "card"


def test_a_kernel_compiles_without_a_gpu() -> None:
    compiling = import_module("on_gpu.compiling")
    made = {
        compiling.kernel_name(launch): launch for launch in compiling.launches(compiling.Settings())
    }
    drawing = made["draw ordered, no bins"]
    compiled = compiling.compile_launch(drawing, 90)
    assert 0 < compiled.registers <= 128
    assert compiled.instructions > 100
    assert compiled.spills == compiled.stack_bytes == 0
    # With so few registers it must spill, and this must be detected.
    crowded = replace(drawing, options=drawing.options | {"maxnreg": 24})
    assert compiling.compile_launch(crowded, 90).spills > 0
