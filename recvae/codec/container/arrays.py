"""Arrays beside the images, such as labels or file names, in the index of version 2."""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from recvae.codec.container.names import NAMES, pack_names, unpack_names
from recvae.codec.container.numbers import pack_short, unpack_short
from recvae.errors import InputError

Array = np.ndarray | tuple[str, ...]
"""Numbers, or strings along one axis."""

MAX_AXES = 8
MAX_ARRAY_BYTES = 1 << 28  # of all arrays' elements
MAX_NAME_BYTES = 255
STRING_BYTES = 64  # counted for a string: about its size in memory
_TEXT = 0
_TYPES = ("u1", "i1", ">u2", ">i2", ">u4", ">i4", ">u8", ">i8", ">f4", ">f8")  # numbered from 1


def pack_arrays(arrays: Mapping[str, Any], num_images: int) -> bytes:
    """Return arrays as written: numbers in any form numpy accepts, strings in any sequence.

    Raises `InputError` for arrays that the file cannot hold, naming the array.
    """
    parts = [pack_short(len(arrays))]
    left = MAX_ARRAY_BYTES
    for name, array in arrays.items():
        encoded = _encoded(name)
        try:
            kind, shape, value, left = _value(array, left)
            if name == NAMES and (kind, shape) != (_TEXT, (num_images,)):
                raise InputError(f"needs a string for each of the {num_images} images")
            data = _data(value)
        except InputError as error:
            raise InputError(f"array {name!r}: {error}") from error
        shorts = (len(shape), *shape, len(data))
        parts += [pack_short(len(encoded)), encoded, bytes((kind,)), *map(pack_short, shorts), data]
    return b"".join(parts)


def check_arrays(arrays: Mapping[str, Any]) -> None:
    """Raise `InputError` as `pack_arrays` does, without the work of compressing numbers."""
    left = MAX_ARRAY_BYTES
    for name, array in arrays.items():
        _encoded(name)
        try:
            kind, _, value, left = _value(array, left)
            if kind == _TEXT:
                _data(value)
        except InputError as error:
            raise InputError(f"array {name!r}: {error}") from error


def unpack_arrays(packed: bytes, num_images: int) -> dict[str, Array]:
    """Return the arrays by name, numbers in the machine's byte order; `InputError` for damage.

    The cost of a hostile file is bounded: decompression stops at the limit for all arrays, and
    output of that size takes about a thousandth of it in the file.
    """
    arrays: dict[str, Array] = {}
    left = MAX_ARRAY_BYTES
    count, at = _count(packed)
    for _ in range(count):
        (name, kind, shape, data), at = _entry(packed, at)
        if name in arrays:
            raise InputError(f"array {name!r} occurs twice")
        try:
            left = _take(left, _cost(kind, shape))
            arrays[name] = _unpack(kind, shape, data)
            if name == NAMES and (kind, shape) != (_TEXT, (num_images,)):
                raise InputError(f"does not hold a string for each of the {num_images} images")
        except InputError as error:
            raise InputError(f"array {name!r}: {error}") from error
    if at != len(packed):
        raise InputError("bytes follow the arrays within the index")
    return arrays


def arrays_end(packed: bytes) -> int:
    """Return the end of arrays that other bytes may follow; `InputError` if they are cut off."""
    count, at = _count(packed)
    for _ in range(count):
        _, at = _entry(packed, at)
    return at


def _count(packed: bytes) -> tuple[int, int]:
    """The number of arrays, and the offset of the first."""
    try:
        return unpack_short(packed)
    except IndexError as error:
        raise InputError("the arrays do not end before the index does") from error


def _entry(packed: bytes, at: int) -> tuple[tuple[str, int, tuple[int, ...], bytes], int]:
    """Name, type, shape and data of the array at an offset, and its end."""
    try:
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
        return (name, kind, tuple(shape), packed[at : at + size]), at + size
    except IndexError as error:
        raise InputError("the arrays do not end before the index does") from error
    except UnicodeDecodeError as error:
        raise InputError("the name of an array is not UTF-8") from error


