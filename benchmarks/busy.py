"""Times of compressing and decompressing, idle and beside a process that occupies a core.

`python benchmarks/busy.py [--images N] [--repeats N]`: with torch's threads spinning while they
wait, the default of GNU's OpenMP, and sleeping, as the commands request; alternately.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from recvae.codec import shipped_models
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT
from recvae.images import sample_images

WAITING = {"spinning": {"GOMP_SPINCOUNT": "300000"}, "sleeping": {}}  # 300000 is its default


def seconds(environment: dict[str, str], *arguments: object) -> float:
    """Seconds of one command, its start included."""
    command = [sys.executable, "-m", "recvae", *map(str, arguments), "--quiet", "--force"]
    begin = time.perf_counter()
    subprocess.run(command, env=os.environ | environment, check=True)
    return time.perf_counter() - begin


@contextmanager
def neighbour(busy: bool) -> Iterator[None]:
    """Run a process that never waits, if `busy`."""
    if not busy:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


def main() -> None:
    """Print a line for each model, command and neighbourhood."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    images = sample_images()
    copies = -(-options.images // len(images))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "in.npy", np.concatenate([images] * copies)[: options.images])
        for model in shipped_models(VAE_FORMAT):
            packed = folder / f"{model}.recvae"
            for command in (
                ("compress", folder / "in.npy", packed, "--model", model),
                ("decompress", packed, folder / "out.npy"),
            ):
                seconds({}, *command)  # fills caches
                for busy in (False, True):
                    with neighbour(busy):
                        rounds = [
                            [seconds(environment, *command) for environment in WAITING.values()]
                            for _ in range(options.repeats)
                        ]
                    told = ", ".join(
                        f"{waiting} {median(times):.2f} s"
                        for waiting, times in zip(WAITING, zip(*rounds, strict=True), strict=True)
                    )
                    print(f"{model} {command[0]}, {'busy' if busy else 'idle'}: {told}", flush=True)


if __name__ == "__main__":
    main()
