"""Golden files: existing files decode by the same steps for ever, however it is run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet

import recvae
from golden.check import COMPILED, CUDA, EAGER, Way, differences
from golden.make import images
from golden.make_bad import BAD, WHOLE, refusal
from golden.steps import FILES, model_folder
from recvae.codec import load_model, shipped_models
from recvae.codec.vae.latents import LATENT_CODECS
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT

TESTS = Path(__file__).parents[1]
MESSAGES = json.loads((BAD / "bad.json").read_text())
HERE = torch.backends.cpu.get_cpu_capability().lower()

# For torch, oneDNN and MKL: the paths of a CPU without later instructions.
INSTRUCTION_SETS = {
    "default": {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"},
    "avx512": {},
}

golden_files = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def check_elsewhere(*arguments: str, **environment: str) -> str:
    """Output of `golden.check` in a separate process; fails if it finds a difference."""
    command = [sys.executable, "-m", "golden.check", *arguments]
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": path} | environment,
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_model_has_one() -> None:
    named = {model_name(file) for file in FILES}
    assert named >= set(shipped_models(VAE_FORMAT))
    codecs = {load_model(model_folder(name)).latents.name for name in named}
    assert codecs == set(LATENT_CODECS)


def model_name(file: Path) -> str:
    return json.loads(file.with_suffix(".json").read_text())["model"]


@golden_files
def test_images(file: Path) -> None:
    model = model_name(file)
    with recvae.open(
        file, None if model in shipped_models(VAE_FORMAT) else model_folder(model)
    ) as stored:
        assert np.array_equal(stored[:], images())


def all_ways() -> Iterator[ParameterSet]:
    """Scans take hundreds of passes, so each run tries only one of the ways."""
    for way in EAGER:
        for file in FILES:
            slow = "scans" in file.stem and way != EAGER[0]
            marks = pytest.mark.slow if slow else ()
            yield pytest.param(file, way, id=f"{way}-{file.stem}", marks=marks)


@pytest.mark.parametrize(("file", "way"), [*all_ways()])
def test_same_bits(file: Path, way: Way) -> None:
    assert differences(file, way) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in INSTRUCTION_SETS if name != HERE])
def test_same_bits_with_other_instructions(name: str) -> None:
    known = list(INSTRUCTION_SETS)
    if name not in known[: known.index(HERE) + 1 if HERE in known else 1]:
        pytest.skip(f"this CPU has {HERE} alone")
    report = check_elsewhere(ATEN_CPU_CAPABILITY=name, **INSTRUCTION_SETS[name])
    assert name.upper() in report.splitlines()[0]
    assert report.count("same bits") == len(EAGER)


@pytest.mark.parametrize("name", MESSAGES)
def test_bad_file(name: str) -> None:
    assert refusal((BAD / f"{name}.recvae").read_bytes()) == MESSAGES[name]


def test_bad_files_have_messages_of_their_own() -> None:
    assert {path.stem for path in BAD.glob("*.recvae")} == set(MESSAGES)
    assert len(set(MESSAGES.values())) == len(MESSAGES)
    assert refusal(WHOLE) is None


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler here")
def test_same_bits_compiled() -> None:
    assert check_elsewhere("compiled").count("same bits") == len(COMPILED)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")
@pytest.mark.parametrize("way", CUDA, ids=str)
def test_same_bits_on_a_gpu(way: Way) -> None:
    for file in FILES:
        assert differences(file, way) == [], file.stem
