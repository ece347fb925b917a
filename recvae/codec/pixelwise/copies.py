"""Drawn pictures: pixels mostly repeat an earlier colour in the same surroundings.

Two memories hold the colour that last followed after six and after two neighbours of the same
colours. These two, then the neighbours, are tried in turn as candidates, skipping colours already
ruled out; each answer is a binary symbol whose probability adapts, in contexts of how often the
memory was right. A colour that matches none is written bit by bit, each given those before.
"""

from collections import namedtuple

import numpy as np

from recvae.jit import bare, bare_inlined, threaded
from recvae.kernels import range_coder

MEMORY_BITS = 16
COLOUR_BITS = 16
MOST_CONFIDENCE = 7
CANDIDATES = 6  # two memories; left, above, above to the right, above to the left
FIRST_SHIFT, LAST_SHIFT = 1, 7  # rates of adaptation, initial and final
UNKNOWN = -1

_MIX = np.uint64(0x9E3779B97F4A7C15)

Copies = namedtuple("Copies", "colours confidences answers bits")
"""State from earlier pixels. colours: the entries of the two memories, (2, 2^16) int32;
confidences: how many times in a row they were right, (2, 2^16) uint8. answers and bits: for binary
symbols, the probability of 1 in 2^-16 and the number of observations, (n, 2) int32 each."""


def new_copies():
    """The initial state."""
    return Copies(
        np.full((2, 1 << MEMORY_BITS), UNKNOWN, np.int32),
        np.zeros((2, 1 << MEMORY_BITS), np.uint8),
        _unseen(CANDIDATES << 8),
        _unseen(1 << COLOUR_BITS),
    )


def _unseen(count):
    symbols = np.zeros((count, 2), np.int32)
    symbols[:, 0] = 1 << 15
    return symbols


@threaded
def code_image(coder, pixels, copies, decoding):
    """Encode an image (height, width, channels) uint8, or decode into it."""
    _code_pixels(coder, pixels, copies, np.zeros(CANDIDATES, np.int64), decoding)


@bare
def _code_pixels(coder, pixels, copies, candidates, decoding):
    height, width, channels = pixels.shape
    for y in range(height):
        for x in range(width):
            left = _colour(pixels, y, x - 1)
            above, corner = _colour(pixels, y - 1, x), _colour(pixels, y - 1, x - 1)
            right = _colour(pixels, y - 1, x + 1)
            two = _hash(_hash(np.uint64(channels), left), above)
            six = _hash(_hash(two, corner), right)
            six = _hash(_hash(six, _colour(pixels, y, x - 2)), _colour(pixels, y - 2, x))
            places = np.int64(six >> np.uint64(48)), np.int64(two >> np.uint64(48))
            candidates[0] = copies.colours[0, places[0]]
            candidates[1] = copies.colours[1, places[1]]
            candidates[2], candidates[3], candidates[4], candidates[5] = left, above, right, corner
            pattern = (left == above) | (above == corner) << 1 | (above == right) << 2
            colour = UNKNOWN if decoding else _colour(pixels, y, x)
            found = UNKNOWN
            for i in range(CANDIDATES):
                candidate, refused = candidates[i], False
                for j in range(i):
                    refused |= candidates[j] == candidate
                if refused or candidate == UNKNOWN:
                    continue
                sure = copies.confidences[i, places[i]] if i < 2 else 0
                agrees = (candidate == left) << 1 | (candidate == above)
                symbol = ((i << 3 | sure) << 3 | pattern) << 2 | agrees
                if _code_bit(coder, copies.answers, symbol, colour == candidate, decoding):
                    found = candidate
                    break
            if found == UNKNOWN:
                found = _code_colour(coder, copies.bits, colour, channels, decoding)
            if decoding:
                for c in range(channels):
                    pixels[y, x, c] = (found >> (8 * (channels - 1 - c))) & 255
            for i in range(2):
                place = places[i]
                if copies.colours[i, place] == found:
                    sure = copies.confidences[i, place]
                    copies.confidences[i, place] = min(sure + 1, MOST_CONFIDENCE)
                else:
                    copies.colours[i, place] = found
                    copies.confidences[i, place] = 0


@bare_inlined
def _colour(pixels, y, x):
    """A pixel as one number; 0 outside the image."""
    height, width, channels = pixels.shape
    colour = np.int64(0)
    if 0 <= y < height and 0 <= x < width:
        for c in range(channels):
            colour = colour << 8 | np.int64(pixels[y, x, c])
    return colour


@bare_inlined
def _hash(state, colour):
    mixed = (state ^ np.uint64(colour)) * _MIX
    return mixed ^ (mixed >> np.uint64(29))


@bare_inlined
def _code_colour(coder, bits, colour, channels, decoding):
    """Code a colour bit by bit, each given those before it."""
    known = np.int64(1)
    for i in range(8 * channels - 1, -1, -1):
        place = np.int64(_hash(np.uint64(channels), known) >> np.uint64(64 - COLOUR_BITS))
        bit = _code_bit(coder, bits, place, (colour >> i) & 1 == 1, decoding)
        known = known << 1 | bit
    return known & ((1 << (8 * channels)) - 1)


@bare_inlined
def _code_bit(coder, symbols, place, bit, decoding):
    """Encode a binary symbol, or decode it, ignoring `bit`."""
    probability = symbols[place, 0]
    one = np.int64(min(max(probability, 32), (1 << 16) - 32)) << 8
    if decoding:
        bit = range_coder.look_up(coder) < one
        range_coder.accept(coder, 0 if bit else one, one if bit else range_coder.TOTAL - one)
    else:
        range_coder.encode(coder, 0 if bit else one, one if bit else range_coder.TOTAL - one)
    shift = min(FIRST_SHIFT + symbols[place, 1] // 2, LAST_SHIFT)
    symbols[place, 1] = min(symbols[place, 1] + 1, 2 * LAST_SHIFT)
    symbols[place, 0] = probability + (((bit << 16) - probability) >> shift)
    return bit
