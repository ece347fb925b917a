"""A .recvae file and its model's folder to images and all intermediate results."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spec import container
from spec.coder import RangeDecoder
from spec.container import check
from spec.latents import decode_latents
from spec.model import Model
from spec.model import read as read_model
from spec.network import causal, frequencies, mlp, staged
from spec.pointer import pointer
from spec.scans import scans

NETWORKS = {"staged": staged, "causal": causal, "scans": scans, "mlp": mlp}


class Steps(NamedTuple):
    """The steps of decoding, for the images that the model codes, in order.

    Fields:
        z: (coded, D) int64, latents in units of 2^-28.
        logits, frequencies: for each pass, (n, classes) int64.
        pixels: (images, height, width) uint8, of all images.
    """

    z: np.ndarray
    logits: list[np.ndarray]
    frequencies: list[np.ndarray]
    pixels: np.ndarray


def decode(data: bytes, folder: Path, table: list[int]) -> Steps:
    """All groups of a file, which must not be empty, one after the other."""
    model, file = read_model(folder), container.read(data)
    shape = model.text["architecture"]
    check(file.model_hash == model.hash[:16], "another model")
    check((file.height, file.width) == (shape["height"], shape["width"]), "size of the images")
    groups = [
        decode_group(model, table, payload, count)
        for payload, count in zip(file.payloads, file.counts, strict=True)
    ]
    z, logits, counts, pixels = zip(*groups, strict=True)
    return Steps(
        np.concatenate(z),
        by_pass(logits),
        by_pass(counts),
        np.concatenate(pixels),
    )


def by_pass(groups: Sequence[list[np.ndarray]]) -> list[np.ndarray]:
    """The contents of each pass, over all groups; some groups may have more passes."""
    passes = zip_longest(*filter(None, groups))
    return [np.concatenate([part for part in parts if part is not None]) for parts in passes]


def decode_group(model: Model, table: list[int], payload: bytes, count: int) -> Steps:
    """One group of `count` images; no logits and frequencies if its payload is its pixels."""
    shape = model.text["architecture"]
    height, width = shape["height"], shape["width"]
    no_latents = np.zeros((0, shape["latent_dim"]), np.int64)
    if len(payload) == count * height * width:
        pixels = np.frombuffer(payload, np.uint8).reshape(count, height, width)
        return Steps(no_latents, [], [], pixels)
    coder = RangeDecoder(payload)
    stored = np.array([coder.symbol([(1 << 24) - 256, 256]) for _ in range(count)], bool)
    z = decode_latents(model, table, coder, int((~stored).sum()))
    logits, counts = [], []

    def read(pass_logits: np.ndarray) -> np.ndarray:
        logits.append(pass_logits)
        counts.append(frequencies(pass_logits, model.fraction_bits))
        return coder.symbols(counts[-1])

    pixels = np.zeros((count, height, width), np.uint8)
    if shape["name"] == "pointer":
        pixels[~stored] = pointer(model, z, coder)
    else:
        pixels[~stored] = NETWORKS[shape["name"]](model, z, read).reshape(-1, height, width)
    raw = [coder.uniform(256) for _ in range(pixels[stored].size)]
    pixels[stored] = np.array(raw, np.uint8).reshape(-1, height, width)
    return Steps(z, logits, counts, pixels)
