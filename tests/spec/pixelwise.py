"""Groups of pictures that are coded pixel by pixel: integers throughout."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spec.coder import RangeDecoder
from spec.container import check
from spec.copies import Copies, decode_copies
from spec.corrections import Corrections
from spec.groups_2 import Group, raw_bytes, tile_slices
from spec.mixture import Mixture
from spec.model import read_hashed
from spec.rounded import DIFFERENCES, MAGNITUDES

FORMAT, TILE = "recvae-pixelwise-1", 256
NAMES = {1: "grey", 3: "rgb"}
FIRST, FIRST_ERROR, FIRST_LATE = 128, 32, 64
MOST_ACTIVATION, MOST_WEIGHT, MOST_PREDICTION = 4095, 1 << 18, 16 * 255

Colour = tuple[int, ...]


class Layer(NamedTuple):
    """A layer of the network."""

    weight: np.ndarray
    bias: np.ndarray
    shift: int

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return (self.weight @ inputs + self.bias) >> self.shift


class Network(NamedTuple):
    """The model's description for pixels with this many channels."""

    channels: int
    text: dict
    layers: list[Layer]
    filters: np.ndarray

    def neighbours(self, field: str) -> list[tuple[int, int]]:
        """Offset of each neighbour: rows up and columns to the right."""
        left, *sides = self.text[field]
        above = [(up, i) for up, s in enumerate(sides, 1) for i in range(-s, s + 1)]
        return [(0, i) for i in range(-left, 0)] + above


class Learned:
    """State kept from part to part: filters, and corrections if the model has them."""

    def __init__(self, network: Network) -> None:
        self.filters: list[list[int]] = network.filters.tolist()
        corrected = network.text.get("corrected", False)
        sizes = network.channels, network.text["components"]
        self.corrections = Corrections(*sizes) if corrected else None


class Pixelwise(NamedTuple):
    """A model."""

    networks: dict[int, Network]
    hash: bytes


def read(folder: Path) -> Pixelwise:
    """A model; ValueError if it does not match its hash."""
    text, tensors, digest = read_hashed(folder, FORMAT)
    networks = {}
    for channels, name in NAMES.items():
        own = text["networks"][name]
        layers = [
            Layer(*(tensors[f"{name}.{i}.{part}"].astype(int) for part in ("weight", "bias")), s)
            for i, s in enumerate(own["shifts"])
        ]
        networks[channels] = Network(channels, own, layers, tensors[f"{name}.filters"])
    return Pixelwise(networks, digest)


def decode_group(model: Pixelwise, group: Group) -> np.ndarray:
    """The pictures, (n, height, width, channels)."""
    check(group.layers == 1, "layers of a group")
    expected = tuple(min(side, TILE) for side in group.spec[:2])
    check(group.tile == expected, "tiles of a group")
    height, width, channels, _ = group.spec
    pictures = np.zeros((group.count, height, width, channels), np.uint8)
    areas = tile_slices(group.spec, group.tile)
    for (rows, columns), stream in zip(areas, group.streams, strict=True):
        part = pictures[:, rows, columns]
        if len(stream) == raw_bytes(group, rows, columns):
            part[:] = np.frombuffer(stream, np.uint8).reshape(part.shape)
        else:
            decode_tile(model, stream, part)
    return pictures


def decode_tile(model: Pixelwise, stream: bytes, pictures: np.ndarray) -> None:
    """Fill in a tile of the pictures of a group."""
    coder, copies = RangeDecoder(stream), Copies()
    learned = {c: Learned(network) for c, network in model.networks.items()}
    _, height, width, channels = pictures.shape
    colours = 3 if channels >= 3 else 1
    for picture in pictures:
        for part in (slice(0, colours), slice(colours, channels)):
            c = part.stop - part.start
            if c == 0:
                continue
            if coder.uniform(2):
                picture[..., part] = decode_copies(coder, copies, height, width, c)
            else:
                own = model.networks[c], learned[c]
                picture[..., part] = decode_network(coder, *own, height, width)


def decode_network(
    coder: RangeDecoder, network: Network, learned: Learned, height: int, width: int
) -> list[list[Colour]]:
    """Decode a part of a picture, adapting filters and corrections."""
    pixels: list[list[Colour]] = []
    errors, late = [FIRST_ERROR] * network.channels, [[FIRST_LATE] * network.channels] * width
    for y in range(height):
        pixels.append([])
        errors_here = []
        for x in range(width):
            above = [late[min(max(x + side, 0), width - 1)] for side in (-1, 0, 1)]
            sums = [a + 2 * b + c for a, b, c in zip(*above, strict=True)]
            lateness = [s + 4 * e >> 3 for s, e in zip(sums, errors, strict=True)]
            colour, errors = decode_pixel(coder, network, learned, pixels, width, lateness)
            pixels[y].append(colour)
            errors_here.append(errors)
        late = errors_here
    return pixels


