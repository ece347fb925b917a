"""A folder of pictures of any formats, sizes and channels."""

from collections.abc import Callable, Iterator, Sequence
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
    with_article,
)
from recvae.images.names import check_names
from recvae.images.spec import MAX_PIXELS, ImageSpec
from recvae.images.stream import Runs, images_at_once

Skip = Callable[[str, str], None]
"""Called with the name of a skipped file and the reason."""

_File = tuple[Path, PictureFormat]


def folder_images(
    folder: Path, max_pixels: int = MAX_PIXELS, skip: Skip | None = None
) -> tuple[Runs, Iterator[np.ndarray], tuple[str, ...]]:
    """Return runs, chunks and names of the pictures in `folder`, in the order of their names.

    A file's format follows from the ending of its name, as it will when written again. Hidden
    entries are ignored. Raises `InputError` naming any other entry, which could not be restored, at
    once or when its chunk comes. With `skip`, all files are decoded beforehand and bad ones are
    skipped.
    """
    visible = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    entries = sorted(visible, key=lambda entry: entry.name)  # paths sort differently on Windows
    kinds = [known.name for known in picture_formats()]
    if not entries:
        raise InputError(f"{folder}: no {joined(f'{kind}s' for kind in kinds)} in this folder")
    found = {entry: _format(entry) for entry in entries}
    strange = [entry.name for entry, known in found.items() if known is None]
    if strange and not skip:
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        raise InputError(
            f"{folder}: holds files other than {joined(kinds)}: {', '.join(strange[:3])}{more}"
        )
    if skip:
        files = list(_readable(found, max_pixels, skip))
        if not files:
            raise InputError(f"{folder}: none of its {len(entries)} files can be read")
    else:
        files = [(entry, known) for entry, known in found.items() if known]
    specs = [_look(*file, max_pixels) for file in files]
    runs = tuple((spec, len(list(same))) for spec, same in groupby(specs))
    return runs, _chunks(files, runs, max_pixels), tuple(entry.name for entry, _ in files)


def _readable(
    found: dict[Path, PictureFormat | None], max_pixels: int, skip: Skip
) -> Iterator[_File]:
    """The files that can be read to the end and whose names can be stored."""
    for entry, known in found.items():
        try:
            if known is None:
                kinds = joined(with_article(known.name) for known in picture_formats())
                raise InputError(f"{entry}: its name is not that of {kinds}")
            check_names([entry.name], 1)
            _read_as(entry, known, _look(entry, known, max_pixels), max_pixels)
        except InputError as error:
            skip(entry.name, str(error))
        else:
            yield entry, known


def _chunks(files: Sequence[_File], runs: Runs, max_pixels: int) -> Iterator[np.ndarray]:
    begin = 0
    for spec, count in runs:
        step = images_at_once(spec)
        for start in range(begin, begin + count, step):
            chunk = files[start : min(start + step, begin + count)]
            yield np.stack([_read_as(*file, spec, max_pixels) for file in chunk])
        begin += count


def _format(path: Path) -> PictureFormat | None:
    known = format_by_ending(path.name)
    return known if isinstance(known, PictureFormat) and path.is_file() else None


def _look(path: Path, known: PictureFormat, max_pixels: int) -> ImageSpec:
    with translate_os_errors(path), open(path, "rb") as file:
        return known.look(file, path, max_pixels)


def _read(path: Path, known: PictureFormat, max_pixels: int) -> np.ndarray:
    with translate_os_errors(path):
        return known.read(path.read_bytes(), path, max_pixels)


def _read_as(path: Path, known: PictureFormat, expected: ImageSpec, max_pixels: int) -> np.ndarray:
    pixels = _read(path, known, max_pixels)
    if (spec := pixel_spec(pixels)) != expected:
        raise InputError(f"{path}: is {spec} and was {expected}: it changed while being read")
    return pixels
