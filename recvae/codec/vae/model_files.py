"""The two files of a model as they come from anywhere: read within bounds, and checked.

Nothing is allocated by what a file claims, only by the bytes it has, and it may not have more than
an honest one. `model.schema.json`, beside this module, says what `model.json` may hold.
"""

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import safetensors
import torch
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from safetensors.torch import load as from_safetensors
from torch import Tensor

from recvae.vae.quantise import Spec, check_tensors

FORMAT = "recvae-model-1"
JSON_NAME, WEIGHTS_NAME = "model.json", "weights.safetensors"
MAX_JSON_BYTES = 1 << 18
MAX_HEADER_BYTES = 1 << 20  # of weights.safetensors: names, types, shapes and places of tensors
MAX_REASON = 200  # characters

_TYPES = {"I16": torch.int16, "I32": torch.int32, "U8": torch.uint8, "F16": torch.float16}


def read_description(folder: Path) -> dict[str, Any]:
    """What `model.json` states, the hash included.

    Raises ValueError, in words that name the field, unless it keeps to the schema; OSError if it
    cannot be read.
    """
    text = read_object(folder / JSON_NAME)
    if text.get("format") != FORMAT:
        found = repr(text.get("format"))[:MAX_REASON]
        raise ValueError(f"{JSON_NAME}: its format is {found}, this program reads {FORMAT!r}")
    if error := next(_validator().iter_errors(text), None):
        field = error.json_path.removeprefix("$").removeprefix(".")
        reason = error.message
        if len(reason) > MAX_REASON:
            reason = f"{error.validator} must be {error.validator_value!r}"
        raise ValueError(f"{JSON_NAME}: {field}{': ' * bool(field)}{reason}")
    return text


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; ValueError unless it is plain JSON that means one thing.

    RecursionError if it is nested too deep.
    """
    data = _read(path, MAX_JSON_BYTES)
    try:
        text = json.loads(
            data.decode(),
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
    except ValueError as error:  # of JSON, of UTF-8, of integers with thousands of digits
        raise ValueError(f"{path.name}: {error}") from error
    if not isinstance(text, dict):
        raise ValueError(f"{path.name} holds no object")
    return text


def read_tensors(path: Path, needed: Mapping[str, Spec]) -> dict[str, Tensor]:
    """The tensors in a safetensors file, by name.

    Raises ValueError, naming a tensor, unless they are just those `needed`; OSError if it cannot be
    read.
    """
    sizes = (dtype.itemsize * math.prod(shape) for dtype, shape in needed.values())
    data = _read(path, sum(sizes) + MAX_HEADER_BYTES)
    try:
        given = {
            name: (_TYPES.get(entry["dtype"], entry["dtype"]), tuple(entry["shape"]))
            for name, entry in safetensors.deserialize(data)
        }
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path.name}: {error}") from error
    check_tensors(given, needed)
    return from_safetensors(data)


def _read(path: Path, limit: int) -> bytes:
    if not path.is_file():  # a pipe or a device may have no end
        raise ValueError(f"{path.name} is missing, or no regular file")
    with path.open("rb") as file:  # which allocates at once what it is to read
        data = file.read(min(limit, path.stat().st_size) + 1)
    if len(data) > limit:
        raise ValueError(
            f"{path.name} is larger than {limit} bytes, the most that this model needs"
        )
    return data


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in fields if names.count(name) > 1)
        raise ValueError(f"field {double!r} occurs twice")
    return fields


def _refuse_number(literal: str) -> None:
    raise ValueError(f"{literal} is no number of JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"{literal[:20]} is too large a number")
    return number


@cache
def _validator() -> Validator:
    schema = json.loads(files(__package__).joinpath("model.schema.json").read_text("utf-8"))
    # JSON Schema takes 1.0 for an integer; Python's arithmetic does not.
    integer = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, it: type(it) is int)
    return extend(Draft202012Validator, type_checker=integer)(schema)
