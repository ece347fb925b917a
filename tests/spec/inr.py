"""Pictures of networks over coordinates: latents in integers, pixels in float64."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from spec.coder import RangeDecoder
from spec.coder import latents as block_latents
from spec.container import check
from spec.groups_2 import Group
from spec.model import read_hashed

FORMAT, MAX_CANDIDATES = "recvae-inr-1", 1 << 20


class Inr(NamedTuple):
    """A model: its description and its tensors.

    `blocks`: the latents of each block and the numbers of their intervals.
    """

    text: dict
    tensors: dict[str, np.ndarray]
    blocks: list[tuple[list[int], list[int]]]
    hash: bytes

    @property
    def side(self) -> int:
        """Height and width of the pictures."""
        return self.text["architecture"]["side"]


def read(folder: Path) -> Inr:
    """A model; ValueError if it does not match its hash."""
    text, tensors, digest = read_hashed(folder, FORMAT)
    blocks, at = [], 0
    for length in tensors["layout.lengths"].tolist():
        own = slice(at, at := at + length)
        both = (tensors[f"layout.{part}"][own].tolist() for part in ("dimensions", "intervals"))
        blocks.append(tuple(both))
    return Inr(text, tensors, blocks, digest)


def decode_group(model: Inr, group: Group, table: list[int]) -> np.ndarray:
    """The latents of a group, (pictures, dim) int64; or its pixels, (n, side, side, 3) uint8."""
    side = model.side
    check(group.spec[:3] == (side, side, 3), "size of the pictures of a group")
    check(group.layers == 1, "layers of a group")
    check(group.tile == (side, side), "tiles of a group")
    (stream,) = group.streams
    if len(stream) == group.count * side * side * 3:
        return np.frombuffer(stream, np.uint8).reshape(-1, side, side, 3)
    coder = RangeDecoder(stream)
    pictures, frequencies = range(group.count), model.tensors["ranks"].astype(np.int64)
    bins = [[[coder.uniform(j) for j in own] for _, own in model.blocks] for _ in pictures]
    buckets = [[coder.symbol(frequencies) for _ in model.blocks] for _ in pictures]
    ranks = [[(1 << e) - 1 + coder.uniform(1 << e) for e in own] for own in buckets]
    check(all(rank < MAX_CANDIDATES for own in ranks for rank in own), "a rank of no candidate")
    z = np.zeros((group.count, len(model.tensors["network.mean"])), np.int64)
    for picture in pictures:
        for number, (dimensions, intervals) in enumerate(model.blocks):
            z[picture, dimensions] = block_latents(
                model.text["key"], number, intervals, bins[picture][number],
                ranks[picture][number], table,
            )  # fmt: skip
    return z


def picture(model: Inr, z: np.ndarray) -> np.ndarray:
    """The picture of latents z (dim,) int64, uint8 (side, side, 3)."""
    pixels = np.rint(np.clip(colours(model, z), 0, 1) * 255)
    return pixels.astype(np.uint8).reshape(model.side, model.side, 3)


def colours(model: Inr, z: np.ndarray) -> np.ndarray:
    """Red, green and blue of each pixel, (side^2, 3), about 0 to 1."""
    side, hidden = model.side, model.text["architecture"]["hidden"]
    h = tensor(model, "mean") + np.exp(tensor(model, "log_scale")) * (z * 2.0**-28)
    x = features(side, model.text["architecture"]["frequencies"])
    layers = len(hidden) + 1
    encoded = model.text["architecture"]["grid_channels"] > 0
    inputs = x.shape[1] + encoded * model.text["architecture"]["upsampler"][-1]
    weights, at = [], 0
    for number, outputs in enumerate([*hidden, 3]):
        own = h[at : (at := at + (inputs + 1) * outputs)]
        if model.text["architecture"]["reparametrised"]:
            own = own + own @ tensor(model, f"matrices.{number}") / np.sqrt(len(own))
        gain = np.sqrt((6 if number < layers - 1 else 1) / (inputs + 1))
        weights.append(gain * own.reshape(inputs + 1, outputs))
        inputs = outputs
    if encoded:
        x = np.concatenate([x, encoding(model, h[at:])], axis=1)
    for number, own in enumerate(weights):
        x = own[0] + (np.sin(x) if number else x) @ own[1:]
    return x + 0.5


def features(side: int, frequencies: int) -> np.ndarray:
    """cos and sin of each pixel, (side^2, 4 frequencies)."""
    centres = (2 * np.arange(side) + 1) / side - 1
    k = np.arange(frequencies)
    w = 1024.0 ** (k / max(frequencies - 1, 1))
    angles = np.pi * centres[:, None] * w
    one_axis = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    rows, columns = np.repeat(one_axis, side, axis=0), np.tile(one_axis, (side, 1))
    return np.concatenate([rows, columns], axis=1)


def encoding(model: Inr, grid: np.ndarray) -> np.ndarray:
    """The learned encoding of each pixel, (side^2, channels)."""
    architecture = model.text["architecture"]
    side = architecture["grid"]
    x = grid.reshape(-1, side, side)
    for number, factor in enumerate(factors(model.side // side, len(architecture["upsampler"]))):
        x = np.where(x < 0, 0.01 * x, x) if number else x
        x = x.repeat(factor, axis=1).repeat(factor, axis=2)
        x = convolve(model, f"convolutions.{number}", x)
    return x.reshape(len(x), -1).T


def factors(total: int, convolutions: int) -> list[int]:
    """Enlargement before each convolution."""
    later = []
    for _ in range(convolutions - 1):
        later.append(2 if total > 1 else 1)
        total //= later[-1]
    return [total, *later]


def convolve(model: Inr, path: str, x: np.ndarray) -> np.ndarray:
    """(inputs, h, w) to (outputs, h, w)."""
    weight, bias = tensor(model, f"{path}.weight"), tensor(model, f"{path}.bias")
    _, height, width = x.shape
    edge = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge)))
    places = np.ndindex(*weight.shape[2:])
    return bias[:, None, None] + sum(
        np.tensordot(weight[:, :, i, j], padded[:, i : i + height, j : j + width], 1)
        for i, j in places
    )


def tensor(model: Inr, path: str) -> np.ndarray:
    return model.tensors[f"network.{path}"].astype(np.float64)
