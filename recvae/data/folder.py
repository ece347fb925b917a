"""A folder of PNGs as one array."""

from pathlib import Path

import numpy as np

from recvae.data.os_errors import translate_os_errors
from recvae.data.png import decode_png
from recvae.errors import InputError


def read_folder(folder: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the PNGs in `folder`, uint8 (n, height, width), and their names, both in name order.

    Hidden entries are passed over. Raises `InputError` naming whatever else is no PNG of the same
    size as the first: what is in the folder would not come back.
    """
    visible = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    entries = sorted(visible, key=lambda entry: entry.name)  # paths sort differently on Windows
    if not entries:
        raise InputError(f"{folder}: no PNGs in this folder")
    if strange := [e.name for e in entries if e.suffix.lower() != ".png" or not e.is_file()]:
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        raise InputError(f"{folder}: holds what is no PNG: {', '.join(strange[:3])}{more}")
    first = _read_png(entries[0])
    pixels = np.empty((len(entries), *first.shape), np.uint8)
    for image, entry in zip(pixels, entries, strict=True):
        image[...] = _read_same_size(entry, first, entries[0])
    return pixels, tuple(entry.name for entry in entries)


def _read_png(path: Path) -> np.ndarray:
    with translate_os_errors(path):
        return decode_png(path.read_bytes(), path)


def _read_same_size(path: Path, first: np.ndarray, first_path: Path) -> np.ndarray:
    pixels = _read_png(path)
    if pixels.shape != first.shape:
        raise InputError(
            f"{path.parent}: images differ in size: {first_path.name} is {_size(first)} and "
            f"{path.name} is {_size(pixels)}; give one folder per size"
        )
    return pixels


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[0]} × {pixels.shape[1]}"
