"""The arrays in the index of version 2."""

import zlib
from math import prod

import numpy as np

from spec.container import check, short
from spec.groups_2 import number

TYPES = [None, *map(np.dtype, (">u1", ">i1", ">u2", ">i2", ">u4", ">i4", ">u8", ">i8"))]
TYPES += [np.dtype(">f4"), np.dtype(">f8")]
MAX_TEXT, MAX_ELEMENTS = 1 << 26, 1 << 28


def inflate(packed: bytes, limit: int) -> bytes:
    """Decompress one zlib stream, with nothing after it, to at most this many bytes."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, limit + 1)
    except zlib.error as error:
        raise ValueError("an array's stream") from error
    check(len(data) <= limit, "more elements than there may be")
    check(stream.eof and not stream.unused_data, "an array's stream")
    return data


def parse_text(packed: bytes, count: int) -> list[str]:
    """`count` strings, at most 256 bytes each on average, as in version 1."""
    if count == 0:
        check(not packed, "number of strings")
        return []
    text = inflate(packed, min(256 * count, MAX_TEXT))
    check(text.count(0) == count - 1, "number of strings")
    return text.decode().split("\0")


def parse_array(data: bytes, at: int) -> tuple[str, np.ndarray | list[str], int]:
    """The name and the elements of the array that begins at a byte, and its end."""
    size, at = short(data, at)
    check(1 <= size <= 255, "length of an array's name")
    check(at + size <= len(data), "an array beyond the end")
    name, at = data[at : at + size].decode(), at + size
    kind, at = number(data, at, 1)
    check(kind < len(TYPES), "type of an array")
    axes, at = short(data, at)
    check(axes <= 8 and (kind > 0 or axes == 1), "number of axes")
    shape = []
    for _ in range(axes):
        length, at = short(data, at)
        shape.append(length)
    size, at = short(data, at)
    check(at + size <= len(data), "an array beyond the end")
    packed, at = data[at : at + size], at + size
    dtype = TYPES[kind]
    if dtype is None:
        check(64 * shape[0] <= MAX_ELEMENTS, "an array of more than 2^28 bytes")
        return name, parse_text(packed, shape[0]), at
    expected = dtype.itemsize * prod(shape)
    limited = dtype.itemsize * prod(max(axis, 1) for axis in shape)
    check(limited <= MAX_ELEMENTS, "an array of more than 2^28 bytes")
    elements = inflate(packed, expected)
    check(len(elements) == expected, "fewer elements than there must be")
    return name, np.frombuffer(elements, dtype).reshape(shape), at


def parse_arrays(index: bytes, at: int, num_images: int) -> dict[str, np.ndarray | list[str]]:
    """The arrays, from a byte of the index to its end."""
    arrays: dict[str, np.ndarray | list[str]] = {}
    num_arrays, at = short(index, at)
    taken = 0
    for _ in range(num_arrays):
        name, elements, at = parse_array(index, at)
        taken += 64 * len(elements) if isinstance(elements, list) else elements.nbytes
        check(taken <= MAX_ELEMENTS, "arrays of more than 2^28 bytes")
        check(name not in arrays, "an array's name twice")
        named = name != "names" or (isinstance(elements, list) and len(elements) == num_images)
        check(named, "names of the images")
        arrays[name] = elements
    check(at == len(index), "bytes behind the arrays")
    return arrays
