"""The decoder networks and the frequencies, in int64."""

from collections.abc import Callable
from decimal import Context, Decimal
from functools import cache

import numpy as np

from spec.model import Model

Read = Callable[[np.ndarray], np.ndarray]
"""Maps the logits (n, classes) of a pass to its symbols (n,)."""


@cache
def weights_of_differences(fraction_bits: int) -> np.ndarray:
    """floor(2^20 exp(-i / 2^F)) for i = 0, 1, ... until it is 0."""
    context, weights = Context(prec=60), [1 << 20]
    while weights[-1]:
        power = context.exp(context.divide(Decimal(-len(weights)), Decimal(1 << fraction_bits)))
        weights.append(int(context.multiply(power, 1 << 20)))
    return np.array(weights)


def frequencies(logits: np.ndarray, fraction_bits: int) -> np.ndarray:
    """(n, classes) int64, each row with the sum 2^24."""
    if not len(logits):
        return logits
    table, classes = weights_of_differences(fraction_bits), logits.shape[1]
    below = logits.max(axis=1, keepdims=True) - logits
    w = table[np.minimum(below, len(table) - 1)]
    f = 1 + w * ((1 << 24) - classes) // w.sum(axis=1, keepdims=True)
    f[:, 0] += (1 << 24) - f.sum(axis=1)
    return f


def dense(model: Model, path: str, x: np.ndarray, relu: bool) -> np.ndarray:
    """(..., inputs) to (..., outputs)."""
    weight, bias, shift = (model.tensors[f"{path}.{part}"] for part in ("weight", "bias", "shift"))
    return np.clip((x @ weight.T + bias) >> shift, 0 if relu else -model.limit, model.limit)


def residual(model: Model, path: str, x: np.ndarray) -> np.ndarray:
    """(..., width) to (..., width)."""
    y = dense(model, f"{path}.first", x, relu=True)
    return np.clip(x + dense(model, f"{path}.second", y, relu=False), -model.limit, model.limit)


def head(model: Model, path: str, x: np.ndarray) -> np.ndarray:
    """The logits of a pass of many classes."""
    y = residual(model, f"{path}.1", dense(model, f"{path}.0", x, relu=True))
    return dense(model, f"{path}.2", y, relu=False)


def enter(model: Model, z: np.ndarray) -> np.ndarray:
    """Convert latents in units of 2^-28 to the first layer's activations."""
    fine = model.text["number"]["magnitude_bits"] - 3
    return np.clip((z + (1 << (27 - fine))) >> (28 - fine), -model.limit, model.limit)


def double_size(model: Model, path: str, x: np.ndarray) -> np.ndarray:
    """(b, h, w, c) to (b, 2h, 2w, c)."""
    b, h, w, c = x.shape
    padded = np.zeros((b, h + 2, w + 2, c), np.int64)
    padded[:, 1:-1, 1:-1] = x
    corners = [padded[:, i : h + 1 + i, j : w + 1 + j] for i in (0, 1) for j in (0, 1)]
    y = dense(model, path, np.concatenate(corners, axis=-1), relu=True)
    result = np.zeros((b, 2 * h + 2, 2 * w + 2, c), np.int64)
    for k, (i, j) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        result[:, i::2, j::2] = y[..., k * c : (k + 1) * c]
    return result[:, 1:-1, 1:-1]


