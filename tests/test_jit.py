"""Compiled functions are compiled even if compilation is disabled."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import recvae
from recvae.codec import shipped_models
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT

KERNELS = """
import os, sys
if sys.argv[1] == "late":
    import numba
    os.environ["NUMBA_DISABLE_JIT"] = "1"
import numpy as np
from recvae.bitmaps.resampling import footprints
first, _, _ = footprints(40)
assert first.tolist() == list(range(0, 40, 2))
assert footprints.signatures, "run as Python"
import numba

@numba.njit
def own():
    pass

assert numba.config.DISABLE_JIT and not hasattr(own, "signatures"), "compiled, though disabled"
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["early", "late"])
def test_kernels_are_compiled_where_others_are_not(tmp_path: Path, when: str) -> None:
    """With an empty cache, so that numba compiles its own functions."""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    environment |= {"NUMBA_DISABLE_JIT": "1"} if when == "early" else {}
    subprocess.run([sys.executable, "-c", KERNELS, when], env=environment, check=True)


FILES = """
import hashlib, sys
import numpy as np, recvae
images = np.load(sys.argv[1])
for name in sys.argv[2:]:
    data = recvae.load(name).compress(images)
    assert np.array_equal(recvae.open(data)[:], images)
    print(hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
def test_files_are_the_same_where_numba_is_disabled(tmp_path: Path, digits: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", digits[:3])
    command = [sys.executable, "-W", "error", "-c", FILES, str(tmp_path / "x.npy")]
    run = subprocess.run(
        [*command, *shipped_models(VAE_FORMAT)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
    )
    assert run.stderr == ""
    expected = (recvae.load(name).compress(digits[:3]) for name in shipped_models(VAE_FORMAT))
    assert run.stdout.split() == [hashlib.sha256(data).hexdigest() for data in expected]
