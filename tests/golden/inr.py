"""Golden pictures of networks over coordinates, and the latents that the real decoder finds."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from golden.make_version_2 import V2
from golden.pictures import MOST_THAT_DIFFER, part_that_differs, pictures_of
from golden.steps import MODELS as MADE
from recvae.codec.container import Group
from recvae.codec.inr.coder import group_codes
from recvae.codec.inr.model import InrModel
from recvae.codec.inr.payload import decode_latents

__all__ = ["FILES", "MODELS", "MOST_THAT_DIFFER", "folder_of", "part_that_differs", "pictures_of"]

MODELS = {"tiny": MADE / "inr", "plain": MADE / "inr-plain"}
"""Random weights: with all that there is, and without reparametrisation and positional encoding."""

FILES = sorted(V2.glob("inr-*.recvae"))


def folder_of(file: Path) -> Path:
    """The model of a golden file."""
    return MODELS[file.stem.split("-")[1]]


def latents_of(model: InrModel, groups: Iterable[Group]) -> list[np.ndarray]:
    """Latents of each group that is coded, (pictures, dim) int64."""
    shared = model.shared
    codes = (group_codes(shared, group, checking=True) for group in groups)
    dim = shared.network.arguments.dim
    return [decode_latents(shared.layout, shared.key, own, dim) for own in codes if own is not None]


def digest(latents: Iterable[np.ndarray]) -> str:
    """SHA-256 of latents, as little-endian integers of 64 bits."""
    return hashlib.sha256(b"".join(one.astype("<i8").tobytes() for one in latents)).hexdigest()
