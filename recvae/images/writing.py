"""Writing images, whole or in chunks, to the kind of output that a name asks for."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from recvae.errors import InputError
from recvae.files.atomic import atomic_file, atomic_folder
from recvae.images.formats.idx import write_idx_chunks
from recvae.images.formats.png import encode_png
from recvae.images.names import check_names, default_names
from recvae.images.reading import Images

_IDX_ENDINGS = ("-ubyte", ".idx", ".idx3")
_NOT_A_FOLDER = (".bmp", ".gif", ".gz", ".jpeg", ".jpg", ".npz", ".tif", ".tiff", ".webp", ".zip")
_CHUNK_BYTES = 1 << 24


def write_images(path: str | PathLike[str], images: Images, force: bool = False) -> None:
    """Write `images` as the name `path` asks; see `write_chunks`."""
    pixels = images.pixels
    step = max(1, _CHUNK_BYTES // (pixels.shape[1] * pixels.shape[2]))
    chunks = (pixels[start : start + step] for start in range(0, len(pixels), step))
    write_chunks(path, pixels.shape, chunks, images.names, force)


def write_chunks(
    output: str | PathLike[str] | BinaryIO,
    shape: tuple[int, ...],
    chunks: Iterable[np.ndarray],
    names: Sequence[str] | None = None,
    force: bool = False,
) -> None:
    """Write images of `shape` (n, height, width) from uint8 `chunks` (any number, height, width).

    One chunk is in memory at a time. A binary stream gets idx. The end of a path chooses: `.npy`;
    `.png` for a single image; `-ubyte`, `.idx` and `.idx3` for idx, with `.gz` compressed; anything
    else for a folder of PNGs called `names`, or 00000.png and so on, and the output appears when it
    is complete.
    Raises `InputError` as `atomic_file` and `check_names` do, and if a `.png` is to hold several.
    """
    images = _checked(chunks, shape)
    if not isinstance(output, str | PathLike):
        write_idx_chunks(output, shape, images, compress=False)
        return
    path, name = output, Path(output).name.lower()
    if name.endswith(".png") and shape[0] != 1:
        raise InputError(f"{path}: one PNG cannot hold {shape[0]} images: give a folder's name")
    if name.endswith(".png"):
        with atomic_file(path, force) as file:
            file.writelines(encode_png(chunk[0]) for chunk in images)
    elif name.endswith(".npy"):
        with atomic_file(path, force) as file:
            _write_npy(file, shape, images)
    elif name.removesuffix(".gz").endswith(_IDX_ENDINGS):
        with atomic_file(path, force) as file:
            write_idx_chunks(file, shape, images, compress=name.endswith(".gz"))
    elif name.endswith(_NOT_A_FOLDER):
        raise InputError(f"{path}: cannot write this kind; use .npy, .png, .idx or a folder's name")
    else:
        names = default_names(shape[0]) if names is None else names
        check_names(names, shape[0])
        _write_folder(path, images, names, force)


def _checked(chunks: Iterable[np.ndarray], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Pass non-empty chunks on; a mistake of the program must not become a file."""
    count = 0
    for chunk in chunks:
        if chunk.dtype != np.uint8 or chunk.shape[1:] != shape[1:]:
            raise ValueError(f"a chunk of {chunk.dtype} {chunk.shape} in a file of {shape}")
        count += len(chunk)
        if count > shape[0]:
            break
        if len(chunk):
            yield chunk
    if count != shape[0]:
        raise ValueError(f"{count} images came for a file of {shape[0]}")


def _write_npy(file: BinaryIO, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk).data)


def _write_folder(
    path: str | PathLike[str], chunks: Iterable[np.ndarray], names: Sequence[str], force: bool
) -> None:
    with atomic_folder(path, force) as folder:
        images = itertools.chain.from_iterable(chunks)
        for name, pixels in zip(names, images, strict=True):
            with open(folder / name, "xb") as file:  # "x", as names may differ in case alone
                file.write(encode_png(pixels))
