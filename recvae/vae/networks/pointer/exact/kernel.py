"""The loop over the pixels of images: context, network, range coder.

Sender and receiver run the same function, so both get the same frequencies.
"""

from collections import namedtuple

import numpy as np

from recvae.jit import bare_inlined, bare_part, bare_threaded
from recvae.kernels import layers, range_coder
from recvae.vae.networks.pointer.exact import law as laws
from recvae.vae.networks.pointer.exact import past as pasts

Network = namedtuple(
    "Network",
    "layers flag_values flag_join flag_blocks flag values rows columns join block rounds memory "
    "last law none exponentials numbers",
)
"""A decoder after its maps: layers, and the numbers of each; tables of vectors, int16; keys for no
pixel, (rounds, width) int16; exponentials, int32."""

Numbers = namedtuple("Numbers", "flag_radius radius flag_width width heads fraction_bits limit")

Round = namedtuple("Round", "known query key value out block")

Buffers = namedtuple("Buffers", "near wide inputs flag x known query key answer a b sums law")
"""near, wide: vectors of an image's values, for zeros and for values, row by row, with borders. The
others are inputs and outputs of layers, int16; sums: int32; law: output of the last layer."""

Symbols = namedtuple("Symbols", "memory seen weights pointed strengths frequencies")
"""memory: (width,) int32, sum over values that occurred. seen: (levels,) bool. The others, int64,
belong to the law of the next symbol; strengths: (heads,)."""


def new_buffers(network, height, width):
    """Make buffers for images of a size."""
    numbers, (maps, tables) = network.numbers, ([], (network.flag_values, network.values))
    for radius, table in zip((numbers.flag_radius, numbers.radius), tables, strict=True):
        maps.append(np.zeros((height + radius, (width + 2 * radius) * table.shape[1]), np.int16))
    widest = layers.room(network.layers)
    vectors = [np.zeros(widest, np.int16) for _ in range(9)]
    sums, law = np.zeros(widest, np.int32), np.zeros(widest, np.int16)
    return Buffers(*maps, *vectors, sums, law)  # type: ignore[call-arg]


def new_symbols(network):
    """Make the state for the start of an image."""
    levels, classes = len(network.memory), max(len(network.memory) - 1, 2)
    return Symbols(
        np.zeros(network.memory.shape[1], np.int32),
        np.zeros(levels, np.bool_),
        np.zeros(classes, np.int64),
        np.zeros(classes, np.int64),
        np.zeros(network.numbers.heads, np.int64),
        np.zeros(classes, np.int64),
    )


@bare_threaded
def code_images(network, features, pixels, intervals, counts, buffers, symbols, past, coder):
    """Encode images (n, h, w) uint8, or decode into them, given maps (n, h, w, c) int16.

    A sender's coder has no words: it gets the intervals of each image's symbols, as start and
    frequency in (n, symbols, 2) int32, and their counts, (n,) int64. A receiver has neither.
    """
    decoding = coder.words.size > 0
    for n in range(len(pixels)):
        used = _code_image(
            network, features[n], pixels[n], intervals, n, buffers, symbols, past, coder, decoding
        )
        if not decoding:
            counts[n] = used
        elif coder.place[1]:
            break


@bare_part
def _code_image(network, features, pixels, intervals, n, buffers, symbols, past, coder, decoding):
    height, width = pixels.shape
    _begin(network.flag_values[0], buffers.near)
    _begin(network.values[0], buffers.wide)
    symbols.memory[:] = 0
    symbols.seen[:] = False
    used, tokens = 0, np.int64(1)  # 0 is no pixel; a literal would be compiled separately
    for y in range(height):
        for x in range(width):
            value = np.int64(0 if decoding else pixels[y, x])
            _flag_law(network, buffers, symbols, features[y, x], y, x)
            flag = _code(symbols, 2, min(value, 1), intervals, n, used, coder, decoding)
            used += 1
            if flag == 0:
                continue
            _value_law(network, buffers, symbols, past, tokens, features[y, x], y, x)
            levels = symbols.seen.size
            value = 1 + _code(symbols, levels - 1, value - 1, intervals, n, used, coder, decoding)
            used += 1
            pixels[y, x] = value
            past.values[tokens] = value - 1
            _learn(network, buffers, symbols, past, tokens, value, y, x)
            tokens += 1
    return used


@bare_inlined
def _begin(vector, rows):
    """Repeat the vector of a zero in all rows."""
    for row in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            rows[row, i] = vector[i % vector.size]


@bare_part
def _flag_law(network, buffers, symbols, features, y, x):
    """Find the frequencies of zero and not zero; leave the state in `buffers.flag`."""
    numbers = network.numbers
    inputs, hidden, limit = buffers.inputs, buffers.flag, numbers.limit
    columns = network.flag_values.shape[1]
    place = _look_around(buffers.near, numbers.flag_radius, columns, y, x, inputs)
    _copy(features, inputs, place)
    layers.apply(network.layers, network.flag_join, inputs, buffers.sums, hidden, limit)
    for residual in network.flag_blocks:
        layers.add_residual(
            network.layers, residual, hidden, buffers.sums, buffers.a, buffers.b, limit
        )
    layers.apply(network.layers, network.flag, hidden, buffers.sums, buffers.law, limit)
    laws.weigh(buffers.law, network.exponentials, symbols.weights, 2)
    laws.count_up(symbols.weights, symbols.frequencies, 2)


