"""Entropy coding: constriction's range coder with integer frequencies and the shortest ending.

constriction turns a row of weights p_k into frequencies 1 + floor(P_k * s), P_k the increments of
the running sum and s = (2^24 - n) / sum p. Given p_k = f_k - 1 with sum f = 2^24, s is just 1 and
all sums are integers below 2^24: the coder uses exactly the frequencies f_k.
(`tests/codec/test_range_coder.py` checks this with a range decoder in Python integers.)
"""

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

Categorical, Uniform = constriction.stream.model.Categorical, constriction.stream.model.Uniform
queue = constriction.stream.queue

WORD_BYTES = 4
STATE_BYTES = 8
ROWS_AT_ONCE = 1 << 14
Symbols = NDArray[np.integer]


class RangeEncoder:
    """Collects symbols and returns the bytes."""

    def __init__(self) -> None:
        self._encoder = queue.RangeEncoder()
        self._categorical = Categorical(perfect=False)
        self._uniform = Uniform()

    def encode(self, symbols: Symbols, frequencies: NDArray[np.int32]) -> None:
        """Code symbols (n,) under frequencies (n, classes) or (classes,), rows summing to 2^24."""
        if not len(symbols) or frequencies.shape[-1] == 1:
            return
        if frequencies.ndim == 1:
            model = Categorical(_weights(frequencies), perfect=False)
            self._encoder.encode(_int32(symbols), model)
            return
        for start in range(0, len(symbols), ROWS_AT_ONCE):  # what is converted takes memory
            rows = slice(start, start + ROWS_AT_ONCE)
            model = _weights(frequencies[rows])
            self._encoder.encode(_int32(symbols[rows]), self._categorical, model)

    def encode_uniform(self, symbols: Symbols, sizes: Symbols) -> None:
        """Code symbols (n,), each uniform below its entry of sizes (n,), in log2(size) bits."""
        coded = np.flatnonzero(sizes > 1)
        if len(coded):
            self._encoder.encode(_int32(symbols[coded]), self._uniform, _int32(sizes[coded]))

    def finish(self) -> bytes:
        """Return the fewest bytes that, followed by zeros, decode to the encoded symbols."""
        words = self._encoder.get_compressed()
        num_words, (lower, size) = self._encoder.pos()
        # All numbers of num_words + 2 words in [start, start + size) decode; `words` begins one.
        length = num_words * WORD_BYTES + STATE_BYTES
        sealed = words.astype(">u4").tobytes()
        inside = int.from_bytes(sealed.ljust(length, b"\0"))
        return shortest(inside - (inside - lower) % (1 << 64), size, length)


def shortest(start: int, size: int, length: int) -> bytes:
    """The fewest bytes that, padded by zeros to `length`, are a number in [start, start + size)."""
    for tail_bytes in range(min(STATE_BYTES, length), -1, -1):
        unit = 1 << (8 * tail_bytes)
        number = -(-start // unit) * unit
        if number < start + size:
            break
    return number.to_bytes(length)[: length - tail_bytes]


class RangeDecoder:
    """Returns symbols in the order in which they were encoded.

    Its methods raise ValueError for data that no encoder writes, where this is detectable.
    """

    def __init__(self, data: bytes) -> None:
        padding = STATE_BYTES + -len(data) % WORD_BYTES
        words = np.frombuffer(data + bytes(padding), dtype=">u4").astype(np.uint32)
        self._decoder = queue.RangeDecoder(words)
        self._categorical = Categorical(perfect=False)
        self._uniform = Uniform()

    def decode(self, frequencies: NDArray[np.int32]) -> NDArray[np.int32]:
        """Symbols (n,) under frequencies (n, classes); of one class, without reading anything."""
        if not len(frequencies) or frequencies.shape[-1] == 1:
            return np.zeros(len(frequencies), dtype=np.int32)
        return self._decode(self._categorical, _weights(frequencies))

    def decode_repeated(self, frequencies: NDArray[np.int32], count: int) -> NDArray[np.int32]:
        """Symbols (count,) under the same frequencies (classes,)."""
        if not count or len(frequencies) == 1:
            return np.zeros(count, dtype=np.int32)
        return self._decode(Categorical(_weights(frequencies), perfect=False), count)

    def decode_uniform(self, sizes: Symbols) -> NDArray[np.int32]:
        """Symbols (n,), each uniform below its entry of sizes (n,)."""
        symbols = np.zeros(len(sizes), dtype=np.int32)
        coded = np.flatnonzero(sizes > 1)
        if len(coded):
            symbols[coded] = self._decode(self._uniform, _int32(sizes[coded]))
        return symbols

    def _decode(self, *arguments: Any) -> NDArray[np.int32]:
        try:
            return self._decoder.decode(*arguments)
        except AssertionError as error:
            raise ValueError("the range coder's data is invalid") from error


class CheckingRangeDecoder(RangeDecoder):
    """Re-encodes what it decodes, to tell whether an encoder can have written the data.

    Fields:
        decoder: decodes the data.
        again: re-encodes. Code that decodes by `decoder` directly must encode the symbols here.
    """

    def __init__(
        self,
        data: bytes,
        decoder: RangeDecoder | None = None,
        again: RangeEncoder | None = None,
    ) -> None:
        self._data = data
        self.decoder, self.again = decoder or RangeDecoder(data), again or RangeEncoder()

    def decode(self, frequencies: NDArray[np.int32]) -> NDArray[np.int32]:
        """See `RangeDecoder`."""
        symbols = self.decoder.decode(frequencies)
        self.again.encode(symbols, frequencies)
        return symbols

    def decode_repeated(self, frequencies: NDArray[np.int32], count: int) -> NDArray[np.int32]:
        """See `RangeDecoder`."""
        symbols = self.decoder.decode_repeated(frequencies, count)
        self.again.encode(symbols, frequencies)
        return symbols

    def decode_uniform(self, sizes: Symbols) -> NDArray[np.int32]:
        """See `RangeDecoder`."""
        symbols = self.decoder.decode_uniform(sizes)
        self.again.encode_uniform(symbols, sizes)
        return symbols

    def is_whole(self) -> bool:
        """Whether re-encoding the symbols decoded so far gives exactly the data."""
        return self.again.finish() == self._data


def _weights(frequencies: NDArray[np.int32]) -> NDArray[np.float32]:
    return np.subtract(frequencies, 1, dtype=np.float32, casting="same_kind")


def _int32(symbols: Symbols) -> NDArray[np.int32]:
    return np.ascontiguousarray(symbols, dtype=np.int32)
