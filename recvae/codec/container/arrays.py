"""Arrays beside the images, as labels or file names, as the index of version 2 holds them."""

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from recvae.codec.container.names import NAMES, pack_names, unpack_names
from recvae.codec.container.numbers import pack_short, unpack_short
from recvae.errors import InputError

Array = np.ndarray | tuple[str, ...]
"""Numbers, or strings in one axis."""

MAX_AXES = 8
MAX_ARRAY_BYTES = 1 << 28  # of the elements of all
MAX_NAME_BYTES = 255
_TEXT = 0
_TYPES = ("u1", "i1", ">u2", ">i2", ">u4", ">i4", ">u8", ">i8", ">f4", ">f8")  # from 1 on


def pack_arrays(arrays: Mapping[str, Any], num_images: int) -> bytes:
    """Return arrays as written: numbers as numpy takes them, strings in any sequence.

    Raises `InputError` for what the file cannot hold, naming the array.
    """
    parts = [pack_short(len(arrays))]
    left = MAX_ARRAY_BYTES
    for name, array in arrays.items():
        encoded = _encoded(name)
        try:
            kind, shape, data, size = _pack(array)
            left = _take(left, size)
            if name == NAMES and (kind, shape) != (_TEXT, (num_images,)):
                raise InputError(f"needs a string for each of the {num_images} images")
        except InputError as error:
            raise InputError(f"array {name!r}: {error}") from error
        shorts = (len(shape), *shape, len(data))
        parts += [pack_short(len(encoded)), encoded, bytes((kind,)), *map(pack_short, shorts), data]
    return b"".join(parts)


def unpack_arrays(packed: bytes, num_images: int) -> dict[str, Array]:
    """Return the arrays by name, numbers in the machine's byte order; `InputError` for damage.

    What a hostile file can cost is bounded: decompression stops at what an array may take, and what
    that is needs some thousandth of it in the file.
    """
    arrays: dict[str, Array] = {}
    left = MAX_ARRAY_BYTES
    for name, kind, shape, data in _entries(packed):
        if name in arrays:
            raise InputError(f"there are two arrays {name!r}")
        try:
            arrays[name], size = _unpack(kind, shape, data)
            left = _take(left, size)
            if name == NAMES and (kind, shape) != (_TEXT, (num_images,)):
                raise InputError(f"is not a string for each of the {num_images} images")
        except InputError as error:
            raise InputError(f"array {name!r}: {error}") from error
    return arrays


def _entries(packed: bytes) -> Iterator[tuple[str, int, tuple[int, ...], bytes]]:
    """Name, type, shape and data of each array; `InputError` unless they are all of `packed`."""
    try:
        count, at = unpack_short(packed)
        for _ in range(count):
            size, at = unpack_short(packed, at)
            if not 1 <= size <= MAX_NAME_BYTES:
                raise InputError(f"the name of an array takes {size} bytes")
            name, at = packed[at : at + size].decode(), at + size
            kind, at = packed[at], at + 1
            axes, at = unpack_short(packed, at)
            if axes > MAX_AXES:
                raise InputError(f"array {name!r} has {axes} axes; the limit is {MAX_AXES}")
            shape = []
            for _ in range(axes):
                length, at = unpack_short(packed, at)
                shape.append(length)
            size, at = unpack_short(packed, at)
            if at + size > len(packed):
                raise IndexError("the data end within an array")
            yield name, kind, tuple(shape), packed[at : at + size]
            at += size
    except IndexError as error:
        raise InputError("the arrays do not end before the index does") from error
    except UnicodeDecodeError as error:
        raise InputError("the name of an array is not UTF-8") from error
    if at != len(packed):
        raise InputError("bytes follow the arrays within the index")


def _encoded(name: str) -> bytes:
    try:
        encoded = name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"array name {name!r}: not valid Unicode") from error
    if not 1 <= len(encoded) <= MAX_NAME_BYTES:
        raise InputError(f"array name {name!r}: must take 1 to {MAX_NAME_BYTES} bytes")
    return encoded


def _take(left: int, size: int) -> int:
    """What is left of the limit of all arrays after one that takes `size` bytes."""
    if size > left:
        raise InputError(f"takes {size} bytes; all arrays may take {MAX_ARRAY_BYTES}")
    return left - size


def _text_bytes(strings: Sequence[str]) -> int:
    return sum(len(string.encode()) + 1 for string in strings)


def _pack(array: Any) -> tuple[int, tuple[int, ...], bytes, int]:
    """Type, shape and data of an array, and the bytes of its elements."""
    if not isinstance(array, np.ndarray) and _is_text(array):
        return _TEXT, (len(array),), pack_names(array), _text_bytes(array)
    array = np.asarray(array)
    if array.dtype.kind == "U" and array.ndim == 1:
        return _pack(tuple(array.tolist()))
    stored = array.dtype.newbyteorder(">")
    written = stored.str.replace("|", "")
    if written not in _TYPES:
        raise InputError(f"holds {array.dtype}: make it numbers of 8 to 64 bits, or text")
    if array.ndim > MAX_AXES:
        raise InputError(f"has {array.ndim} axes; the limit is {MAX_AXES}")
    size = _array_bytes(array.shape, stored)
    _take(MAX_ARRAY_BYTES, size)  # before it is converted
    data = zlib.compress(array.astype(stored).tobytes(), 9)
    return 1 + _TYPES.index(written), array.shape, data, size


def _is_text(array: Any) -> bool:
    return isinstance(array, Sequence) and all(isinstance(item, str) for item in array)


def _array_bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """What numbers take; an axis of length 0 counts as 1, so that no axis is beyond all limits."""
    return math.prod(max(length, 1) for length in shape) * dtype.itemsize


def _unpack(kind: int, shape: tuple[int, ...], data: bytes) -> tuple[Array, int]:
    """An array, and the bytes of its elements."""
    if kind == _TEXT:
        if len(shape) != 1:
            raise InputError(f"text of {len(shape)} axes")
        if bool(shape[0]) != bool(data):
            raise InputError("text of as many strings has other data")
        strings = unpack_names(data, shape[0]) or ()
        return strings, _text_bytes(strings)
    if kind > len(_TYPES):
        raise InputError(f"its type is {kind}, the last one known {len(_TYPES)}")
    dtype = np.dtype(_TYPES[kind - 1])
    size = _array_bytes(shape, dtype)
    _take(MAX_ARRAY_BYTES, size)
    numbers = np.frombuffer(_inflated(data, math.prod(shape) * dtype.itemsize), dtype)
    return numbers.reshape(shape).astype(dtype.newbyteorder("=")), size


def _inflated(data: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise InputError("its data are no zlib stream") from error
    if len(raw) != size or not stream.eof or stream.unused_data:
        raise InputError(f"its data are not one stream of {size} bytes")
    return raw
