"""The two files of a model, `model.json` and `weights.safetensors`: hashed, written, read."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import safetensors
import torch
from jsonschema import Draft202012Validator
from jsonschema.validators import extend
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor

from recvae.codec.models import JSON_NAME, MAX_REASON, load_model, read_bounded
from recvae.files import translate_os_errors
from recvae.files.atomic import put_in_place, sync
from recvae.vae.quantise import Spec, check_tensors

WEIGHTS_NAME = "weights.safetensors"
HASH_BYTES = 16  # of the SHA-256, in a file's header
MAX_HEADER_BYTES = 1 << 20  # of weights.safetensors: names, types, shapes and places of tensors

_TYPES = {"I16": torch.int16, "I32": torch.int32, "U8": torch.uint8, "F16": torch.float16}


class FolderModel(ABC):
    """A model that is a description and tensors: what its folder holds, and its hash is of."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What `model.json` states, but for the hash."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What `weights.safetensors` holds."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 over description and tensors, as hexadecimal digits."""
        return content_hash(self.description(), self.tensors())

    @property
    def file_id(self) -> bytes:
        """The part of the hash that stands in a file's header."""
        return bytes.fromhex(self.hash)[:HASH_BYTES]

    def save(self, folder: Path) -> None:
        """Write the two files into a folder that exists."""
        write_files(folder, self.description(), self.tensors())


def content_hash(description: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """SHA-256 of a canonical form of both, as hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


# JSON Schema takes 1.0 for an integer; Python's arithmetic does not.
_OfIntegers = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, it: type(it) is int
    ),
)


def check_schema(text: dict[str, Any], schema: dict[str, Any]) -> None:
    """Raise ValueError, in words that name the field, unless a description keeps to a schema."""
    if error := next(_OfIntegers(schema).iter_errors(text), None):
        field = error.json_path.removeprefix("$").removeprefix(".")
        reason = error.message
        if len(reason) > MAX_REASON:
            reason = f"{error.validator} must be {error.validator_value!r}"
        raise ValueError(f"{JSON_NAME}: {field}{': ' * bool(field)}{reason}")


def write_files(folder: Path, description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write the two files, the description with its hash."""
    stated = description | {"hash": content_hash(description, tensors)}
    (folder / WEIGHTS_NAME).write_bytes(to_safetensors(tensors))
    (folder / JSON_NAME).write_text(json.dumps(stated, indent=1) + "\n")


def save_model(model: FolderModel, folder: str | PathLike[str]) -> None:
    """Write a model to a folder; an old one in it is replaced when the new one is complete.

    Raises InputError if it cannot be written, or if what was written does not load.
    """
    folder = Path(folder)
    with (
        translate_os_errors(folder),
        TemporaryDirectory(prefix=".recvae-", suffix=".part", dir=folder.parent) as temporary,
    ):
        new = Path(temporary)
        model.save(new)
        load_model(new)
        folder.mkdir(exist_ok=True)
        for name in (WEIGHTS_NAME, JSON_NAME):
            with open(new / name, "r+b") as file:
                sync(file)
            put_in_place(new / name, folder / name, folder, force=True)


def read_tensors(path: Path, needed: Mapping[str, Spec]) -> dict[str, Tensor]:
    """The tensors in a safetensors file, by name.

    Raises ValueError, naming a tensor, unless they are just those `needed`; OSError if it cannot be
    read.
    """
    sizes = (dtype.itemsize * math.prod(shape) for dtype, shape in needed.values())
    data = read_bounded(path, sum(sizes) + MAX_HEADER_BYTES)
    try:
        given = {
            name: (_TYPES.get(entry["dtype"], entry["dtype"]), tuple(entry["shape"]))
            for name, entry in safetensors.deserialize(data)
        }
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path.name}: {error}") from error
    check_tensors(given, needed)
    return from_safetensors(data)