@bare_part
def _value_law(network, buffers, symbols, past, tokens, features, y, x):
    """Find the frequencies of values 1 and up; `_learn` stores keys and answers."""
    numbers, exponentials = network.numbers, network.exponentials
    limit, width, bits = numbers.limit, numbers.width, numbers.fraction_bits
    inputs, token = buffers.inputs, buffers.x[:width]
    place = _look_around(buffers.wide, numbers.radius, network.values.shape[1], y, x, inputs)
    place = _copy(buffers.flag[: numbers.flag_width], inputs, place)
    place = _copy(features, inputs, place)
    _put_place(network.rows[y], network.columns[x], inputs, place)
    layers.apply(network.layers, network.join, inputs, buffers.sums, token, limit)
    layers.add_residual(
        network.layers, network.block, token, buffers.sums, buffers.a, buffers.b, limit
    )
    for turn in range(len(network.rounds)):
        own = network.rounds[turn]
        _copy(token, past.entered[turn], 0)
        _copy(token, buffers.query, 0)
        _put_place(network.rows[y], network.columns[x], buffers.query, width)
        layers.apply(network.layers, own.query, buffers.query, buffers.sums, buffers.key, limit)
        pasts.look_back(
            past,
            turn,
            tokens,
            buffers.key[:width],
            buffers.answer[:width],
            exponentials,
            bits,
            limit,
        )
        layers.apply(network.layers, own.out, buffers.answer, buffers.sums, buffers.a, limit)
        layers.add(token, buffers.a, limit)
        layers.add_residual(
            network.layers, own.block, token, buffers.sums, buffers.a, buffers.b, limit
        )
    for i in range(width):
        token[i] = min(max(token[i] + symbols.memory[i], -limit), limit)
    layers.add_residual(
        network.layers, network.last, token, buffers.sums, buffers.a, buffers.b, limit
    )
    law, levels = buffers.law, symbols.seen.size
    layers.apply(network.layers, network.law, buffers.x, buffers.sums, law, limit)
    for h in range(numbers.heads):
        symbols.strengths[h] = laws.strength(exponentials, np.int64(law[levels + h]), bits)
    symbols.pointed[:] = 0
    pasts.point_at(past, tokens, symbols.strengths, symbols.pointed)
    gate = law[levels - 1]
    for v in range(1, levels):
        if symbols.seen[v]:
            law[v - 1] += gate
    laws.weigh(law, exponentials, symbols.weights, levels - 1)
    laws.point(symbols.weights, symbols.pointed, levels - 1)
    laws.count_up(symbols.weights, symbols.frequencies, levels - 1)


@bare_part
def _learn(network, buffers, symbols, past, tokens, value, y, x):
    """Learn from the value of the pixel of the latest `_value_law`."""
    numbers = network.numbers
    limit, width = numbers.limit, numbers.width
    for turn in range(len(network.rounds)):
        own = network.rounds[turn]
        _copy(past.entered[turn], buffers.known, 0)
        _copy(network.values[value], buffers.known, width)
        layers.apply(
            network.layers, own.known, buffers.known, buffers.sums, buffers.query[:width], limit
        )
        _put_place(network.rows[y], network.columns[x], buffers.query, width)
        layers.apply(network.layers, own.key, buffers.query, buffers.sums, buffers.key, limit)
        layers.apply(network.layers, own.value, buffers.query, buffers.sums, buffers.answer, limit)
        pasts.put_key(past, turn, tokens, buffers.key[:width])
        pasts.put_answer(past, turn, tokens, buffers.answer[:width])
    for radius, table, rows in (
        (numbers.flag_radius, network.flag_values, buffers.near),
        (numbers.radius, network.values, buffers.wide),
    ):
        _copy(table[value], rows[y + radius], (x + radius) * table.shape[1])
    if not symbols.seen[value]:
        symbols.seen[value] = True
        for i in range(symbols.memory.size):
            symbols.memory[i] += network.memory[value, i]


@bare_inlined
def _code(symbols, classes, symbol, intervals, n, used, coder, decoding):
    """Code the next symbol by its frequencies; return it."""
    begin = np.int64(0)
    if decoding:
        place, symbol = range_coder.look_up(coder), 0
        while place >= begin + symbols.frequencies[symbol]:
            begin += symbols.frequencies[symbol]
            symbol += 1
        range_coder.accept(coder, begin, symbols.frequencies[symbol])
    else:
        for v in range(symbol):
            begin += symbols.frequencies[v]
        intervals[n, used, 0] = begin
        intervals[n, used, 1] = symbols.frequencies[symbol]
    return symbol


@bare_inlined
def _look_around(rows, radius, columns, y, x, inputs):
    """Copy the vectors of the pixels around and before (y, x); return the number of elements."""
    place = 0
    for up in range(radius, -1, -1):
        first = x * columns
        count = (2 * radius + 1 if up else radius) * columns
        for i in range(count):
            inputs[place + i] = rows[y + radius - up, first + i]
        place += count
    return place


@bare_inlined
def _put_place(row, column, inputs, place):
    """Copy the vectors of row and column to a position."""
    place = _copy(row, inputs, place)
    _copy(column, inputs, place)


@bare_inlined
def _copy(vector, inputs, place):
    """Copy a vector to a position; return the position after it."""
    for i in range(vector.size):
        inputs[place + i] = vector[i]
    return place + vector.size
