"""The format's range coder inside kernels: the same bytes as `recvae.codec.range_coder`.

A carry propagates back into the words already written, which are all kept.
"""

from collections import namedtuple

import numpy as np

from recvae.jit import bare_inlined, inlined

PRECISION_BITS = 24
TOTAL = 1 << PRECISION_BITS
WORD_BITS = 32

_SHIFT, _WORD = np.uint64(PRECISION_BITS), np.uint64(WORD_BITS)
_LOW_WORD, _LAST = np.uint64(0xFFFFFFFF), np.uint64(TOTAL - 1)

Coder = namedtuple("Coder", "state words place")
"""state: lower end, size and, in a decoder, point of the interval, (3,) uint64. words: uint32.
place: index of the next word; 1 once words ran out or are not an encoder's output. (2,) int64."""


@inlined
def new_encoder(words):
    """An encoder that fills `words`."""
    state = np.zeros(3, np.uint64)
    state[1] = ~np.uint64(0)
    return Coder(state, words, np.zeros(2, np.int64))


@inlined
def new_decoder(words):
    """A decoder that reads `words`, then zeros."""
    coder = new_encoder(words)
    for _ in range(2):
        _read(coder)
    return coder


@bare_inlined
def encode(coder, left, frequency):
    """Code the symbol whose interval of 2^24 begins at `left` and is `frequency` wide."""
    state, words, place = coder
    scale = state[1] >> _SHIFT
    before = state[0]
    state[0] = before + scale * np.uint64(left)
    if state[0] < before:
        i = place[0] - 1
        while words[i] == np.uint32(0xFFFFFFFF):
            words[i] = 0
            i -= 1
        words[i] += np.uint32(1)
    state[1] = scale * np.uint64(frequency)
    if state[1] <= _LOW_WORD:
        if place[0] < words.size:
            words[place[0]] = np.uint32(state[0] >> _WORD)
            place[0] += 1
        else:
            place[1] = 1
        state[0] <<= _WORD
        state[1] <<= _WORD


@bare_inlined
def look_up(coder):
    """The point in [0, 2^24) that lies in the interval of the next symbol."""
    state = coder.state
    place = (state[2] - state[0]) // (state[1] >> _SHIFT)
    if place > _LAST:
        coder.place[1] = 1
        place = _LAST
    return np.int64(place)


@bare_inlined
def accept(coder, left, frequency):
    """Move past the symbol that `look_up` found."""
    state = coder.state
    scale = state[1] >> _SHIFT
    state[0] += scale * np.uint64(left)
    state[1] = scale * np.uint64(frequency)
    if state[1] <= _LOW_WORD:
        state[0] <<= _WORD
        state[1] <<= _WORD
        _read(coder)


@bare_inlined
def _read(coder):
    state, words, place = coder
    word = words[place[0]] if place[0] < words.size else np.uint32(0)
    place[0] += 1
    state[2] = (state[2] << _WORD) | np.uint64(word)
