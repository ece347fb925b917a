"""The two files of a model, `model.json` and `weights.safetensors`: hashed, written, read."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache, cached_property
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import safetensors
from numpy.typing import DTypeLike, NDArray
from safetensors.numpy import save as to_safetensors

from recvae.codec.models import JSON_NAME, MAX_REASON, load_model, read_bounded
from recvae.files import translate_os_errors
from recvae.files.atomic import put_in_place, sync
from recvae.tensors import check_tensors

WEIGHTS_NAME = "weights.safetensors"
HASH_BYTES = 16  # of the SHA-256, in a file's header
MAX_HEADER_BYTES = 1 << 20  # of weights.safetensors: names, types, shapes and offsets of tensors

Tensors: TypeAlias = Mapping[str, NDArray[Any]]
Spec: TypeAlias = tuple[DTypeLike, tuple[int, ...]]
"""Type and shape of a tensor."""

_TYPES: dict[str, type[np.generic]] = {
    "I8": np.int8, "I16": np.int16, "I32": np.int32, "U8": np.uint8, "F16": np.float16,
}  # fmt: skip


class FolderModel(ABC):
    """A model of a description and tensors, which its folder holds and its hash covers."""

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """The contents of `model.json` without the hash."""

    @abstractmethod
    def tensors(self) -> Tensors:
        """The contents of `weights.safetensors`."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 over description and tensors, as hexadecimal digits."""
        return content_hash(self.description(), self.tensors())

    @property
    def file_id(self) -> bytes:
        """The part of the hash in a file's header."""
        return bytes.fromhex(self.hash)[:HASH_BYTES]

    def save(self, folder: Path) -> None:
        """Write the two files into an existing folder."""
        write_files(folder, self.description(), self.tensors())


def content_hash(description: dict[str, Any], tensors: Tensors) -> str:
    """SHA-256 of a canonical form of both, as hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {_type_name(tensor.dtype)} {tensor.shape}\n".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def _type_name(dtype: DTypeLike) -> str:
    """The name of a type as torch prints it, which hashes cover."""
    return f"torch.{np.dtype(dtype)}"


def check_schema(text: dict[str, Any], schema: dict[str, Any]) -> None:
    """Raise ValueError, naming the field, unless a description keeps to a schema."""
    if error := next(_validator()(schema).iter_errors(text), None):
        field = error.json_path.removeprefix("$").removeprefix(".")
        reason = error.message
        if len(reason) > MAX_REASON:
            reason = f"{error.validator} must be {error.validator_value!r}"
        raise ValueError(f"{JSON_NAME}: {field}{': ' * bool(field)}{reason}")


@cache
def _validator() -> Any:
    """JSON Schema's validator, except that 1.0 is not an integer: in Python it is not."""
    from jsonschema import Draft202012Validator  # imported here: not every coder has a schema
    from jsonschema.validators import extend

    checker = Draft202012Validator.TYPE_CHECKER
    integers = checker.redefine("integer", lambda _, it: type(it) is int)
    return extend(Draft202012Validator, type_checker=integers)


def write_files(folder: Path, description: dict[str, Any], tensors: Tensors) -> None:
    """Write the two files, the description with its hash."""
    stated = description | {"hash": content_hash(description, tensors)}
    rows = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    (folder / WEIGHTS_NAME).write_bytes(to_safetensors(rows))  # which copies memory as it is
    (folder / JSON_NAME).write_text(json.dumps(stated, indent=1) + "\n")


def save_model(model: FolderModel, folder: str | PathLike[str]) -> None:
    """Write a model to a folder; an old one there is replaced when the new one is complete.

    Raises InputError if it cannot be written or does not load afterwards.
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


def read_tensors(path: Path, needed: Mapping[str, Spec]) -> dict[str, NDArray[Any]]:
    """Read the tensors of a safetensors file, by name.

    Raises ValueError, naming a tensor, unless they are exactly those `needed`; OSError if the file
    cannot be read.
    """
    sizes = (np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in needed.values())
    data = read_bounded(path, sum(sizes) + MAX_HEADER_BYTES)
    try:
        given = dict(safetensors.deserialize(data))
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path.name}: {error}") from error
    names = {kind: _type_name(dtype) for kind, dtype in _TYPES.items()}
    check_tensors(
        {
            name: (names.get(entry["dtype"], entry["dtype"]), tuple(entry["shape"]))
            for name, entry in given.items()
        },
        {name: (_type_name(dtype), shape) for name, (dtype, shape) in needed.items()},
    )
    return {
        name: np.frombuffer(given[name]["data"], dtype).reshape(shape)
        for name, (dtype, shape) in needed.items()
    }
