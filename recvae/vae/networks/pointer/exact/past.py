"""The non-zero pixels of an image, and the attention of the next one to them, in integers.

A score is the product of query and key, in units of 2^-f nats, rounded down. Shares are those of a
softmax in units of 2^-14, rounded to the nearest, and the result is their mean of answers. The
first entry stands for no pixel; its answer is zero. All functions are compiled by numba.
"""

from collections import namedtuple

import numpy as np

from recvae.jit import bare, bare_inlined
from recvae.kernels.dense import add_products
from recvae.vae.networks.pointer.exact.law import SHARE_BITS

KEYS = 64  # scored at once

Past = namedtuple("Past", "entered keys answers values scores shares queries sums")
"""State for an image of up to n pixels, with D = width / heads numbers for each head.

entered: (rounds, width) int16, the state of the attending pixel before each round. keys: (rounds,
heads, chunks, D / 2, KEYS, 2) int16, in the form for `dense.add_products`, with keys as outputs.
answers: (rounds, heads, n / 2, D, 2) int16, with pixels as inputs. values: (n,) int64, minus 1.
scores: (n,) int32. shares: (heads, n) int16. queries: (heads, D) int16. sums: (D,) int32. D is
padded as `dense` needs, n to whole chunks.
"""


def new_past(rounds, heads, width, most, none):
    """State for up to `most` pixels; none: the key for no pixel by round, (rounds, width) int16."""
    size = width // heads
    pairs, outputs, chunks = -(-size // 2), -(-size // 16) * 16, most // KEYS + 1
    past = Past(
        np.zeros((rounds, width), np.int16),
        np.zeros((rounds, heads, chunks, pairs, KEYS, 2), np.int16),
        np.zeros((rounds, heads, chunks * KEYS // 2, outputs, 2), np.int16),
        np.zeros(chunks * KEYS, np.int64),
        np.zeros(chunks * KEYS, np.int32),
        np.zeros((heads, chunks * KEYS), np.int16),
        np.zeros((heads, 2 * pairs), np.int16),
        np.zeros(outputs, np.int32),
    )
    for turn in range(rounds):
        put_key(past, turn, 0, none[turn])
    return past


@bare
def put_key(past, turn, place, key):
    """Store the key of the pixel at a position, (width,) int16."""
    heads = past.queries.shape[0]
    size = key.size // heads
    for h in range(heads):
        for d in range(size):
            past.keys[turn, h, place // KEYS, d >> 1, place % KEYS, d & 1] = key[h * size + d]


@bare
def put_answer(past, turn, place, answer):
    """Store the answer of the pixel at a position, (width,) int16."""
    heads = past.queries.shape[0]
    size = answer.size // heads
    for h in range(heads):
        for d in range(size):
            past.answers[turn, h, place >> 1, d, place & 1] = answer[h * size + d]


@bare
def look_back(past, turn, count, query, attended, exponentials, fraction_bits, limit):
    """Find shares and mean answers of the first `count` entries, including that of no pixel.

    query, attended: (width,) int16.
    """
    heads = past.queries.shape[0]
    size = query.size // heads
    for h in range(heads):
        for d in range(size):
            past.queries[h, d] = query[h * size + d]
        _find_shares(past, turn, h, count, exponentials, fraction_bits)
        sums = past.sums
        for d in range(sums.size):
            sums[d] = 1 << (SHARE_BITS - 1)
        pairs = (count + 1) >> 1
        add_products(past.answers[turn, h, :pairs], past.shares[h], sums)
        for d in range(size):
            mean = sums[d] >> SHARE_BITS
            attended[h * size + d] = min(max(mean, -limit), limit)


@bare_inlined
def _find_shares(past, turn, h, count, exponentials, fraction_bits):
    scores, shares = past.scores, past.shares[h]
    for place in range(0, count, KEYS):
        own = scores[place : place + KEYS]
        for i in range(KEYS):
            own[i] = 0
        add_products(past.keys[turn, h, place // KEYS], past.queries[h], own)
    most = scores[0]
    for i in range(1, count):
        most = max(most, scores[i])
    most >>= fraction_bits
    total, last = np.int64(0), np.int32(exponentials.size - 1)
    for i in range(count):
        below = most - (scores[i] >> fraction_bits)
        scores[i] = exponentials[min(below, last)]
        total += scores[i]
    for i in range(count):
        shares[i] = ((np.int64(scores[i]) << (SHARE_BITS + 1)) // total + 1) >> 1
    if count & 1:
        shares[count] = 0


@bare_inlined
def point_at(past, count, strengths, pointed):
    """Add to pointed[v] the sum of strength times share over all pixels of value v."""
    for i in range(1, count):
        mixed = np.int64(0)
        for h in range(strengths.size):
            mixed += strengths[h] * past.shares[h, i]
        pointed[past.values[i]] += mixed
