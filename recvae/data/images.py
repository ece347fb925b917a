"""Images of one size, and reading them from every kind of input."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from recvae.data.folder import read_folder
from recvae.data.idx import GZIP_MAGIC, read_idx
from recvae.data.names import check_names
from recvae.data.os_errors import translate_os_errors
from recvae.data.png import PNG_MAGIC, decode_png
from recvae.errors import InputError

NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, eq=False)
class Images:
    """Grey images of one size.

    `pixels` is uint8 (n, height, width), height and width at least 1, and may be a read-only memory
    map; `names` are distinct bare file names ending in `.png`, one an image, or None.
    Raises `InputError` for anything else.
    """

    pixels: np.ndarray
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8:
            raise InputError(f"holds {self.pixels.dtype} where pixels are uint8: convert it first")
        if self.pixels.ndim != 3:
            raise InputError(f"has shape {self.pixels.shape}, not (n, height, width)")
        if 0 in self.pixels.shape[1:]:
            raise InputError(f"holds no pixels: its shape is {self.pixels.shape}")
        if self.names is not None:
            check_names(self.names, len(self.pixels))


def read_images(path: str | PathLike[str]) -> Images:
    """Read an idx file (plain or .gz), a .npy array, an 8-bit grey PNG, or a folder of such PNGs.

    A file's kind is told by its first bytes. An array of shape (height, width) is one image. A
    folder gives its images in the order of their names, and their names. Plain idx and .npy are
    memory-mapped. Raises `InputError` for everything that is not entirely such an input.
    """
    path = Path(path)
    with translate_os_errors(path):
        pixels, names = read_folder(path) if path.is_dir() else (_read_file(path), None)
    try:
        return Images(pixels, names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_file(path: Path) -> np.ndarray:
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: neither a regular file nor a folder")
    with open(path, "rb") as file:
        head = file.read(8)
    if not head:
        raise InputError(f"{path}: empty file")
    if head.startswith(NPY_MAGIC):
        return _map_npy(path)
    if head.startswith(PNG_MAGIC):
        return decode_png(path.read_bytes(), path)[None]
    if head.startswith((GZIP_MAGIC, b"\0\0")):
        return read_idx(path)
    raise InputError(
        f"{path}: unknown kind of file; give an idx file, a .npy array, a PNG or a folder of PNGs"
    )


def _map_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy reads the header with Python's parser, which may raise any
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: not a readable .npy array ({reason})") from error
    if array.offset + array.nbytes != path.stat().st_size:
        raise InputError(f"{path}: bytes trail the array that its header announces")
    return array[None] if array.ndim == 2 else array
