"""Target: the loader of models, `model.json` and `weights.safetensors`.

An input is a byte of flags and three parts separated by `SEPARATOR`: `model.json`, the JSON at the
beginning of `weights.safetensors`, and its data, padded with zeros to the size that JSON states.
"""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as from_safetensors

from fuzz.invariants import refusal_is_one_line, scratch
from recvae.codec import Codec, CodecModel
from recvae.codec.model_folder import FolderModel, content_hash
from recvae.codec.vae.latents import (
    BlockLatents,
    BranchAndBoundLatents,
    FittedBins,
    LatentCodec,
    fit_bins,
)
from recvae.codec.vae.model import load_vae
from recvae.exact import FixedPoint
from recvae.rec import Block, DiagonalGaussian
from recvae.vae.networks import Architecture
from recvae.vae.quantise import quantise

SEPARATOR = b"\xff"  # does not occur in JSON
WRONG_HASH, WHOLE_FILE = 1, 2  # flags: keep the hash; the last part is all of weights.safetensors
MAX_DATA_BYTES = 1 << 20
MAX_ORDER = 1 << 14  # candidates or intervals of a block; models with more are only loaded
NUMBERS = (0, 1, -1, 3, 4, 63, 64, 65, 1025, 65535, 1 << 20, 1 << 24, 1 << 31, 1 << 63, 1 << 64)
ANY: tuple[Any, ...] = (
    *NUMBERS,
    True,
    None,
    1.0,
    0.5,
    1e300,
    "",
    "x",
    "I16",
    "F16",
    [],
    {},
    [[[]]],
    [0, 0],
)


def seeds() -> Iterator[bytes]:
    """The smallest models of each architecture, as whole files and by parts."""
    for model in tiny_models():
        text, header, data, weights = parts_of(model)
        if len(weights) < 10_000:
            yield bytes([0]) + SEPARATOR.join([text, header, data])
            yield bytes([WHOLE_FILE]) + SEPARATOR.join([text, b"", weights])
        yield bytes([0]) + SEPARATOR.join([text, header, data[:50]])


def parts_of(model: FolderModel) -> tuple[bytes, bytes, bytes, bytes]:
    """`model.json`, compact; the JSON and the data of `weights.safetensors`, and all of it."""
    folder = scratch("seed")
    folder.mkdir(exist_ok=True)
    model.save(folder)
    text = json.dumps(json.loads((folder / "model.json").read_bytes())).encode()
    weights = (folder / "weights.safetensors").read_bytes()
    start = 8 + int.from_bytes(weights[:8], "little")
    return text, weights[8:start].rstrip(), weights[start:], weights


def tiny_models() -> list[CodecModel]:
    """The smallest possible models, which code nothing well."""
    grey = {"grey_channels": 1, "grey_blocks": 0, "grey_hidden": 1, "grey_radius": 1}
    sizes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "scans": (
            {"channels": 1, "hidden": 1, "saturation": 253},
            {"about": 1, "channels": 1, "blocks": 1, "radius": 1} | grey,
        ),
        "staged": (
            {"channels": 1, "hidden": 1, "saturation": 253},
            {"channels": 1, "blocks": 1, "hidden": 1, "radius": 1, "saturation": 253},
        ),
        "causal": (
            {"channels": 1, "hidden": 1, "saturation": 253},
            {"channels": 1, "blocks": 1, "hidden": 1, "radius": 1, "levels": 256},
        ),
        "mlp": ({"hidden": 1}, {"hidden": 1}),
    }
    models = []
    for name, (encoder, decoder) in sizes.items():
        torch.manual_seed(0)
        shape = (28, 28) if name == "scans" else (4, 5)
        architecture = Architecture(name, 3, *shape, encoder, decoder)
        networks = architecture.build()
        blocks = (Block((0, 2), (2, 1), 16), Block((1,), (3,), 4))
        models.append(
            CodecModel(
                name=f"tiny {name}",
                architecture=architecture,
                number=FixedPoint(7, 12),
                latents=BlockLatents.unfitted(7, blocks),
                encoder=networks[0].half().float().eval().requires_grad_(False),
                decoder=quantise(networks[1], FixedPoint(7, 12)),
            )
        )
    target = DiagonalGaussian(torch.zeros(1, 3), torch.full((1, 3), 0.5))
    tables = fit_bins(blocks, target)
    codes = BlockLatents.unfitted(7, blocks).rank_codes
    codecs: dict[str, LatentCodec] = {
        "fitted bins": FittedBins(7, blocks, codes, tables=tables),
        "branch and bound": BranchAndBoundLatents.fit(7, "A*", target),
    }
    return models + [
        replace(models[1], name=f"tiny {name}", latents=latents) for name, latents in codecs.items()
    ]