def decode_pixel(
    coder: RangeDecoder,
    network: Network,
    learned: Learned,
    pixels: list[list[Colour]],
    width: int,
    lateness: list[int],
) -> tuple[Colour, list[int]]:
    """The next pixel in the last row, and the errors of its filters."""
    c, filters = network.channels, learned.filters
    teaches = (len(pixels) - 1 + len(pixels[-1])) % 2 == 1
    left, above, corner = (neighbour(pixels, width, c, *p) for p in ((0, -1), (1, 0), (1, -1)))
    medians = [median(*three) for three in zip(left, above, corner, strict=True)]
    differences = differences_to(medians, network, "filter_reach", pixels, width)
    sums = [dot(own, differences) for own in filters]  # stops at the shorter of the two
    predictions = [predict(m, s) for m, s in zip(medians, sums, strict=True)]
    outputs = say(network, inputs_of(network, pixels, width, medians, predictions, lateness))
    rows = outputs.reshape(-1, network.text["components"])
    mixture = Mixture(rows, c, learned.corrections, teaches)

    known: list[int] = []
    errors, own = [], len(differences)
    energy = sum(d * d for d in differences)
    for i in range(c):
        prediction = predict(medians[i], sums[i] + dot(filters[i][own:], known))
        further = prediction - 16 * medians[i]
        value = mixture.decode(coder, i, medians[i], further, known)
        error = 16 * value - prediction
        step = error * network.text["filter_rate"] // (energy + 256)
        for place, d in enumerate(differences + known):
            weight = filters[i][place] + (step * d >> 8)
            filters[i][place] = min(max(weight, -MOST_WEIGHT), MOST_WEIGHT)
        errors.append(abs(error))
        known.append(value - medians[i])
        energy += known[-1] ** 2
    return tuple(d + m for d, m in zip(known, medians, strict=True)), errors


def neighbour(pixels: list[list[Colour]], width: int, channels: int, up: int, side: int) -> Colour:
    """The pixel at this offset from the next one: rows up and columns to the right."""
    y, x = len(pixels) - 1, len(pixels[-1])
    if up == 0 and x + side >= 0:
        return pixels[y][x + side]
    if up == 0 and y > 0:
        return pixels[y - 1][0]
    if y == 0:
        return pixels[0][x - 1] if up and x else (FIRST,) * channels
    return pixels[max(y - up, 0)][min(max(x + side, 0), width - 1)]


def median(left: int, above: int, corner: int) -> int:
    """Median edge prediction."""
    return sorted((left, above, left + above - corner))[1]


def differences_to(
    medians: list[int], network: Network, field: str, pixels: list[list[Colour]], width: int
) -> list[int]:
    """Differences of neighbours' values, in order."""
    near = (neighbour(pixels, width, network.channels, *p) for p in network.neighbours(field))
    return [value - m for colour in near for value, m in zip(colour, medians, strict=True)]


def dot(weights: Sequence[int], values: Sequence[int]) -> int:
    """The prediction of a filter."""
    return sum((w >> 2) * v for w, v in zip(weights, values, strict=False))


def predict(middle: int, total: int) -> int:
    """The error in sixteenths."""
    return min(max(16 * middle + (total >> 10), 0), MOST_PREDICTION)


def inputs_of(
    network: Network,
    pixels: list[list[Colour]],
    width: int,
    medians: list[int],
    predictions: list[int],
    lateness: list[int],
) -> np.ndarray:
    """The inputs of the network."""
    near = differences_to(medians, network, "reach", pixels, width)
    inputs = [DIFFERENCES[d] for d in near] + [medians[0] >> 1]
    inputs += [DIFFERENCES[m - medians[0]] for m in medians[1:]]
    for prediction, m in zip(predictions, medians, strict=True):
        further = prediction - 16 * m
        inputs.append(MAGNITUDES[further] if further >= 0 else -MAGNITUDES[-further])
    return np.array(inputs + [MAGNITUDES[late] for late in lateness])


def say(network: Network, inputs: np.ndarray) -> np.ndarray:
    """The outputs of the network."""
    *hidden, last = network.layers
    for layer in hidden:
        inputs = np.clip(layer(inputs), 0, MOST_ACTIVATION)
    return last(inputs)
