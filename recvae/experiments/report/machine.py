"""The machine of the measurements: processor, memory, versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import recvae
from recvae.threads import usable_cpus

PACKAGES = "torch", "numpy", "constriction", "numba", "matplotlib"


def machine() -> dict[str, str]:
    """The facts needed to judge times, by name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    usable = usable_cpus()
    versions = {"recvae": recvae.__version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "processors available": str(usable),
        "threads of torch": str(torch.get_num_threads()),
        "memory": f"{memory:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
    } | versions


def _processor() -> str:
    """The model of the processor, as far as known."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
