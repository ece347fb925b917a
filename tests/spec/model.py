"""The model's folder: model.json and weights.safetensors, and the hash over both."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

TYPES = {"I16": "int16", "I32": "int32", "U8": "uint8", "F16": "float16"}


class Model(NamedTuple):
    """The folder's description, the decoder's tensors as int64, and the content hash."""

    text: dict[str, Any]
    tensors: dict[str, np.ndarray]
    hash: bytes

    @property
    def fraction_bits(self) -> int:
        """F."""
        return self.text["number"]["fraction_bits"]

    @property
    def limit(self) -> int:
        """L."""
        return (1 << self.text["number"]["magnitude_bits"]) - 1


def read_safetensors(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Type and array of each tensor by name."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:start])
    entries.pop("__metadata__", None)
    return {
        name: (
            entry["dtype"],
            np.frombuffer(
                data[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]],
                np.dtype(TYPES[entry["dtype"]]).newbyteorder("<"),
            ).reshape(entry["shape"]),
        )
        for name, entry in entries.items()
    }


def read_hashed(folder: Path, format_name: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The text without its hash, the tensors and the hash of a model; ValueError if it differs."""
    text = json.loads((folder / "model.json").read_text())
    tensors = read_safetensors(folder / "weights.safetensors")
    expected = text.pop("hash")
    digest = hashlib.sha256(json.dumps(text, sort_keys=True).encode())
    for name, (dtype, array) in sorted(tensors.items()):
        digest.update(f"{name} torch.{TYPES[dtype]} {array.shape}\n".encode())
        digest.update(array.tobytes())
    if text["format"] != format_name or digest.hexdigest() != expected:
        raise ValueError("the model's format or hash")
    return text, {name: array for name, (_, array) in tensors.items()}, digest.digest()


def read(folder: Path) -> Model:
    """A model; ValueError if it does not match its hash."""
    text, tensors, digest = read_hashed(folder, "recvae-model-1")
    prefix = "decoder.decoder."
    decoder = {
        name.removeprefix(prefix): array.astype(np.int64)
        for name, array in tensors.items()
        if name.startswith(prefix)
    }
    return Model(text, decoder, digest)
