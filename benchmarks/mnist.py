"""Rates, speed and memory of the shipped models on the MNIST test set, with real files.

python benchmarks/mnist.py DATA_ROOT [--model NAME ...]    DATA_ROOT holds MNIST/raw

Each row is one run of the command line in a separate process: compress all 10,000 test images,
decompress, compare every byte. Seconds include starting Python and loading the model. Then, for
each model: one image alone, with the model loaded.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from command import run

import recvae
from recvae.codec import shipped_models
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT
from recvae.images import read_images, write_idx

TEST, TRAIN = "t10k-images-idx3-ubyte", "train-images-idx3-ubyte"
COLUMNS = (
    "file bpp", "-ELBO", "overhead", "bins", "ranks", "pixels", "contain.", "enc. s", "dec. s",
    "peak MB",
)  # fmt: skip
TRAIN_IMAGES = 10_000  # of the training set, to show overfitting
ALONE = 100  # images, each compressed and decompressed alone


def row(model: str, images: Path, group_size: int, folder: Path) -> None:
    """Compress, decompress, verify; print one row."""
    packed, back = folder / "images.recvae", folder / "images-idx3-ubyte"
    size = ["--group-size", str(group_size), "--model", model, "--force"]
    coded = run("compress", str(images), str(packed), *size)
    bound = run("compress", str(images), str(packed), *size, "--elbo")
    decoded = run("decompress", str(packed), str(back), "--force")
    if images.read_bytes() != back.read_bytes():
        sys.exit(f"{images}: the round trip changed a byte")
    if abs(8 * packed.stat().st_size / coded["bytes_in"] - coded["bits_per_pixel"]) > 1e-5:
        sys.exit(f"{packed}: the reported rate differs from the file's")
    numbers = [
        coded["bits_per_pixel"], bound["negative_elbo_bpp"], bound["overhead_bpp"],
        coded["bins_bpp"], coded["ranks_bpp"], coded["pixels_bpp"], coded["container_bpp"],
    ]  # fmt: skip
    print(
        f"{model:12}{images.name[:5]:>6}{coded['images']:>7}{group_size:>6}"
        + "".join(f"{number:9.4f}" for number in numbers)
        + f"{coded['wall_seconds']:9.1f}{decoded['wall_seconds']:9.1f}"
        + f"{max(coded['peak_mb'], decoded['peak_mb']):9.0f}",
        flush=True,
    )


def alone(model: str, images: Path) -> None:
    """Print median times of single images, in this process."""
    codec, pixels = recvae.load(model), read_images(images).pixels[: ALONE + 1]
    seconds: tuple[list[float], list[float]] = [], []
    for image in pixels:
        begin = time.perf_counter()
        file = codec.compress(image[None])
        middle = time.perf_counter()
        codec.decompress(file)
        seconds[0].append(middle - begin)
        seconds[1].append(time.perf_counter() - middle)
    compressed, decoded = (1e3 * median(times[1:]) for times in seconds)  # the first is slow
    print(f"{model:12} one image: {compressed:.1f} ms to compress, {decoded:.1f} ms to decode")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder with MNIST/raw")
    parser.add_argument("--model", nargs="*", default=list(shipped_models(VAE_FORMAT)))
    options = parser.parse_args()
    raw = options.root / "MNIST" / "raw"
    print(
        f"{'model':12}{'set':>6}{'images':>7}{'group':>6}"
        + "".join(f"{column:>9}" for column in COLUMNS)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = folder / "train-idx3-ubyte"
        pixels = read_images(raw / TRAIN).pixels[:TRAIN_IMAGES]
        write_idx(train, pixels)
        for model in options.model:
            row(model, raw / TEST, 64, folder)
            row(model, raw / TEST, 1, folder)
            row(model, train, 64, folder)
    for model in options.model:
        alone(model, raw / TEST)


if __name__ == "__main__":
    main()
