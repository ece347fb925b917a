"""A folder of PNGs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from recvae.errors import InputError
from recvae.files.errors import translate_os_errors
from recvae.images.formats.png import decode_png
from recvae.images.stream import Shape, images_at_once


def folder_images(folder: Path) -> tuple[Shape, Iterator[np.ndarray], tuple[str, ...]]:
    """Return shape (n, height, width), chunks and names of the PNGs in `folder`, in name order.

    Hidden entries are passed over. Raises `InputError` naming whatever else is no PNG of the same
    size as the first, at once or when its chunk comes: it would not come back.
    """
    visible = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    entries = sorted(visible, key=lambda entry: entry.name)  # paths sort differently on Windows
    if not entries:
        raise InputError(f"{folder}: no PNGs in this folder")
    if strange := [e.name for e in entries if e.suffix.lower() != ".png" or not e.is_file()]:
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        raise InputError(f"{folder}: holds what is no PNG: {', '.join(strange[:3])}{more}")
    height, width = _read_png(entries[0]).shape
    names = tuple(entry.name for entry in entries)
    return (len(entries), height, width), _chunks(folder, names), names


def _chunks(folder: Path, names: Sequence[str]) -> Iterator[np.ndarray]:
    first = _read_png(folder / names[0])
    step = images_at_once((len(names), *first.shape))
    for start in range(0, len(names), step):
        chunk = names[start : start + step]
        yield np.stack([_read_same_size(folder / name, first, names[0]) for name in chunk])


def _read_png(path: Path) -> np.ndarray:
    with translate_os_errors(path):
        return decode_png(path.read_bytes(), path)


def _read_same_size(path: Path, first: np.ndarray, first_name: str) -> np.ndarray:
    pixels = _read_png(path)
    if pixels.shape != first.shape:
        raise InputError(
            f"{path.parent}: images differ in size: {first_name} is {_size(first)} and "
            f"{path.name} is {_size(pixels)}; give one folder per size"
        )
    return pixels


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[0]} × {pixels.shape[1]}"