def surroundings(marks: np.ndarray, sites: np.ndarray, radius: int, one: int) -> np.ndarray:
    """`one` where marks (b, h, w) are, around each of the sites (n,): (n, (2 radius + 1)^2)."""
    b, h, w = marks.shape
    side = 2 * radius + 1
    padded = np.zeros((b, h + 2 * radius, w + 2 * radius), np.int64)
    padded[:, radius : radius + h, radius : radius + w] = marks
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    image, place = np.divmod(sites, h * w)
    return windows[image, place // w, place % w].reshape(len(sites), side * side) * one


def upsampled(model: Model, x: np.ndarray) -> np.ndarray:
    """From the first layer's input, (b, D), to maps (b, height, width, channels)."""
    shape = model.text["architecture"]
    height, width, channels = shape["height"], shape["width"], shape["decoder"]["channels"]
    x = dense(model, "seed", x, relu=True)
    x = x.reshape(len(x), -(-height // 4), -(-width // 4), channels)
    for path in ("up.0", "up.1"):
        x = double_size(model, path, x)
    return x[:, :height, :width]


def blocks(model: Model, x: np.ndarray) -> np.ndarray:
    """The residual layers of a staged or causal network."""
    for number in range(model.text["architecture"]["decoder"]["blocks"]):
        x = residual(model, f"blocks.{number}", x)
    return x


def staged(model: Model, z: np.ndarray, read: Read) -> np.ndarray:
    """Latents (b, D) to pixels (b * height * width,)."""
    shape, sizes = model.text["architecture"], model.text["architecture"]["decoder"]
    height, width, one = shape["height"], shape["width"], 1 << model.fraction_bits
    channels, radius, saturation = sizes["channels"], sizes["radius"], sizes["saturation"]
    features = blocks(model, upsampled(model, enter(model, z))).reshape(-1, channels)
    pixels = np.zeros(len(features), np.int64)

    def around(marks: np.ndarray, sites: np.ndarray) -> np.ndarray:
        return surroundings(marks.reshape(-1, height, width), sites, radius, one)

    ink = read(dense(model, "zero", features, relu=False))
    sites = np.flatnonzero(ink)
    inputs = np.concatenate([features[sites], around(ink, sites)], axis=1)
    spikes = read(head(model, "spike", inputs))
    pixels[sites] = np.where(spikes > 0, saturation + spikes - 1, 0)
    full, sites = pixels > 0, sites[spikes == 0]
    inputs = np.concatenate([features[sites], around(ink, sites), around(full, sites)], axis=1)
    pixels[sites] = read(head(model, "grey", inputs)) + 1
    return pixels


def causal(model: Model, z: np.ndarray, read: Read) -> np.ndarray:
    """Latents (b, D) to pixels (b * height * width,)."""
    return causal_pixels(model, enter(model, z), read)


def causal_pixels(model: Model, z: np.ndarray, read: Read) -> np.ndarray:
    """The same from the first layer's input, (b, D)."""
    shape, sizes = model.text["architecture"], model.text["architecture"]["decoder"]
    height, width, r = shape["height"], shape["width"], sizes["radius"]
    features, table = upsampled(model, z), model.tensors["values.table"]
    pixels = np.full((len(z), height + r, width + 2 * r), -1)  # with a border that stays unknown
    above = [(i, j) for i in range(-r, 0) for j in range(-r, r + 1)]
    around = above + [(0, j) for j in range(-r, 0)]

    def vectors(values: np.ndarray) -> np.ndarray:
        return np.where(values[:, None] < 0, 0, table[values])

    for t in range((r + 1) * (height - 1) + width):
        places = [(i, t - (r + 1) * i) for i in range(height) if 0 <= t - (r + 1) * i < width]
        rows = np.array([i for i, _ in places], int)
        columns = np.array([j for _, j in places], int)
        image = np.repeat(np.arange(len(z)), len(places))
        row, column = np.tile(rows, len(z)), np.tile(columns, len(z))
        context = [vectors(pixels[image, row + i + r, column + j + r]) for i, j in around]
        inputs = np.concatenate([*context, features[image, row, column]], axis=1)
        hidden = blocks(model, dense(model, "join", inputs, relu=True))
        values = read(dense(model, "zero", hidden, relu=False))
        if sizes["levels"] > 2:
            ink = values > 0
            values[ink] = read(head(model, "value", hidden[ink])) + 1
        pixels[image, row + r, column + r] = values
    return pixels[:, r:, r : r + width].reshape(-1)


def mlp(model: Model, z: np.ndarray, read: Read) -> np.ndarray:
    """Latents (b, D) to pixels (b * height * width,)."""
    hidden = dense(model, "hidden", enter(model, z), relu=True)
    y = dense(model, "parameters_layer", hidden, relu=False)
    steps = (y * 32 + (1 << model.fraction_bits)) >> (model.fraction_bits + 1)
    rows = np.clip(steps + 128, 0, 256)
    a, b = (half.reshape(-1) for half in np.split(rows, 2, axis=1))
    rising = model.tensors["rising_factorials"]
    logits = model.tensors["binomials"] + rising[a] + rising[b][:, ::-1]
    return read(logits)
