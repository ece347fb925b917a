"""No stream or model makes a kernel access memory outside an array."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = """
import random

import numpy as np

from fuzz import pixelwise, pixelwise_model
from recvae.jit import threaded


@threaded
def entry(array, place):
    return array[place]


try:
    entry(np.zeros(3), 3)
except IndexError:
    print("checked")
random = random.Random(0)
for target, count in ((pixelwise, 4), (pixelwise_model, 1)):
    for seed in target.seeds():
        target.check(seed)
        for _ in range(count):
            data = bytearray(seed)
            for place in random.choices(range(len(data)), k=3):
                data[place] ^= random.randrange(256)
            target.check(bytes(data))
print("done")
"""


@pytest.mark.slow
def test_kernels_with_checked_bounds(tmp_path: Path) -> None:
    """All compiled code checks its indices, except the loops in LLVM's vectors."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    setting = {"NUMBA_BOUNDSCHECK": "1", "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": path}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | setting, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["checked", "done"], done.stderr
