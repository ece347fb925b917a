"""The loop over the pixels of an image: context, network, range coder.

Sender and receiver run the same function, so both get the same frequencies.
"""

from collections import namedtuple

import numpy as np

from recvae.codec.pixelwise import corrections as correcting
from recvae.codec.pixelwise import mixture as mixtures
from recvae.jit import bare, bare_inlined, threaded
from recvae.kernels import range_coder
from recvae.kernels.dense import add_products
from recvae.pixelwise import context

MOST_ACTIVATION = 4095  # 2^-7 each

Layer = namedtuple("Layer", "weights bias shift")
"""A dense layer: weights from `dense.pack`, bias (outputs,) int32, shift of its sums."""

Network = namedtuple("Network", "shape layers components corrected")
"""shape: its context of a pixel. layers: three. components: number of those in the mixture.
corrected: whether weights and scales are corrected."""

Tables = namedtuple("Tables", "inputs weights inverses logistic logit")
"""The tables of `recvae.pixelwise.tables`, two for inputs; logit: see `mixture.logit_table`."""

Vectors = namedtuple("Vectors", "inputs hidden features outputs sums")
"""Between the layers: int16, the last two int32."""


@threaded
def code_image(coder, pixels, network, tables, filters, corrections, decoding):
    """Encode an image (height, width, channels) uint8, or decode into it.

    The filters, (channels, d) int32, and corrections keep adapting.
    """
    first, second, last = network.layers
    vectors = Vectors(
        np.zeros(2 * first.weights.shape[0], np.int16),
        np.zeros(max(first.bias.size, 2 * second.weights.shape[0]), np.int16),
        np.zeros(max(second.bias.size, 2 * last.weights.shape[0]), np.int16),
        np.zeros(last.bias.size, np.int32),
        np.zeros(max(first.bias.size, second.bias.size), np.int32),
    )
    state = context.new_state(filters, pixels.shape[1])
    mixture = mixtures.new_mixture(network.components)
    _code_pixels(coder, pixels, network, tables, state, mixture, vectors, corrections, decoding)


@bare
def _code_pixels(coder, pixels, network, tables, state, mixture, vectors, corrections, decoding):
    height, width, channels = pixels.shape
    first, second, last = network.layers
    inputs, hidden, features, outputs, sums = vectors
    for y in range(height):
        context.begin_row(state, y)
        for x in range(width):
            teaches = network.corrected and (x + y) % 2 == 1
            context.look(network.shape, state, y, x)
            context.find_inputs(network.shape, state, x, tables.inputs, inputs)
            _activate(first, inputs, sums, hidden)
            _activate(second, hidden, sums, features)
            _add_up(last, features, outputs)
            for k in range(outputs.size):
                outputs[k] >>= last.shift
            if network.corrected:
                correcting.correct(corrections, outputs)
            mixtures.weigh(mixture, outputs, tables.weights)
            if network.corrected:
                mixtures.copy(mixture.weights, corrections.weights)
            for c in range(channels):
                mixtures.place(mixture, outputs, state, c, tables.inverses)
                if decoding:
                    value = _decode(coder, mixture, tables)
                    pixels[y, x, c] = value
                else:
                    value = np.int64(pixels[y, x, c])
                    _encode(coder, mixture, tables.logistic, value)
                if teaches:
                    correcting.learn_scales(corrections, mixture, c, value)
                if teaches or c + 1 < channels:
                    mixtures.narrow(mixture)
                context.learn(network.shape, state, x, c, value)
            if teaches:
                correcting.learn_weights(corrections, mixture.weights)


@bare_inlined
def _encode(coder, mixture, logistic, value):
    left = mixtures.begins(mixture, value, logistic, mixture.below)
    right = mixtures.begins(mixture, value + 1, logistic, mixture.above)
    range_coder.encode(coder, left, right - left)


@bare_inlined
def _decode(coder, mixture, tables):
    """The symbol whose interval contains the coder's point: steps from a guess, then bisects."""
    place, logistic = range_coder.look_up(coder), tables.logistic
    low = _guess(mixture, place, tables.logit)
    high = low + 1
    left = mixtures.begins(mixture, low, logistic, mixture.below)
    right = mixtures.begins(mixture, high, logistic, mixture.above)
    step = 1
    while place < left:
        high, right = low, left
        mixtures.copy(mixture.below, mixture.above)
        low = max(low - step, 0)
        left = mixtures.begins(mixture, low, logistic, mixture.below)
        step *= 2
    while place >= right:
        low, left = high, right
        mixtures.copy(mixture.above, mixture.below)
        high = min(high + step, mixtures.LEVELS)
        right = mixtures.begins(mixture, high, logistic, mixture.above)
        step *= 2
    while high - low > 1:
        middle = (low + high) // 2
        begin = mixtures.begins(mixture, middle, logistic, mixture.ends)
        if place >= begin:
            low, left = middle, begin
            mixtures.copy(mixture.ends, mixture.below)
        else:
            high, right = middle, begin
            mixtures.copy(mixture.ends, mixture.above)
    range_coder.accept(coder, left, right - left)
    return np.int64(low)


@bare_inlined
def _guess(mixture, place, logit):
    """The symbol, 0 to 255, at this point under the component with the largest weight alone."""
    most = 0
    for k in range(1, mixture.weights.size):
        if mixture.weights[k] > mixture.weights[most]:
            most = k
    steps = np.int64(logit[place >> (range_coder.PRECISION_BITS - mixtures.LOGIT_BITS)])
    at = mixture.means[most] + steps // mixture.inverses[most]
    value = (at + (1 << (mixtures.MEAN_BITS - 1))) >> mixtures.MEAN_BITS
    return min(max(value, 0), mixtures.LEVELS - 1)


@bare_inlined
def _add_up(layer, inputs, sums):
    for o in range(layer.bias.size):
        sums[o] = layer.bias[o]
    add_products(layer.weights, inputs, sums)


@bare_inlined
def _activate(layer, inputs, sums, outputs):
    """ReLU of a layer, up to a bound, into int16."""
    _add_up(layer, inputs, sums)
    for o in range(layer.bias.size):
        outputs[o] = min(max(sums[o] >> layer.shift, 0), MOST_ACTIVATION)