def _encoded(name: Any) -> bytes:
    if not isinstance(name, str):
        raise InputError(f"array name {name!r}: must be text")
    try:
        encoded = name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"array name {name!r}: not valid Unicode") from error
    if not 1 <= len(encoded) <= MAX_NAME_BYTES:
        raise InputError(f"array name {name!r}: must take 1 to {MAX_NAME_BYTES} bytes")
    return encoded


def _take(left: int, size: int) -> int:
    """Subtract an array's `size` in bytes from what is left of the limit for all arrays."""
    if size > left:
        raise InputError(f"takes {size} bytes; the limit for all arrays is {MAX_ARRAY_BYTES}")
    return left - size


def _cost(kind: int, shape: tuple[int, ...]) -> int:
    """Bytes that an array counts for: those of its numbers, or `STRING_BYTES` for each string.

    An axis of length 0 counts as 1, so that every axis is limited.
    """
    if kind == _TEXT:
        return STRING_BYTES * math.prod(shape)
    if kind > len(_TYPES):
        raise InputError(f"its type is {kind}; the highest known is {len(_TYPES)}")
    return math.prod(max(length, 1) for length in shape) * np.dtype(_TYPES[kind - 1]).itemsize


def _value(array: Any, left: int) -> tuple[int, tuple[int, ...], Array, int]:
    """Type, shape and value of an array, and how many of `left` bytes remain."""
    if not isinstance(array, np.ndarray) and _is_text(array):
        left = _take(left, _cost(_TEXT, (len(array),)))
        return _TEXT, (len(array),), tuple(array), left
    try:
        numbers = np.asarray(array)
    except (ValueError, TypeError) as error:
        raise InputError(f"is not an array: {error}") from error
    if numbers.dtype.kind == "U" and numbers.ndim == 1 and isinstance(array, np.ndarray):
        return _value(tuple(numbers.tolist()), left)
    stored = numbers.dtype.newbyteorder(">")
    written = stored.str.replace("|", "")
    if written not in _TYPES:
        raise InputError(
            f"holds {numbers.dtype}: make it numbers of 8 to 64 bits, or a sequence of strings"
        )
    if numbers.ndim > MAX_AXES:
        raise InputError(f"has {numbers.ndim} axes; the limit is {MAX_AXES}")
    kind = 1 + _TYPES.index(written)
    return kind, numbers.shape, numbers, _take(left, _cost(kind, numbers.shape))


def _data(value: Array) -> bytes:
    """The bytes of an array in the file."""
    if isinstance(value, tuple):
        return _text(pack_names, value)
    return zlib.compress(value.astype(value.dtype.newbyteorder(">")).tobytes(), 9)


def _text(work: Callable[..., Any], *arguments: Any) -> Any:
    """Apply a function for names to strings, with messages about strings."""
    try:
        return work(*arguments)
    except InputError as error:
        message = str(error).replace("an image name", "a string").replace("image name", "string")
        raise InputError(message) from error


def _is_text(array: Any) -> bool:
    is_sequence = isinstance(array, Sequence) and not isinstance(array, str | bytes)
    return is_sequence and all(isinstance(item, str) for item in array)


def _unpack(kind: int, shape: tuple[int, ...], data: bytes) -> Array:
    if kind == _TEXT:
        if len(shape) != 1:
            raise InputError(f"text with {len(shape)} axes")
        if bool(shape[0]) != bool(data):
            raise InputError("the number of strings does not match their data")
        return _text(unpack_names, data, shape[0]) or ()
    dtype = np.dtype(_TYPES[kind - 1])
    numbers = np.frombuffer(_inflated(data, math.prod(shape) * dtype.itemsize), dtype)
    return numbers.reshape(shape).astype(dtype.newbyteorder("="))


def _inflated(data: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise InputError("its data are not a zlib stream") from error
    if len(raw) != size or not stream.eof or stream.unused_data:
        raise InputError(f"its data are not a single stream of {size} bytes")
    return raw
