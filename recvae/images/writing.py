"""Writes images, whole or in chunks; the output's name selects the format."""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from recvae.errors import InputError
from recvae.files.atomic import atomic_file, atomic_folder
from recvae.files.streams import whole_writes
from recvae.images.formats.gz import GZIP_ENDING, packed_by_name
from recvae.images.formats.idx import IDX
from recvae.images.formats.registry import (
    FORMATS,
    ArrayFormat,
    Format,
    PictureFormat,
    format_by_ending,
)
from recvae.images.names import check_names_here, default_names
from recvae.images.reading import Images, source_name
from recvae.images.spec import ImageSpec
from recvae.images.stream import Runs, images_at_once

_FILE_ENDING = re.compile(r"\.[a-z]{2,}[0-9]*")  # .txt, .recvae, .jp2, but not .v2 or .28
_CHUNK_BYTES = 1 << 24


def write_images(path: str | PathLike[str], images: Images, force: bool = False) -> None:
    """Write `images` in the format for the name `path`; see `write_chunks`."""
    pixels = images.pixels
    step = images_at_once(images.spec, _CHUNK_BYTES)
    chunks = (pixels[start : start + step] for start in range(0, len(pixels), step))
    write_chunks(path, ((images.spec, len(pixels)),), chunks, images.names, force)


def write_chunks(
    output: str | PathLike[str] | BinaryIO,
    runs: Runs,
    chunks: Iterable[np.ndarray],
    names: Sequence[str] | None = None,
    force: bool = False,
) -> None:
    """Write images from uint8 `chunks`, with one chunk in memory at a time.

    `runs` and `chunks` are as in an `ImageStream`.

    A binary stream gets idx. For a path, its ending chooses: an array format, also with `.gz`; a
    picture format for a single image; else a folder of pictures called `names`, each in the format
    of its ending, or 00000.png and so on. A path that ends in a slash is a folder; one that ends as
    files do, in a dot, letters and perhaps digits, is a folder only if it exists as one. The output
    appears when it is complete. Raises `InputError` as `atomic_file`, `atomic_folder` and
    `check_names_here` do, and if the output cannot hold such images.
    """
    images = _checked(chunks, runs)
    if not isinstance(output, str | PathLike):
        stream = whole_writes(output)
        run = _only_run(output, runs)
        _check_channels(source_name(output), IDX, run[0])
        IDX.write(stream, *run, images)
        stream.flush()
        return
    output = os.fspath(output)
    known = _format(output)
    if isinstance(known, ArrayFormat):
        _write_array(output, known, runs, images, force)
    elif known:
        _write_picture(output, known, runs, images, force)
    else:
        count = sum(count for _, count in runs)
        _write_folder(output, runs, images, default_names(count) if names is None else names, force)


def _format(path: str) -> Format | None:
    """The format for a name; None for a folder, InputError if it is unknown."""
    if path.endswith(("/", os.sep)):
        return None
    name = Path(path).name.lower()
    known = format_by_ending(name.removesuffix(GZIP_ENDING))
    if isinstance(known, ArrayFormat) or (known and not name.endswith(GZIP_ENDING)):
        return known
    if _FILE_ENDING.fullmatch(Path(name).suffix) and not os.path.isdir(path):
        endings = ", ".join(known.endings[0] for known in FORMATS.values())
        raise InputError(
            f"{path}: cannot write this kind; use {endings} or a folder name; if this is a folder, "
            f"write it as {path}/"
        )
    return None


def _checked(chunks: Iterable[np.ndarray], runs: Runs) -> Iterator[np.ndarray]:
    """Pass on non-empty chunks, checked: a bug in the program must not become a file."""
    coming = iter(runs)
    spec, left = next(coming)
    for chunk in chunks:
        if not left and len(chunk):
            spec, left = next(coming, (spec, 0))
        if chunk.dtype != np.uint8 or chunk.shape[1:] != spec.shape or len(chunk) > left:
            raise ValueError(f"a chunk of {chunk.dtype} {chunk.shape} for {left} images of {spec}")
        left -= len(chunk)
        if len(chunk):
            yield chunk
    missing = left + sum(count for _, count in coming)
    if missing:
        raise ValueError(f"too few images for a file: {missing} are missing")


def _only_run(output: object, runs: Runs) -> tuple[ImageSpec, int]:
    if len(runs) > 1:
        raise InputError(
            f"{source_name(output)}: an array cannot hold images of different sizes: use a folder"
        )
    return runs[0]


def _write_array(
    path: str | PathLike[str],
    known: ArrayFormat,
    runs: Runs,
    chunks: Iterable[np.ndarray],
    force: bool,
) -> None:
    run = _only_run(path, runs)
    _check_channels(path, known, run[0])
    with atomic_file(path, force) as file, packed_by_name(file, path) as inner:
        known.write(inner, *run, chunks)


def _write_picture(
    path: str | PathLike[str],
    known: PictureFormat,
    runs: Runs,
    chunks: Iterable[np.ndarray],
    force: bool,
) -> None:
    count = sum(count for _, count in runs)
    if count != 1:
        raise InputError(f"{path}: one {known.name} cannot hold {count} images: use a folder name")
    _check_channels(path, known, runs[0][0])
    with atomic_file(path, force) as file:
        file.writelines(known.write(pixels, path) for (pixels,) in chunks)


def _write_folder(
    path: str | PathLike[str],
    runs: Runs,
    chunks: Iterable[np.ndarray],
    names: Sequence[str],
    force: bool,
) -> None:
    check_names_here(names, sum(count for _, count in runs))
    formats = [_picture_format(name) for name in names]
    specs = itertools.chain.from_iterable(itertools.repeat(*run) for run in runs)
    for name, known, spec in zip(names, formats, specs, strict=True):
        _check_channels(Path(path, name), known, spec)
    kinds = dict.fromkeys(formats or map(_picture_format, default_names(1)))
    replaceable = [(known.name, known.endings) for known in kinds]
    with atomic_folder(path, force, replaceable) as folder:
        images = itertools.chain.from_iterable(chunks)
        for name, known, pixels in zip(names, formats, images, strict=True):
            data = known.write(pixels, Path(path, name))
            with open(folder / name, "xb") as file:  # "x", as names may differ only in case
                file.write(data)


def _picture_format(name: str) -> PictureFormat:
    known = format_by_ending(name)
    assert isinstance(known, PictureFormat)  # `check_names_here` has ensured this
    return known


def _check_channels(path: object, known: Format, spec: ImageSpec) -> None:
    if spec.channels not in known.channels:
        raise InputError(f"{path}: {known.name} has no {spec.kind} pictures: choose another format")
