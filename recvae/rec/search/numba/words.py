"""Random words of a segment of candidates: Philox, as in `rec.philox` and `rec.randomness`."""

from recvae.jit import inlined, kernel
from recvae.rec import philox as eager
from recvae.rec import randomness
from recvae.rec.search.numba.constants import SEGMENT, U64

MASK = U64(eager.MASK)
HALF = U64(32)

_MULTIPLIER0, _MULTIPLIER1 = (U64(m) for m in eager.MULTIPLIERS)
_INCREMENT0, _INCREMENT1 = (U64(i) for i in eager.KEY_INCREMENTS)
_CANDIDATES = U64(randomness.CANDIDATES)


@inlined
def _round(counter, k0, k1):
    c0, c1, c2, c3 = counter
    product0, product1 = _MULTIPLIER0 * c0, _MULTIPLIER1 * c2
    return (
        (product1 >> HALF) ^ c1 ^ k0,
        product1 & MASK,
        (product0 >> HALF) ^ c3 ^ k1,
        product0 & MASK,
    )


@inlined
def philox(counter, k0, k1):
    """Four words of a counter of four under a key of two."""
    for _ in range(eager.ROUNDS):
        counter = _round(counter, k0, k1)
        k0, k1 = (k0 + _INCREMENT0) & MASK, (k1 + _INCREMENT1) & MASK
    return counter


@inlined
def philox_twice(counter, other, k0, k1):
    """Process two counters at a time: a single one is a chain of dependent operations."""
    for _ in range(eager.ROUNDS):
        counter, other = _round(counter, k0, k1), _round(other, k0, k1)
        k0, k1 = (k0 + _INCREMENT0) & MASK, (k1 + _INCREMENT1) & MASK
    return counter, other


@inlined
def _put(counter, words, i):
    words[i], words[SEGMENT + i], words[2 * SEGMENT + i], words[3 * SEGMENT + i] = counter


@inlined
def shared_counter(number, count):
    """The counter of two 64-bit numbers, low word first."""
    return number & MASK, number >> HALF, count & MASK, count >> HALF


@kernel
def private_words(first, width, quad, key, words):
    """Draw the sender's words 4 quad to 4 quad + 3 of each candidate, each in its own row."""
    k0, k1 = key[0], key[1]
    for i in range(width):
        _put(philox((U64(first) + U64(i), U64(0), quad, _CANDIDATES), k0, k1), words, U64(i))


@inlined
def _shared_pairs(bins, first_counts, width, quad, key, words, distance):
    k0, k1 = key[0], key[1]
    for i in range(min(width, distance)):
        j = U64(i) + U64(distance)
        counter, other = philox_twice(
            shared_counter(bins[i], first_counts[i] + quad),
            shared_counter(bins[j], first_counts[j] + quad),
            k0,
            k1,
        )
        _put(counter, words, U64(i))
        _put(other, words, j)


@kernel
def shared_words(bins, first_counts, width, quad, key, words):
    """Draw the shared words of each candidate likewise; first_counts: rank times quads."""
    if width > SEGMENT // 2:
        _shared_pairs(bins, first_counts, width, quad, key, words, SEGMENT // 2)
    elif width > SEGMENT // 4:
        _shared_pairs(bins, first_counts, width, quad, key, words, SEGMENT // 4)
    elif width > 0:
        _shared_pairs(bins, first_counts, width, quad, key, words, SEGMENT // 8)
