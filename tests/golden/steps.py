"""The steps of decoding, as the real decoder takes them, and their digests."""

import hashlib
from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from torch import Tensor

from recvae.codec import Codec, shipped_models
from recvae.codec.vae import groups
from spec.decoder import Steps

FOLDER = Path(__file__).parent
MODELS = FOLDER / "models"
MANY_PASSES = 16
FILES = sorted(FOLDER.glob("*.recvae"))


def model_folder(name: str) -> Path:
    """Where the model of a golden file is: with these, or it ships."""
    return MODELS / name if (MODELS / name).exists() else shipped_models()[name]


def digests(
    z: np.ndarray,
    logits: Sequence[np.ndarray],
    frequencies: Sequence[np.ndarray],
    pixels: np.ndarray,
) -> dict[str, str | list[str]]:
    """SHA-256 of each step: z as int64, logits and frequencies of each pass as int32.

    Of more than `MANY_PASSES` there is one digest of all of their digests.
    """
    return {
        "z": _sha256(z, "<i8"),
        "logits": _of_passes(logits),
        "frequencies": _of_passes(frequencies),
        "pixels": _sha256(pixels, "u1"),
    }


def decode_steps(codec: Codec, data: bytes) -> Steps:
    """Decompress a file and keep what the decoder computes on its way."""
    z: list[np.ndarray] = []
    logits: list[list[list[np.ndarray]]] = []  # of each batch, of each pass, of each piece
    counts: list[list[list[np.ndarray]]] = []

    def receive(*arguments: Any) -> Tensor:
        result = received(*arguments)
        z.append(result.cpu().numpy())
        logits.append([])
        counts.append([])
        return result

    def decode_pass(*arguments: Any) -> Tensor:
        none = np.zeros((0, arguments[-1].classes), dtype=np.int32)
        logits[-1].append([none])
        counts[-1].append([none])
        return decoded(*arguments)

    def frequencies(of_piece: Tensor, fraction_bits: int) -> Tensor:
        result = computed(of_piece, fraction_bits)
        logits[-1][-1].append(of_piece.cpu().numpy())
        counts[-1][-1].append(result.cpu().numpy())
        return result

    latents = type(codec.model.latents)
    received, decoded, computed = latents.receive, groups._decode_pass, groups.frequencies
    with (
        mock.patch.object(latents, "receive", receive),
        mock.patch.multiple(groups, _decode_pass=decode_pass, frequencies=frequencies),
    ):
        pixels = codec.decompress(data)
    return Steps(np.concatenate(z), _by_pass(logits), _by_pass(counts), pixels)


def _by_pass(batches: list[list[list[np.ndarray]]]) -> list[np.ndarray]:
    return [np.concatenate(list(chain(*parts))) for parts in zip_longest(*batches, fillvalue=[])]


def _of_passes(arrays: Sequence[np.ndarray]) -> list[str]:
    each = [_sha256(of_pass, "<i4") for of_pass in arrays]
    return (
        each if len(each) <= MANY_PASSES else [hashlib.sha256("".join(each).encode()).hexdigest()]
    )


def _sha256(array: np.ndarray, dtype: str) -> str:
    integers = array.astype(dtype)
    if not np.array_equal(integers, array):
        raise ValueError(f"{array.dtype} that are no integers of type {dtype}")
    return hashlib.sha256(integers.tobytes()).hexdigest()
