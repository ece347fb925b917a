"""MNIST's idx files of images.

A file is two zero bytes, the type (8: unsigned byte), the number of dimensions (3), three
big-endian 32-bit sizes (n, height, width), and n * height * width bytes.
Source: http://yann.lecun.com/exdb/mnist
"""

import gzip
import struct
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import BinaryIO

import numpy as np

from recvae.errors import InputError
from recvae.files.atomic import atomic_file
from recvae.images.stream import Shape, read_chunks

IDX_MAGIC = b"\0\0"
HEADER_BYTES = 16
_TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}


def idx_images(file: BinaryIO, name: str) -> tuple[Shape, Iterator[np.ndarray]]:
    """Return the shape (n, height, width) and the chunks of an idx file.

    Raises `InputError` that names the file if it holds anything but bytes in three dimensions.
    """
    shape = _parse_header(file.read(HEADER_BYTES), name)
    return shape, read_chunks(file, shape, name)


def write_idx(path: str | PathLike[str], pixels: np.ndarray, force: bool = False) -> None:
    """Write uint8 (n, height, width) as an idx file, gzip-compressed if `path` ends in `.gz`.

    Raises `InputError` as `atomic_file` does.
    """
    with atomic_file(path, force) as file:
        write_idx_chunks(file, pixels.shape, [pixels], compress=str(path).lower().endswith(".gz"))


def write_idx_chunks(
    file: BinaryIO | gzip.GzipFile,
    shape: tuple[int, ...],
    chunks: Iterable[np.ndarray],
    compress: bool,
) -> None:
    """Write an idx header for `shape` (n, height, width), then the bytes of uint8 `chunks`."""
    if compress:  # neither name nor time in the gzip header: the same images give the same file
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            write_idx_chunks(packed, shape, chunks, compress=False)
        return
    file.write(struct.pack(">4B3I", 0, 0, 8, 3, *shape))
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk).data)


def _parse_header(header: bytes, name: str) -> Shape:
    if len(header) < HEADER_BYTES:
        raise InputError(f"{name}: truncated within the idx header of {HEADER_BYTES} bytes")
    _, kind, dimensions, *shape = struct.unpack(">H2B3I", header)
    if kind != 8:
        raise InputError(f"{name}: holds {_TYPES.get(kind, f'type {kind}')}, not unsigned bytes")
    if dimensions != 3:
        raise InputError(
            f"{name}: has {dimensions} dimension(s) where images have 3"
            + (" (is it a file of labels?)" if dimensions == 1 else "")
        )
    return (shape[0], shape[1], shape[2])
