"""MNIST's idx files of images.

A file is two zero bytes, the type (8: unsigned byte), the number of dimensions (3), three
big-endian 32-bit sizes (n, height, width), and n * height * width bytes. Images in RGB have a
fourth dimension, of size 3.
Source: http://yann.lecun.com/exdb/mnist
"""

import struct
from collections.abc import Iterable
from os import PathLike
from typing import BinaryIO

import numpy as np

from recvae.errors import InputError
from recvae.files.atomic import atomic_file
from recvae.files.streams import read_whole
from recvae.images.formats.gz import packed_by_name
from recvae.images.formats.registry import ArrayFormat, Arrays, register_format
from recvae.images.spec import GREY, RGB, ImageSpec
from recvae.images.stream import check_pixels, read_chunks

IDX_MAGIC = b"\0\0"
_TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}


def read_idx(file: BinaryIO, name: str, channels: int) -> Arrays:
    """Return spec, number and chunks of the images of an idx file.

    Raises `InputError` that names the file if it holds anything but bytes in three dimensions or,
    for 3 channels, four.
    """
    shape = _read_shape(file, name, channels)
    try:
        spec, count = check_pixels(np.dtype(np.uint8), shape, channels)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return spec, count, read_chunks(file, spec, count, name)


def write_idx(path: str | PathLike[str], pixels: np.ndarray, force: bool = False) -> None:
    """Write uint8 (n, height, width) or (n, height, width, 3) as an idx file.

    It is compressed by gzip if `path` ends in `.gz`. Raises `InputError` as `atomic_file` does.
    """
    spec = ImageSpec.of(pixels.shape, RGB if pixels.ndim == 4 else GREY)
    with atomic_file(path, force) as file, packed_by_name(file, path) as inner:
        write_idx_chunks(inner, spec, len(pixels), [pixels])


def write_idx_chunks(
    file: BinaryIO, spec: ImageSpec, count: int, chunks: Iterable[np.ndarray]
) -> None:
    """Write an idx header for the images, then the bytes of uint8 `chunks`."""
    shape = (count, *spec.shape)
    file.write(struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape))
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk).data)


def _read_shape(file: BinaryIO, name: str, channels: int) -> tuple[int, ...]:
    expected = 4 if channels == RGB else 3
    size = 16  # header of grey images, enough to recognise others
    header = read_whole(file, size)
    if header[3:4] == bytes([expected]):
        size = 4 + 4 * expected
        header += read_whole(file, size - len(header))
    if len(header) < size:
        raise InputError(f"{name}: truncated within the idx header of {size} bytes")
    _, kind, dimensions, *shape = struct.unpack(f">H2B{len(header) // 4 - 1}I", header)
    if kind != 8:
        raise InputError(f"{name}: holds {_TYPES.get(kind, f'type {kind}')}, not unsigned bytes")
    if dimensions != expected:
        hints = {
            1: " (is it a file of labels?)",
            4: f": pass channels {RGB} (--channels {RGB}) if the last is colour",
        }
        raise InputError(
            f"{name}: has {dimensions} dimension(s) where images have {expected}"
            + hints.get(dimensions, "")
        )
    return tuple(shape)


IDX = ArrayFormat(
    name="idx file",
    endings=(".idx", ".idx3", "-ubyte"),
    matches=lambda head: head != b"" and IDX_MAGIC.startswith(head[: len(IDX_MAGIC)]),
    read=read_idx,
    write=write_idx_chunks,
)
register_format(IDX)
