"""Images from numpy's .npy files."""

import warnings
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from recvae.errors import InputError
from recvae.images.formats.registry import ArrayFormat, Arrays, register_format
from recvae.images.spec import GREY, KINDS, ImageSpec
from recvae.images.stream import check_pixels, read_chunks

NPY_MAGIC = b"\x93NUMPY"


def read_npy(file: BinaryIO, name: str, channels: int) -> Arrays:
    """Return spec, number and chunks of the images of an uint8 array.

    An array (height, width) or, for more than 1 channel, (height, width, channels) is one image.
    Several images in Fortran order, whose pixels are interleaved, come in one chunk. Raises
    `InputError` that names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about files by Python 2
            shape, is_fortran, dtype = _read_header(file)
    except (OSError, EOFError, zlib.error):  # of the file itself, or of gzip around it
        raise
    except Exception as error:  # numpy parses the header as Python, which may raise anything
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{name}: not a readable .npy array ({reason})") from error
    is_one = len(shape) == (2 if channels == GREY else 3)
    try:
        spec, count = check_pixels(dtype, (1, *shape) if is_one else shape, channels)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    if is_fortran:
        whole = read_chunks(file, spec, count, name, at_once=max(1, count))
        return spec, count, _reordered(whole)
    return spec, count, read_chunks(file, spec, count, name)


def write_npy(file: BinaryIO, spec: ImageSpec, count: int, chunks: Iterable[np.ndarray]) -> None:
    """Write images as an uint8 array (n, height, width) or (n, height, width, channels)."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *spec.shape)}
    npy_format.write_array_header_1_0(file, header)
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk).data)


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy_format.read_magic(file)
    if version == (1, 0):
        header = npy_format.read_array_header_1_0(file)
    elif version in ((2, 0), (3, 0)):  # they differ only in field names
        header = npy_format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version[0]}.{version[1]}")
    if min(header[0], default=0) < 0:
        raise ValueError(f"shape {header[0]}")
    shape, is_fortran, dtype = header
    return tuple(map(int, shape)), is_fortran, dtype  # for numpy, True is a size


def _reordered(chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for whole in chunks:
        yield whole.reshape(-1).reshape(whole.shape, order="F")


register_format(
    ArrayFormat(
        name=".npy array",
        endings=(".npy",),
        matches=lambda head: head.startswith(NPY_MAGIC),
        read=read_npy,
        write=write_npy,
        channels=tuple(KINDS),
    )
)
