"""A model without torch codes without importing it, or any other slow package."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from codec.pixelwise.tiny import smooth, tiny_model
from recvae.codec.model_folder import save_model
from recvae.images import Images, read_images, write_images

SLOW = ["torch", "torchvision", "pytorch_lightning", "numba", "scipy", "jsonschema", "rich"]
START = """
import sys

def check(step):
    assert not (slow := set(SLOW) & set(sys.modules)), f"{step} imports {slow}"

import recvae
check("recvae")
from recvae.cli import main
try:
    main(["--help"])
except SystemExit:
    check("--help")
"""
MODEL = """
import numpy as np
from codec.shifted import Shifted
from recvae.codec.model_folder import save_model
shifts = np.array([[1, -1], [-128, 127], [0, 5]], np.int8).T  # whose bytes lie in another order
save_model(Shifted(shifts), "model")
check("a model")
"""
COMMANDS = """
for command in (
    ["compress", "x.png", "x.recvae"],
    ["info", "x.recvae"],
    ["verify", "x.recvae", "--against", "x.png"],
    ["decompress", "x.recvae", "y.png"],
    ["decompress", "x.recvae", "y.npy"],
    ["salvage", "x.recvae", "z.recvae"],
):
    assert main([*command, "--model", "model"]) == 0
    check(command)
assert main(["verify", "x.recvae", "--model", "model", "--device", "cuda"]) == 2
check("cuda")
import numpy as np
with recvae.open("x.recvae", model="model") as images:
    assert np.array_equal(images[0], np.load("y.npy")[0])
check("open")
"""


def check_without(
    slow: list[str], script: str, name: str, pixels: np.ndarray, folder: Path
) -> None:
    """Run the script, which uses no slow package, and the commands; they code a picture."""
    write_images(folder / "x.png", Images(pixels))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    command = [sys.executable, "-c", f"SLOW = {slow}\n{script}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reason = f"device is 'cuda', but model {name!r} runs on the CPU only: choose cpu or auto"
    assert done.stderr == f"recvae: {reason}\n"
    assert np.array_equal(np.load(folder / "y.npy"), pixels)
    assert np.array_equal(read_images(folder / "y.png").pixels, pixels)


def test_coding_imports_nothing_slow(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 5, 7, 3)).astype(np.uint8)
    check_without(SLOW, START + MODEL + COMMANDS, "shifted", pixels, tmp_path)


def test_pixelwise_coding_imports_nothing_slow_but_numba(tmp_path: Path) -> None:
    save_model(tiny_model(), tmp_path / "model")
    slow = [name for name in SLOW if name not in ("numba", "scipy")]  # the one looks for the other
    check_without(slow, START + COMMANDS, "tiny", smooth(1, 20, 30), tmp_path)
