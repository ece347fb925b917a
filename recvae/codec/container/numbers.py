"""Numbers of one, two or nine bytes; the specification calls them short integers.

Most groups of one small image take fewer than 192 bytes, but many take more than 127, the most that
a LEB128 varint states in one byte.
"""

_TWO_BYTES = 192  # the smallest number of two bytes, and its smallest first byte
_NINE_BYTES = _TWO_BYTES + (255 - _TWO_BYTES) * 256

MAX_SHORT_BYTES = 9


def pack_short(value: int) -> bytes:
    """Return 0 to 2^64 - 1 as one byte below 192, two below 16320, else nine."""
    if value < _TWO_BYTES:
        return bytes((value,))
    if value < _NINE_BYTES:
        high, low = divmod(value - _TWO_BYTES, 256)
        return bytes((_TWO_BYTES + high, low))
    return b"\xff" + value.to_bytes(8)


def unpack_short(data: bytes, position: int = 0) -> tuple[int, int]:
    """Return the number at `position` and its end; `IndexError` if `data` ends before that."""
    first = data[position]
    if first < _TWO_BYTES:
        return first, position + 1
    if first < 255:
        return _TWO_BYTES + (first - _TWO_BYTES) * 256 + data[position + 1], position + 2
    if len(data) < position + 9:
        raise IndexError("the data end within a number")
    return int.from_bytes(data[position + 1 : position + 9]), position + 9
