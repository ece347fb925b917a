"""The start of the package: its imports, and how its threads wait."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recvae.codec import Codec
from recvae.threads import let_waiting_threads_sleep


def test_import_is_light() -> None:
    """Coding imports neither torchvision nor lightning, and torch only for models that need it."""
    script = (
        "import sys, recvae\n"
        "recvae.load\n"
        "assert 'torch' not in sys.modules\n"
        "from recvae.codec import *\n"
        "assert 'torch' in sys.modules\n"  # of `CodecModel`
        "heavy = {'torchvision', 'pytorch_lightning', 'matplotlib', 'numba', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "recvae.load('mnist')\n"  # which imports no other network
        "heavy |= {'recvae.bitmaps', 'recvae.vae.networks.causal'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert 'recvae.rec' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks GNU's OpenMP what it has read")
def test_waiting_threads_sleep(codec: Codec, digits: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "x.recvae").write_bytes(codec.compress(digits[:1]))
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"OMP_DISPLAY_ENV": "true"}
    command = [sys.executable, "-m", "recvae", "verify", str(tmp_path / "x.recvae")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


def test_waiting_threads_do_as_the_environment_says(monkeypatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    let_waiting_threads_sleep()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
