"""The range coder with accessible state, so that kernels can continue it; its bytes are the same.

`recvae.codec.range_coder` uses constriction's, which hides its state.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recvae.codec.range_coder import (
    STATE_BYTES,
    WORD_BYTES,
    CheckingRangeDecoder,
    RangeDecoder,
    RangeEncoder,
    Symbols,
    shortest,
)
from recvae.jit import threaded
from recvae.kernels import range_coder
from recvae.kernels.range_coder import TOTAL, Coder

FIRST_WORDS = 256
Intervals = NDArray[np.int32]
"""Starts of symbols in [0, 2^24), and their frequencies, (n, 2)."""


class KernelRangeEncoder(RangeEncoder):
    """A `RangeEncoder` that also takes symbols as intervals."""

    def __init__(self) -> None:
        self._coder = new_encoder(np.zeros(FIRST_WORDS, np.uint32))

    def encode(self, symbols: Symbols, frequencies: NDArray[np.int32]) -> None:
        """See `RangeEncoder`."""
        if not len(symbols) or frequencies.shape[-1] == 1:
            return
        rows = np.broadcast_to(frequencies, (len(symbols), frequencies.shape[-1]))
        at = np.asarray(symbols, np.int64)[:, None]
        own = np.take_along_axis(rows, at, 1)
        ends = np.take_along_axis(rows.cumsum(1, dtype=np.int32), at, 1)
        self.encode_intervals(np.concatenate([ends - own, own], 1))

    def encode_uniform(self, symbols: Symbols, sizes: Symbols) -> None:
        """See `RangeEncoder`."""
        coded = np.flatnonzero(sizes > 1)
        symbol, size = (np.asarray(part, np.int64)[coded] for part in (symbols, sizes))
        each = TOTAL // np.maximum(size, 1)
        begin = each * symbol
        own = np.where(symbol == size - 1, TOTAL - begin, each)
        self.encode_intervals(np.stack([begin, own], 1).astype(np.int32))

    def encode_intervals(self, intervals: Intervals) -> None:
        """Code symbols given by their starts in [0, 2^24) and their frequencies, (n, 2)."""
        state, words, place = self._coder
        if (more := int(place[0]) + len(intervals) + 1 - len(words)) > 0:
            words = np.pad(words, (0, more + len(words)))
            self._coder = Coder(state, words, place)
        _encode_all(self._coder, np.ascontiguousarray(intervals, np.int32))

    def finish(self) -> bytes:
        """See `RangeEncoder`."""
        return finished(self._coder)


class KernelRangeDecoder(RangeDecoder):
    """A `RangeDecoder` whose state, `coder`, a kernel may continue."""

    def __init__(self, data: bytes) -> None:
        words = np.frombuffer(data + bytes(-len(data) % WORD_BYTES), dtype=">u4").astype(np.uint32)
        # A kernel recognises a decoder by its words.
        self.coder = new_decoder(words if len(words) else np.zeros(1, np.uint32))

    def decode(self, frequencies: NDArray[np.int32]) -> NDArray[np.int32]:
        """See `RangeDecoder`."""
        if not len(frequencies) or frequencies.shape[-1] == 1:
            return np.zeros(len(frequencies), dtype=np.int32)
        return self._checked(_decode_rows(self.coder, frequencies.cumsum(1, dtype=np.int32)))

    def decode_repeated(self, frequencies: NDArray[np.int32], count: int) -> NDArray[np.int32]:
        """See `RangeDecoder`."""
        return self.decode(np.broadcast_to(frequencies, (count, len(frequencies))))

    def decode_uniform(self, sizes: Symbols) -> NDArray[np.int32]:
        """See `RangeDecoder`."""
        return self._checked(_decode_uniform(self.coder, np.asarray(sizes, np.int64)))

    def check(self) -> None:
        """Raise ValueError if the data so far proved to be none that an encoder writes."""
        if self.coder.place[1]:
            raise ValueError("the range coder's data is invalid")

    def _checked(self, symbols: NDArray[np.int32]) -> NDArray[np.int32]:
        self.check()
        return symbols


def checking_decoder(data: bytes) -> CheckingRangeDecoder:
    """A decoder with a `KernelRangeDecoder` and, to re-encode, a `KernelRangeEncoder`."""
    return CheckingRangeDecoder(data, KernelRangeDecoder(data), KernelRangeEncoder())


def finished(coder: Coder) -> bytes:
    """Return the fewest bytes that, followed by zeros, decode to the encoded symbols."""
    words, count = coder.words, int(coder.place[0])
    sealed = int.from_bytes(words[:count].astype(">u4").tobytes())
    start = (sealed << (8 * STATE_BYTES)) + int(coder.state[0])
    return shortest(start, int(coder.state[1]), WORD_BYTES * count + STATE_BYTES)


@threaded
def new_encoder(words: Any) -> Any:
    """Return an encoder that fills `words`; see `recvae.kernels.range_coder`."""
    return range_coder.new_encoder(words)


@threaded
def new_decoder(words: Any) -> Any:
    """Return a decoder of `words`."""
    return range_coder.new_decoder(words)


@threaded
def _encode_all(coder: Any, intervals: Any) -> None:
    for i in range(len(intervals)):
        range_coder.encode(coder, intervals[i, 0], intervals[i, 1])


@threaded
def _decode_rows(coder: Any, ends: Any) -> Any:
    symbols = np.zeros(len(ends), np.int32)
    for i in range(len(ends)):
        place, symbol = range_coder.look_up(coder), 0
        while ends[i, symbol] <= place:
            symbol += 1
        begin = ends[i, symbol - 1] if symbol else np.int32(0)
        range_coder.accept(coder, begin, ends[i, symbol] - begin)
        symbols[i] = symbol
    return symbols


@threaded
def _decode_uniform(coder: Any, sizes: Any) -> Any:
    symbols = np.zeros(len(sizes), np.int32)
    for i in range(len(sizes)):
        if sizes[i] > 1:
            each = range_coder.TOTAL // sizes[i]
            symbol = min(range_coder.look_up(coder) // each, sizes[i] - 1)
            last = symbol == sizes[i] - 1
            own = range_coder.TOTAL - each * symbol if last else each
            range_coder.accept(coder, each * symbol, own)
            symbols[i] = symbol
    return symbols
