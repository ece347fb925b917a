"""The pictures that are coded, and the distortion of decoded ones."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from recvae.errors import InputError
from recvae.experiments.pictures.classical import RGB

Data: TypeAlias = Literal["CIFAR-10", "CIFAR-10, with effort", "CIFAR-10, INR", "Kodak"]
PLACES: dict[Data, str] = {
    "CIFAR-10": "CIFAR10/test.npy",
    "CIFAR-10, with effort": "CIFAR10/test.npy",
    "CIFAR-10, INR": "CIFAR10/test.npy",
    "Kodak": "kodak",
}
NEEDED = " and ".join(dict.fromkeys(PLACES.values()))
TRAINING = "CIFAR10/train.npy"
SIDE = 256  # side of the centre of photographs that is coded, pixels


def load_images(root: str, data: Data, count: int) -> list[RGB]:
    """The first `count` images, in the order of the file or of file names; of photographs the
    centre.

    Args:
        root: folder with CIFAR10/test.npy, uint8 (n, height, width, 3), and kodak/*.png.
        data: which of them.
        count: maximum number.

    Raises:
        InputError: if they are missing or not such images.
    """
    place = Path(root) / PLACES[data]
    if not place.suffix:
        return _read_folder(place, count)
    return list(_read_array(place, NEEDED)[:count])


def load_training(root: str, count: int) -> RGB:
    """The first `count` training images of CIFAR-10, (n, height, width, 3); InputError as above."""
    needed = f"{TRAINING}, whose first pictures calibrate the models of --inr"
    return np.array(_read_array(Path(root) / TRAINING, needed)[:count])


def fingerprint(images: Iterable[RGB]) -> str:
    """Identifies a set of images: the start of the SHA-256 of shapes and pixels."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(str(image.shape).encode() + image.tobytes())
    return digest.hexdigest()[:16]


def num_pixels(images: Iterable[RGB]) -> int:
    """Number of pixels of all images; three values are one pixel."""
    return sum(image.shape[0] * image.shape[1] for image in images)


def psnr_db(image: RGB, decoded: RGB) -> float:
    """PSNR of one image over all its RGB values; infinite if equal."""
    error = np.mean((image.astype(np.float64) - decoded) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def mean_psnr_db(images: Sequence[RGB], decoded: Sequence[RGB]) -> float:
    """The mean over images of each image's PSNR."""
    return float(np.mean([psnr_db(a, b) for a, b in zip(images, decoded, strict=True)]))


def _read_array(path: Path, needed: str) -> RGB:
    try:
        images = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as .npy; --data.root must be the folder with {needed}"
        ) from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not len(images):
        raise InputError(
            f"{path}: {images.dtype} {images.shape}, need uint8 (n, height, width, 3), n at least 1"
        )
    return images


def _read_folder(folder: Path, count: int) -> list[RGB]:
    paths = sorted(folder.glob("*.png"))[:count]
    if not paths:
        raise InputError(f"{folder}: no *.png; --data.root must be the folder with {NEEDED}")
    return [_middle(_read_picture(path)) for path in paths]


def _read_picture(path: Path) -> RGB:
    try:
        with Image.open(path) as picture:
            mode, pixels = picture.mode, np.asarray(picture)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a picture") from error
    if mode != "RGB":
        raise InputError(f"{path}: mode {mode}, need RGB")
    return pixels


def _middle(pixels: RGB) -> RGB:
    top, left = (max(0, (side - SIDE) // 2) for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])
