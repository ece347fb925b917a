"""The steps of decoding, as the real decoder takes them, and their digests."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recvae.codec import Codec, shipped_models
from recvae.codec.vae.trace import RecordedTrace
from spec.decoder import Steps

FOLDER = Path(__file__).parent
MODELS = FOLDER / "models"
MANY_PASSES = 16
FILES = sorted(FOLDER.glob("*.recvae"))


def model_folder(name: str) -> Path:
    """The folder of a golden file's model: beside the files, or shipped."""
    return MODELS / name if (MODELS / name).exists() else shipped_models()[name]


def digests(
    z: np.ndarray,
    logits: Sequence[np.ndarray],
    frequencies: Sequence[np.ndarray],
    pixels: np.ndarray,
) -> dict[str, str | list[str]]:
    """SHA-256 of each step: z as int64, logits and frequencies of each pass as int32.

    Beyond `MANY_PASSES` passes, one digest covers all of their digests.
    """
    return {
        "z": _sha256(z, "<i8"),
        "logits": _pass_digests(logits),
        "frequencies": _pass_digests(frequencies),
        "pixels": _sha256(pixels, "u1"),
    }


def decode_steps(codec: Codec, data: bytes) -> Steps:
    """Decompress a file and record the decoder's intermediate results."""
    trace = RecordedTrace()
    traced = Codec(codec.model.traced(trace), codec.model.device.type, codec.batch_size)
    pixels = traced.decompress(data)
    return Steps(trace.z, trace.logits, trace.frequencies, pixels)


def _pass_digests(arrays: Sequence[np.ndarray]) -> list[str]:
    each = [_sha256(array, "<i4") for array in arrays]
    return (
        each if len(each) <= MANY_PASSES else [hashlib.sha256("".join(each).encode()).hexdigest()]
    )


def _sha256(array: np.ndarray, dtype: str) -> str:
    integers = array.astype(dtype)
    if not np.array_equal(integers, array):
        raise ValueError(f"{array.dtype} that are no integers of type {dtype}")
    return hashlib.sha256(integers.tobytes()).hexdigest()
