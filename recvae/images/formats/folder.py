"""A folder of pictures, of any formats, sizes and channels."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from recvae.errors import InputError
from recvae.files.errors import translate_os_errors
from recvae.images.formats.registry import (
    PictureFormat,
    format_by_ending,
    joined,
    picture_formats,
    pixel_spec,
)
from recvae.images.spec import ImageSpec
from recvae.images.stream import Runs, images_at_once


def folder_images(folder: Path) -> tuple[Runs, Iterator[np.ndarray], tuple[str, ...]]:
    """Return runs, chunks and names of the pictures in `folder`, in the order of their names.

    The ending of its name tells the format of a file, as it will when it is written again. Hidden
    entries are passed over. Raises `InputError` naming whatever else is no such picture, at once or
    when its chunk comes: it would not come back.
    """
    visible = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    entries = sorted(visible, key=lambda entry: entry.name)  # paths sort differently on Windows
    kinds = [known.name for known in picture_formats()]
    if not entries:
        raise InputError(f"{folder}: no {joined(f'{kind}s' for kind in kinds)} in this folder")
    found = {entry: _format(entry) for entry in entries}
    if strange := [entry.name for entry, known in found.items() if known is None]:
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        raise InputError(
            f"{folder}: holds what is no {joined(kinds)}: {', '.join(strange[:3])}{more}"
        )
    files = [(entry, known) for entry, known in found.items() if known]
    specs = [_look(*file) for file in files]
    runs = tuple((spec, len(list(same))) for spec, same in groupby(specs))
    return runs, _chunks(files, runs), tuple(entry.name for entry in entries)


def _chunks(files: Sequence[tuple[Path, PictureFormat]], runs: Runs) -> Iterator[np.ndarray]:
    begin = 0
    for spec, count in runs:
        step = images_at_once(spec)
        for start in range(begin, begin + count, step):
            chunk = files[start : min(start + step, begin + count)]
            yield np.stack([_read(*file, spec) for file in chunk])
        begin += count


def _format(path: Path) -> PictureFormat | None:
    known = format_by_ending(path.name)
    return known if isinstance(known, PictureFormat) and path.is_file() else None


def _look(path: Path, known: PictureFormat) -> ImageSpec:
    with translate_os_errors(path), open(path, "rb") as file:
        return known.look(file, path)


def _read(path: Path, known: PictureFormat, expected: ImageSpec) -> np.ndarray:
    with translate_os_errors(path):
        pixels = known.read(path.read_bytes(), path)
    if (spec := pixel_spec(pixels)) != expected:
        raise InputError(f"{path}: is {spec} and was {expected}: it changed while it was read")
    return pixels
