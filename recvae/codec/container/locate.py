"""Finds bytes followed by their own CRC-16 anywhere in a damaged file.

With P_i the CRC-16 of the first i bytes, started from 0, the bytes from p to e are a group if their
CRC, started from 0xFFFF and continued over the two bytes that hold it, is 0. The CRC is linear, and
x^8 stands for one more byte, so this is P_e = (P_p + 0xFFFF) x^(8(e-p)) modulo its polynomial, or
A_e = A_p + 0xFFFF x^(-8p) with A_i = P_i x^(-8i): two numbers to compare for each position, however
long the group would be. The time is linear in the bytes, whatever they are.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from recvae.codec.container.header import HEADER_BYTES, Header
from recvae.codec.container.numbers import MAX_SHORT_BYTES

_POLYNOMIAL = 0x11021
_PERIOD = 32767  # of x modulo the polynomial; also the bytes processed together


class Checksums:
    """Tells in constant time whether bytes of the data end with their CRC-16, started from 0xFFFF.

    Takes 2 bytes of memory for each byte of the data.
    """

    def __init__(self, data: bytes) -> None:
        padded = np.frombuffer(data + bytes(_PERIOD), dtype=np.uint8)
        self._checks = _checks(padded, len(data))

    def fit(self, start: int, end: int) -> bool:
        """Whether the two bytes before `end` are the CRC-16 of those from `start` to there."""
        return bool(self._checks[end] == self._checks[start] ^ _start_terms()[start % _PERIOD])


class Shorts:
    """Tells where a number of shorts ends, wherever in the data they begin.

    Takes 3 bytes of memory for each byte of the data.
    """

    _STRIDE = 64

    def __init__(self, data: bytes) -> None:
        first = np.frombuffer(data, dtype=np.uint8)
        self._widths = np.ones(len(first), dtype=np.uint8)
        self._widths[first >= 192] = 2
        self._widths[first == 255] = MAX_SHORT_BYTES
        jumps = self._widths.astype(np.uint16)  # lengths in bytes of 1, 2, 4, ... shorts
        for _ in range(self._STRIDE.bit_length() - 1):
            jumps = _twice(jumps)
        self._jumps = jumps

    def end(self, start: int, count: int) -> int:
        """The end of `count` shorts that begin at `start`; beyond the data if incomplete."""
        strides, singles = divmod(count, self._STRIDE)
        for _ in range(strides):
            if start >= len(self._jumps):
                return start + 1
            start += int(self._jumps[start])
        for _ in range(singles):
            if start >= len(self._widths):
                return start + 1
            start += int(self._widths[start])
        return start


def _twice(jumps: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """From the lengths of some number of shorts to those of twice as many; clipped past the end."""
    doubled = np.empty_like(jumps)
    for begin in range(0, len(jumps), 1 << 20):  # bounds the memory of indices
        part = slice(begin, begin + (1 << 20))
        there = np.arange(begin, begin + len(jumps[part])) + jumps[part]
        inside = there < len(jumps)
        doubled[part] = jumps[part] + np.where(inside, jumps[np.where(inside, there, 0)], 1)
    return doubled


def find_groups(data: bytes, header: Header) -> dict[int, int]:
    """Return where groups of version 1 may begin, ascending, and where each would end.

    All groups of a file are among them, and one position in 65,536 by chance. Takes 2 bytes of
    memory for each byte of `data` and a little for each group.
    """
    past_the_end = bytes(_PERIOD + MAX_SHORT_BYTES)
    padded = np.frombuffer(data + past_the_end, dtype=np.uint8)
    checks = _checks(padded, len(data))
    found: dict[int, int] = {}
    for begin in range(0, len(data), _PERIOD):
        starts = np.arange(max(begin, HEADER_BYTES), min(begin + _PERIOD, len(data)))
        ends = _ends(padded, starts, header)
        inside = ends <= len(data)
        starts, ends = starts[inside], ends[inside]
        fits = checks[ends] == checks[starts] ^ _start_terms()[starts - begin]
        found.update(zip(starts[fits].tolist(), ends[fits].tolist(), strict=True))
    return found


def _ends(padded: NDArray[np.uint8], starts: NDArray[np.int64], header: Header) -> NDArray:
    """The end of a group at each of the starts; beyond the data if there cannot be one."""
    never = len(padded)
    first, second = padded[starts].astype(np.int64), padded[starts + 1].astype(np.int64)
    code, width = first.copy(), np.ones_like(first)
    two = (first >= 192) & (first < 255)
    code[two] = 192 + (first[two] - 192) * 256 + second[two]
    width[two] = 2
    nine = np.flatnonzero(first == 255)
    big = padded[starts[nine, None] + np.arange(1, MAX_SHORT_BYTES)].view(">u8").reshape(-1)
    code[nine] = np.minimum(big, never)
    width[nine] = MAX_SHORT_BYTES
    payload = np.where(code == 0, min(header.raw_group_bytes, never), code - 1)
    other_form = (code > 0) & (payload == header.raw_group_bytes)
    other_form[nine] |= big < 16320
    return np.where(other_form, never, starts + width + payload + 2)


def _checks(padded: NDArray[np.uint8], size: int) -> NDArray[np.uint16]:
    """Compute A_0 to A_size."""
    checks = np.zeros(size + _PERIOD + 1, dtype=np.uint16)
    for begin in range(0, size, _PERIOD):
        part = padded[begin : begin + _PERIOD]
        terms = np.zeros(_PERIOD, dtype=np.uint16)
        for bit, weight in enumerate(_bit_terms()):
            terms ^= (part >> bit & 1) * weight
        terms[0] ^= checks[begin]
        np.bitwise_xor.accumulate(terms, out=checks[begin + 1 : begin + 1 + _PERIOD])
    return checks[: size + 1]


@cache
def _powers() -> NDArray[np.uint16]:
    """The powers x^0 to x^32766."""
    powers = [1]
    while len(powers) < _PERIOD:
        power = powers[-1] << 1
        powers.append(power ^ _POLYNOMIAL if power >> 16 else power)
    return np.array(powers, dtype=np.uint16)


@cache
def _bit_terms() -> list[NDArray[np.uint16]]:
    """For each bit of byte i, its contribution to A: x^(bit + 8 - 8i)."""
    place = np.arange(_PERIOD)
    return [_powers()[(bit + 8 - 8 * place) % _PERIOD] for bit in range(8)]


@cache
def _start_terms() -> NDArray[np.uint16]:
    """0xFFFF x^(-8p)."""
    place = np.arange(_PERIOD)
    terms = [_powers()[(bit - 8 * place) % _PERIOD] for bit in range(16)]
    return np.bitwise_xor.reduce(terms, axis=0)
