"""The measured system: GPU, computer, versions."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import torch
import triton

from on_gpu.rows import Row, Run
from recvae.experiments.report.machine import machine as computer

CARD = "card"
"""The name of the row that names the GPU."""

SMALL_SEARCH = """
from on_gpu.search import CUT, Case
Case("partitioned ORC", CUT, 16, 300).search("cuda")()
"""


def machine(run: Run) -> Iterator[Row]:
    """Describe the machine, the card first."""
    if run.dry:
        yield Row(CARD, "dry run")
    else:
        card = torch.cuda.get_device_properties(0)
        yield Row(CARD, card.name)
        yield Row("compute capability", f"{card.major}.{card.minor}")
        yield Row("memory of the card", round(card.total_memory / 2**30, 1), "GiB")
        yield Row("processors", card.multi_processor_count)
        yield Row("driver", _driver())
        yield Row("CUDA", str(torch.version.cuda))
    yield Row("Triton", triton.__version__)
    for name, value in computer().items():
        yield Row(name, value)


def sanitizer(run: Run) -> Iterator[Row]:
    """Run one small search under NVIDIA's compute-sanitizer, if installed."""
    if not (tool := shutil.which("compute-sanitizer")):
        yield Row("memcheck", "left out: no compute-sanitizer here")
        return
    # Each tensor gets its own memory, so that accesses beyond it are detected.
    alone = {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [tool, "--tool", "memcheck", "--error-exitcode", "9", sys.executable, "-c", SMALL_SEARCH],
        env=os.environ | alone,
        capture_output=True,
        text=True,
    )
    summaries = [line.strip("= ") for line in done.stdout.splitlines() if "ERROR SUMMARY" in line]
    said = (summaries or ["no summary"])[-1]
    if done.returncode:
        raise RuntimeError(said)
    yield Row("memcheck", said)


def _driver() -> str:
    if not shutil.which("nvidia-smi"):
        return "not known: no nvidia-smi"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]
