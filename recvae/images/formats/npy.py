"""Images from numpy's .npy files."""

import warnings
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from recvae.errors import InputError
from recvae.images.stream import Shape, check_pixels, read_chunks

NPY_MAGIC = b"\x93NUMPY"


def npy_images(file: BinaryIO, name: str) -> tuple[Shape, Iterator[np.ndarray]]:
    """Return the shape (n, height, width) and the chunks of an uint8 array.

    An array (height, width) is one image. One of several images in Fortran order, in which their
    pixels lie mixed, comes in one chunk. Raises `InputError` that names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that Python 2 wrote it is no news here
            shape, is_fortran, dtype = _read_header(file)
    except Exception as error:  # numpy reads the header with Python's parser, which may raise any
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{name}: not a readable .npy array ({reason})") from error
    try:
        images = check_pixels(dtype, (1, *shape) if len(shape) == 2 else shape)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return images, (_fortran_chunks if is_fortran else read_chunks)(file, images, name)


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy_format.read_magic(file)
    if version == (1, 0):
        header = npy_format.read_array_header_1_0(file)
    elif version in ((2, 0), (3, 0)):  # they differ in the names of fields, which pixels lack
        header = npy_format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version[0]}.{version[1]}")
    if min(header[0], default=0) < 0:
        raise ValueError(f"shape {header[0]}")
    return header


def _fortran_chunks(file: BinaryIO, shape: Shape, name: str) -> Iterator[np.ndarray]:
    for whole in read_chunks(file, shape, name, at_once=max(1, shape[0])):
        yield whole.reshape(-1).reshape(shape, order="F")
