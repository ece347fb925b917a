"""MNIST's idx files of images, plain or gzip-compressed.

A file is two zero bytes, the type (8: unsigned byte), the number of dimensions (3), three
big-endian 32-bit sizes (n, height, width), and n * height * width bytes.
Source: http://yann.lecun.com/exdb/mnist
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from recvae.data.atomic import atomic_file
from recvae.data.os_errors import translate_os_errors
from recvae.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
HEADER_BYTES = 16
MAX_DEFLATE_RATIO = 1032  # no deflate stream expands more (zlib's technical notes)
_TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
_CHUNK_BYTES = 1 << 20

Shape = tuple[int, int, int]


def read_idx(path: str | PathLike[str]) -> np.ndarray:
    """Read images as uint8 (n, height, width): a read-only memory map unless gzip-compressed.

    Raises `InputError` if the file is no idx file of bytes in three dimensions, if its length is
    not what its header announces, or if it cannot be read. Memory grows with the data that is
    there, never with what the header announces.
    """
    path = Path(path)
    with translate_os_errors(path):
        with open(path, "rb") as file:
            header = file.read(HEADER_BYTES)
        return _read_gzip(path) if header.startswith(GZIP_MAGIC) else _map_plain(path, header)


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


def _map_plain(path: Path, header: bytes) -> np.ndarray:
    shape = _parse_header(header, path)
    _check_length(path.stat().st_size - HEADER_BYTES, shape, path)
    if math.prod(shape) == 0:  # an empty map is an error on some systems
        return np.zeros(shape, np.uint8)
    return np.memmap(path, np.uint8, mode="r", offset=HEADER_BYTES, shape=shape)


def _read_gzip(path: Path) -> np.ndarray:
    try:
        with gzip.open(path) as file:
            shape = _parse_header(file.read(HEADER_BYTES), path)
            size = math.prod(shape)
            if size > MAX_DEFLATE_RATIO * path.stat().st_size:
                raise InputError(
                    f"{path}: its header announces {_describe(shape)}, "
                    "more than a file of this length can hold"
                )
            data = bytearray()
            # One byte more than announced: it shows what trails, and makes gzip check its checksum.
            while chunk := file.read(min(_CHUNK_BYTES, size + 1 - len(data))):
                data += chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a whole gzip file ({error})") from error
    _check_length(len(data), shape, path)
    return np.frombuffer(data, np.uint8).reshape(shape)


def _parse_header(header: bytes, path: Path) -> Shape:
    if header[:2] not in (b"\0\0", b"\0", b""):
        raise InputError(f"{path}: not an idx file, which begins with two zero bytes")
    if len(header) < HEADER_BYTES:
        raise InputError(f"{path}: truncated within the idx header of {HEADER_BYTES} bytes")
    _, kind, dimensions, *shape = struct.unpack(">H2B3I", header)
    if kind != 8:
        raise InputError(f"{path}: holds {_TYPES.get(kind, f'type {kind}')}, not unsigned bytes")
    if dimensions != 3:
        raise InputError(
            f"{path}: has {dimensions} dimension(s) where images have 3"
            + (" (is it a file of labels?)" if dimensions == 1 else "")
        )
    return (shape[0], shape[1], shape[2])


def _check_length(data_bytes: int, shape: Shape, path: Path) -> None:
    expected = math.prod(shape)
    if data_bytes < expected:
        raise InputError(
            f"{path}: truncated: its header announces {_describe(shape)}, "
            f"{expected} bytes, and {data_bytes} follow"
        )
    if data_bytes > expected:
        raise InputError(f"{path}: bytes trail the {_describe(shape)} that its header announces")
    if not expected and max(shape) >= 1 << 31:  # arrays have limits even where they are empty
        raise InputError(f"{path}: holds no pixels: its header announces {_describe(shape)}")


def _describe(shape: Shape) -> str:
    return f"{shape[0]} images of {shape[1]} × {shape[2]} pixels"