def images_for(model: CodecModel) -> np.ndarray:
    """Three images of the size that a model codes, half black."""
    values = np.random.default_rng(0).integers(0, 256, (3, *model.spec.shape))
    return np.where(values < 128, 0, values).astype(np.uint8)


def folder_of(data: bytes) -> Path:
    """Make the folder for an input."""
    flags = data[0] if data else 0
    parts = [*data[1:].split(SEPARATOR, 2), b"", b""]
    weights = parts[2] if flags & WHOLE_FILE else _weights(parts[1], parts[2])
    text = parts[0] if flags & WRONG_HASH else _with_hash(parts[0], weights)
    folder = scratch("model")
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_bytes(text)
    (folder / "weights.safetensors").write_bytes(weights)
    return folder


def check(data: bytes) -> None:
    """Check that a model that loads matches its hash, saves identically, and codes."""
    folder = folder_of(data)
    with refusal_is_one_line():
        model = load_vae(folder)
        assert model.hash == json.loads((folder / "model.json").read_bytes())["hash"]
        size = (folder / "weights.safetensors").stat().st_size
        assert sum(tensor.nbytes for tensor in model.tensors().values()) <= size
        copy = scratch("copy")
        copy.mkdir(exist_ok=True)
        model.save(copy)
        assert load_vae(copy).hash == model.hash
        # A sender's time and memory grow with the model's sizes, which may be up to 2^20.
        if _largest_order(model.latents) <= MAX_ORDER:
            images = images_for(model)
            codec = Codec(model)
            assert np.array_equal(codec.decompress(codec.compress(images)), images)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change one node of one of the two JSON texts."""
    parts = data[1:].split(SEPARATOR, 2)
    place = rng.randrange(min(2, len(parts)))
    with suppress(ValueError, RecursionError):
        root = [json.loads(parts[place])]
        holders = list(_holders(root))
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            _change(rng.choice(holders), holders, rng)
        parts[place] = json.dumps(root[0]).encode()
    return data[:1] + SEPARATOR.join(parts)


def _change(holder: Any, holders: list[Any], rng: random.Random) -> None:
    """Replace, remove, add or copy a value in an object or list."""
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if not keys:
        return
    key, action = rng.choice(keys), rng.randrange(6)
    old = holder[key]
    if action == 0 and len(holder) > 1:
        del holder[key]
    elif action == 1 and isinstance(holder, list):
        holder.insert(key, rng.choice(NUMBERS))
    elif action == 1:
        holder[rng.choice((f"{key}x", "encoder.x", "decoder.decoder.x"))] = rng.choice((old, 0))
    elif action == 2:
        holder[key] = rng.choice(holders[1:] or ANY)
    elif action == 3 and type(old) is int:
        holder[key] = old + rng.choice((-1, 1, 2, -old, old))
    else:
        holder[key] = rng.choice(ANY)


def _holders(node: Any) -> Iterator[Any]:
    if isinstance(node, dict | list):
        yield node
        for child in node.values() if isinstance(node, dict) else node:
            yield from _holders(child)


def _weights(header: bytes, data: bytes) -> bytes:
    """A safetensors file, with zeros where the header states more than the data."""
    claimed = 0
    with suppress(ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        entries = json.loads(header)
        claimed = max(int(e["data_offsets"][1]) for e in entries.values() if "data_offsets" in e)
    size = min(claimed, MAX_DATA_BYTES)
    return len(header).to_bytes(8, "little") + header + data[:size].ljust(size, b"\0")


def _with_hash(text: bytes, weights: bytes) -> bytes:
    """Correct the hash in `text`, if there is one."""
    with suppress(
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        SafetensorError,
        RuntimeError,
        OverflowError,
    ):
        fields = json.loads(text)
        tensors = from_safetensors(weights)
        fields.pop("hash", None)
        fields["hash"] = content_hash(fields, tensors)
        return json.dumps(fields).encode()
    return text


def _largest_order(latents: LatentCodec) -> int:
    if isinstance(latents, BlockLatents):
        return max(max(b.num_candidates, sum(b.intervals)) for b in latents.blocks)
    assert isinstance(latents, BranchAndBoundLatents)
    return latents.max_candidates
