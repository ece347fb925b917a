"""The dense layer of kernels gives the sums that numpy gives."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core.errors import TypingError

from recvae.jit import threaded
from recvae.kernels.dense import ALIGNED_BYTES, add_products, pack

EXTREMES = np.array([-32768, 32767, -1, 0, 1], np.int16)

# AVX-512, and whatever this machine has, are tried by default.
PROCESSORS = {
    "nehalem": "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2",
    "haswell": "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2",
}


@threaded
def add(packed: Any, inputs: Any, sums: Any) -> None:
    add_products(packed, inputs, sums)


@threaded
def add_rows(packed: Any, inputs: Any, sums: Any) -> None:
    for row in range(len(inputs)):
        add_products(packed, inputs[row], sums[row, 3:])


def expected(weights: Any, inputs: Any, bias: Any) -> Any:
    return (weights.astype(np.int64) @ inputs.astype(np.int64) + bias).astype(np.int32)


def draw(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).integers(-32768, 32768, shape).astype(np.int16)


def padded(values: Any, size: int) -> Any:
    return np.pad(values, (0, size - len(values)))


def check(weights: Any, inputs: Any) -> None:
    packed = pack(weights)
    bias = np.arange(weights.shape[0], dtype=np.int32) * 99_999_999
    sums = padded(bias, packed.shape[1])
    for _ in range(2):
        before = sums[: len(bias)].copy()
        add(packed, padded(inputs, 2 * packed.shape[0]), sums)
        np.testing.assert_array_equal(sums[: len(bias)], expected(weights, inputs, before))
    assert not sums[len(bias) :].any()


def check_sizes() -> None:
    for outputs in (1, 16, 31, 32, 48, 64, 80, 96, 112, 128, 144, 160):
        for inputs in (0, 1, 2, 5, 6, 32, 33, 96, 160):
            check(draw(outputs, outputs, inputs), draw(inputs, inputs))


def test_sizes() -> None:
    check_sizes()


@pytest.mark.parametrize("weight", EXTREMES)
@pytest.mark.parametrize("number", EXTREMES)
def test_extremes(weight: np.int16, number: np.int16) -> None:
    """Two products of -32768 with itself exceed int32 and wrap around."""
    check(np.full((96, 34), weight), np.full(34, number))


def test_extremes_beside_each_other() -> None:
    random = np.random.default_rng(0)
    check(random.choice(EXTREMES, (160, 160)), random.choice(EXTREMES, 160))


def test_rows_anywhere_in_memory() -> None:
    """Rows at odd addresses, longer than needed, of read-only weights."""
    weights = draw(0, 96, 38)
    packed = draw(1, 1 + weights.size)[1:].reshape(19, 96, 2)
    packed[:] = pack(weights)
    packed.flags.writeable = False
    inputs, sums = draw(2, 5, 43), np.full((5, 103), 7, np.int32)
    add_rows(packed, inputs, sums)
    for given, row in zip(inputs, sums, strict=True):
        np.testing.assert_array_equal(row[3:99], expected(weights, given[:38], 7))
        assert (np.delete(row, slice(3, 99)) == 7).all()


def test_packed_weights_are_aligned() -> None:
    packed = [pack(draw(0, outputs, 6)) for outputs in range(1, 100, 7)]
    assert not any(weights.ctypes.data % ALIGNED_BYTES for weights in packed)


@pytest.mark.parametrize(
    ("packed", "inputs", "sums"),
    [
        ((4, 32, 2), 7, 32),
        ((4, 32, 2), 8, 31),
        ((4, 24, 2), 8, 24),
        ((4, 32, 1), 8, 32),
    ],
)
def test_sizes_that_do_not_fit(packed: tuple[int, ...], inputs: int, sums: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        add(np.zeros(packed, np.int16), np.zeros(inputs, np.int16), np.zeros(sums, np.int32))


def test_other_types() -> None:
    packed, inputs, sums = pack(draw(0, 16, 8)), draw(0, 16), np.zeros(16, np.int32)
    with pytest.raises(TypingError, match="contiguous"):
        add(packed, inputs[::2], sums)
    with pytest.raises(TypingError, match="contiguous"):
        add(packed, inputs.astype(np.int32), sums)


def run(folder: Path, code: str, **environment: str) -> None:
    root = str(Path(__file__).parent)
    paths = os.pathsep.join([root, *sys.path])
    environment |= {"NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": paths}
    command = [sys.executable, "-c", f"import test_dense; {code}"]
    subprocess.run(command, env=os.environ | environment, check=True)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86 only")
@pytest.mark.parametrize("name", PROCESSORS)
def test_older_processors(tmp_path: Path, name: str) -> None:
    """The same sums, and the second process compiles nothing."""
    root = str(Path(__file__).parent)
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path),
        "NUMBA_CPU_NAME": name,
        "NUMBA_CPU_FEATURES": PROCESSORS[name],
        "PYTHONPATH": os.pathsep.join([root, *sys.path]),
    }
    code = "import test_dense as t; t.check_sizes(); assert sum(t.add.stats.cache_{}.values()) == 1"
    for event in ("misses", "hits"):
        command = [sys.executable, "-c", code.format(event)]
        subprocess.run(command, env=environment, check=True)
