"""What is measured: the GPU, the computer around it, versions."""

import shutil
import subprocess
from collections.abc import Iterator

import torch
import triton

from on_gpu.rows import Row, Run
from recvae.experiments.report.machine import machine as computer

CARD = "card"
"""The name of the row that says which GPU it is."""


def machine(run: Run) -> Iterator[Row]:
    """The card first."""
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


def _driver() -> str:
    if not shutil.which("nvidia-smi"):
        return "not known: no nvidia-smi"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]
