"""The search compiled by Triton: in its interpreter, and where it is not to be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rec.backends import SEARCHES
from rec.coders import random_target, seeded
from recvae.rec import ORC
from recvae.rec.search import BACKENDS, Backend
from recvae.rec.search.dispatch import (
    BackendFailure,
    BackendFailureWarning,
    choose_backend,
    register_backend,
)

pytest.importorskip("triton")

ROOT = Path(__file__).parents[3]
KERNELS = Path(__file__).with_name("triton_kernels.py")
PARTS = ("test_codes_are_those_of_the_reference", "not test_codes_are_those_of_the_reference")


def run_kernels(*options: str, interpret: bool = True) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", str(KERNELS), *options],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": str(int(interpret)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout


@pytest.mark.parametrize("part", PARTS)
def test_kernels_in_the_interpreter(part: str) -> None:
    run_kernels("-k", part)


@pytest.mark.slow
def test_long_searches_in_the_interpreter() -> None:
    run_kernels("-m", "slow")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")
def test_kernels_on_a_gpu() -> None:
    run_kernels("-m", "slow or not slow", interpret=False)


def test_without_a_gpu_it_says_what_it_needs() -> None:
    coder = ORC(2, 10, implementation="triton")
    with pytest.raises(ValueError, match="got 'triton', need CUDA tensors for it, not cpu ones"):
        coder.encode(random_target(3, (1.0, 2.0)), 5, seeded())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """A backend that "auto" would take before the others, and that cannot run."""

    def search(inputs, rule, chunk_elements):
        raise BackendFailure("CompilationError: at 7:11")

    failed: set[str] = set()
    monkeypatch.setattr("recvae.rec.search.dispatch._failed", failed)
    monkeypatch.setattr("recvae.rec.search.dispatch.BACKENDS", dict(BACKENDS))
    register_backend(Backend("failing", search, suits=lambda inputs, rule: True))
    return failed


def test_auto_goes_on_where_a_backend_fails(failing: set[str]) -> None:
    target = random_target(3, (1.0, 2.0))
    with pytest.warns(BackendFailureWarning, match="'failing' failed; .* report: CompilationErr"):
        code = ORC(2, 100).encode(target, torch.arange(3), seeded())
    expected = ORC(2, 100, implementation="eager").encode(target, torch.arange(3), seeded())
    assert torch.equal(code.ranks, expected.ranks)
    assert failing == {"failing"}
    # Once is enough: the next call does not try, and does not warn.
    ORC(2, 100).encode(target, torch.arange(3), seeded())


def test_a_backend_taken_by_name_fails_by_name(failing: set[str]) -> None:
    inputs, rule = SEARCHES["ORC"]().inputs_and_rule(torch.device("cpu"))
    assert choose_backend(inputs, rule, "auto").name == "failing"
    with pytest.raises(BackendFailure, match="CompilationError"):
        ORC(2, 100, implementation="failing").encode(
            random_target(3, (1.0, 2.0)), torch.arange(3), seeded()
        )
    assert not failing
