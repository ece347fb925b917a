"""Images other than MNIST: flat icons in a few greys of their own, and networks trained on them.

python benchmarks/icons.py FOLDER [--images N] [--epochs N] [--configs NAME ...]

Draws icons of 28 x 28 pixels, trains configs/folder-pointer.yaml, or others, on them, and prints
bits per pixel of files of further icons, beside general codecs. All files stay in FOLDER; what is
there is not made again.
"""

import argparse
import lzma
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import recvae
from recvae.evaluation.reference_codecs import mosaics

SIDE = 28
TEST_IMAGES = 1000
SHAPES = ("rectangle", "ellipse", "triangle", "letter")
CONFIGS = Path(__file__).parent.parent / "configs"


def icon(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two to five flat shapes in up to four greys on black, without blending."""
    image = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    greys = rng.integers(1, 256, rng.integers(2, 5))
    for _ in range(rng.integers(2, 6)):
        grey = int(rng.choice(greys))
        left, top = rng.integers(0, SIDE - 6, 2)
        right, bottom = left + rng.integers(5, 18), top + rng.integers(5, 18)
        box = [int(left), int(top), int(right), int(bottom)]
        match rng.choice(SHAPES):
            case "rectangle":
                draw.rectangle(box, fill=grey)
            case "ellipse":
                draw.ellipse(box, fill=grey)
            case "triangle":
                corners = [(box[0], box[3]), (box[2], box[3]), ((box[0] + box[2]) // 2, box[1])]
                draw.polygon(corners, fill=grey)
            case _:
                letter = chr(ord("A") + int(rng.integers(26)))
                font = ImageFont.load_default(size=float(box[3] - box[1]))
                draw.text((box[0], box[1]), letter, fill=grey, font=font)
    return np.asarray(image)


def icons(count: int, seed: int) -> NDArray[np.uint8]:
    """Return `count` icons, (count, 28, 28)."""
    rng = np.random.default_rng(seed)
    return np.stack([icon(rng) for _ in range(count)])


def trained(name: str, folder: Path, images: Path, epochs: int) -> Path:
    """The folder of the model of a config, trained on images; made if it is not there."""
    model = folder / name
    if not model.exists():
        size = [f"--model.architecture.{side}={SIDE}" for side in ("height", "width")]
        logs = f"--trainer.logger.init_args.save_dir={folder / 'runs'}"
        data = ["--data.root", str(images)]
        config = str(CONFIGS / f"{name}.yaml")
        length = f"--trainer.max_epochs={epochs}"
        _train("fit", "--config", config, *size, logs, length, *data)
        runs = sorted(
            (folder / "runs" / name).glob("version_*"), key=lambda run: run.stat().st_mtime
        )
        best = str(runs[-1] / "checkpoints" / "best.ckpt")
        _train("export", "--ckpt_path", best, "--out", str(model), *data)
    return model


def _train(*arguments: str) -> None:
    subprocess.run([sys.executable, "train.py", *arguments], cwd=CONFIGS.parent, check=True)


def _png(image: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return file.getvalue()


def main() -> None:
    """Draw, train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=20_000, help="to train on")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--configs", nargs="+", default=["folder-pointer"], help="to train")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    images = options.folder.resolve() / "icons.npy"
    if not images.exists():
        np.save(images, icons(options.images, seed=0))
    test = icons(TEST_IMAGES, seed=1)
    sizes = {"xz -9e": len(lzma.compress(test.tobytes(), preset=9 | lzma.PRESET_EXTREME))}
    sizes["PNG, mosaics"] = sum(len(_png(mosaic)) for mosaic in mosaics(test))
    for name in ("thumbnails", "mnist-vae"):
        sizes[name] = len(recvae.load(name).compress(test))
    for name in options.configs:
        model = trained(name, options.folder.resolve(), images, options.epochs)
        sizes[f"configs/{name}.yaml"] = len(recvae.load(model).compress(test))
    print(f"{TEST_IMAGES} icons of {SIDE} x {SIDE}, bits per pixel in the file")
    for name, size in sizes.items():
        print(f"{name:28}{8 * size / test.size:8.4f}")


if __name__ == "__main__":
    main()
