"""Peak memory and time of coding 10,000, 100,000 and 1,000,000 images that come through a pipe.

    python benchmarks/stream.py [--model NAME] [--images PATH] [N ...]

Digits, repeated and perturbed on the fly, go through `recvae compress - FILE` and back through
`recvae decompress FILE -`; each is compared with the one sent, which is generated again. Seconds
include starting Python. The shipped model takes hours for a million images; one for digits of half
the size, which codes badly but fast, shows the memory as well:

    python -c "from recvae.images import *; write_idx('half.idx', read_images(
        'DIR/MNIST/raw/train-images-idx3-ubyte').pixels[:, ::2, ::2])"
    python train.py fit --config configs/folder.yaml --data.root half.idx --trainer.max_epochs 1 \\
        --trainer.precision 32 --trainer.logger.init_args.name half --model.beta.mode fixed \\
        --model.architecture.height 14 --model.architecture.width 14 \\
        --model.architecture.latent_dim 2 \\
        --model.architecture.encoder '{channels: 4, hidden: 16}' \\
        --model.architecture.decoder '{channels: 8, blocks: 0, hidden: 8, radius: 0}'
    python train.py export --ckpt_path runs/half/version_0/checkpoints/last.ckpt --out half \\
        --data.root half.idx --num-blocks 1 --max-log2-candidates 4
    python benchmarks/stream.py --model half --images half.idx
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from recvae.images import read_images, sample_images

CHUNK = 1000  # images
SHIFT = 2
SIZES = (10_000, 100_000, 1_000_000)


def perturbed(base: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Images of `base` (n, h, w) repeated, shifted by up to SHIFT pixels and one pixel changed.

    Always the same.
    """
    _, height, width = base.shape
    padded = np.pad(base, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    for start in range(0, count, CHUNK):
        rng = np.random.default_rng(start)
        items = np.arange(start, min(start + CHUNK, count))
        chunk = windows[items % len(base), *rng.integers(0, 2 * SHIFT + 1, (2, len(items)))]
        at = rng.integers(0, (height, width), (len(items), 2)).T
        chunk[items - start, *at] = rng.integers(0, 256, len(items))
        yield chunk


def finish(process: subprocess.Popen, started: float) -> tuple[float, float]:
    """Seconds and peak memory in MB of a process that has closed its output."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{process.args!r} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def pipe(process: subprocess.Popen, stream: str) -> IO[bytes]:
    """A pipe from or to a process."""
    found = getattr(process, stream)
    assert found is not None
    return found


def compress(base: np.ndarray, count: int, path: Path, model: str) -> tuple[float, float, dict]:
    """Seconds, peak MB and the command's result."""
    command = [sys.executable, "-m", "recvae", "compress", "-", str(path), "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--model", model], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with pipe(process, "stdin") as stream:
        stream.write(struct.pack(">4B3I", 0, 0, 8, 3, count, *base.shape[1:]))
        for chunk in perturbed(base, count):
            stream.write(chunk.data)
    result = json.loads(pipe(process, "stdout").read())
    return *finish(process, started), result


def decompress(base: np.ndarray, count: int, path: Path, model: str) -> tuple[float, float]:
    """Seconds and peak MB; ends the program if an image differs from the one sent."""
    command = [sys.executable, "-m", "recvae", "decompress", str(path), "-", "--quiet"]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--model", model], stdout=subprocess.PIPE)
    stream = pipe(process, "stdout")
    if stream.read(16) != struct.pack(">4B3I", 0, 0, 8, 3, count, *base.shape[1:]):
        sys.exit("the returned header differs")
    for chunk in perturbed(base, count):
        if stream.read(chunk.size) != chunk.tobytes():
            sys.exit("a returned image differs")
    if stream.read(1):
        sys.exit("more was returned than was sent")
    return finish(process, started)


def main() -> None:
    """Print a row for each number of images, then the ratio of the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, metavar="N")
    parser.add_argument("--model", default="mnist", help="name or folder (default: mnist)")
    parser.add_argument("--images", help="images to repeat (default: the 800 that ship)")
    options = parser.parse_args()
    if options.images:
        base = read_images(options.images).pixels
    else:
        base = np.concatenate([sample_images("train"), sample_images("test")])
    print(
        f"{'images':>9}{'bpp':>8}{'enc. s':>9}{'dec. s':>9}{'enc. peak MB':>14}{'dec. peak MB':>14}"
    )
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.recvae"
        for count in options.sizes:
            enc_s, enc_mb, result = compress(base, count, path, options.model)
            dec_s, dec_mb = decompress(base, count, path, options.model)
            bpp = result["bits_per_pixel"]
            print(
                f"{count:9}{bpp:8.4f}{enc_s:9.1f}{dec_s:9.1f}{enc_mb:14.1f}{dec_mb:14.1f}",
                flush=True,
            )
            path.unlink()
            peaks.append((enc_mb, dec_mb))
    enc, dec = (last / first for first, last in zip(peaks[0], peaks[-1], strict=True))
    print(f"peak of the last row over the first: compress {enc:.3f}, decompress {dec:.3f}")


if __name__ == "__main__":
    main()
