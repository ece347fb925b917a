"""Finds and loads models: those that ship, by name, and those in a folder."""

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from recvae.codec.container import Header
from recvae.codec.image_coder import IMAGE_CODERS, ImageCoder, loader_of
from recvae.errors import InputError
from recvae.images.spec import ImageSpec

JSON_NAME = "model.json"
DIGITS_MODEL, THUMBNAILS_MODEL, PICTURES_MODEL = "mnist-vae", "thumbnails", "photos"
DIGITS_SHAPE = (28, 28)
MAX_THUMBNAIL_SIDE = 64
PRETRAINED = Path(__file__).parent.parent / "pretrained"
MAX_JSON_BYTES = 1 << 18
MAX_REASON = 200  # characters


def load_model(name_or_folder: str | PathLike[str]) -> ImageCoder:
    """Load a shipped model, by name, or one in a folder. Raises InputError if it cannot be used.

    The `format` in its `model.json` selects the image coder that loads it.
    """
    folder = _find(name_or_folder)
    with _telling(folder):
        format_name = read_object(folder / JSON_NAME).get("format")
        if not isinstance(format_name, str) or format_name not in IMAGE_CODERS:
            found, known = repr(format_name)[:MAX_REASON], " or ".join(map(repr, IMAGE_CODERS))
            raise ValueError(f"{JSON_NAME}: its format is {found}, this program reads {known}")
        return loader_of(format_name)(folder)


def lossless_models(specs: Iterable[ImageSpec]) -> tuple[str, ...]:
    """The shipped lossless models for images of these specs: one, or several worth trying."""
    found = set(specs)
    if all(spec.shape == DIGITS_SHAPE for spec in found):
        return DIGITS_MODEL, THUMBNAILS_MODEL, PICTURES_MODEL
    if all(max(spec.height, spec.width) <= MAX_THUMBNAIL_SIDE for spec in found):
        return THUMBNAILS_MODEL, PICTURES_MODEL
    return (PICTURES_MODEL,)


def shipped_models(format_name: str | None = None) -> dict[str, Path]:
    """The models that come with the package, by name; all, or those of one `format`."""
    return {
        path.parent.name: path.parent
        for path in sorted(PRETRAINED.glob(f"*/{JSON_NAME}"))
        if format_name is None or read_object(path)["format"] == format_name
    }


def shipped_model_name(file_id: bytes) -> str | None:
    """The name of the shipped model with this hash, or None."""
    for name, folder in shipped_models().items():
        if str(read_object(folder / JSON_NAME).get("hash", "")).startswith(file_id.hex()):
            return name
    return None


def shipped_model_for(header: Header, name: str) -> str:
    """The shipped model that the file `name` was made with; InputError if it is not one."""
    if model := shipped_model_name(header.model_hash):
        return model
    raise InputError(
        f"{name}: made with a model that does not ship (hash {header.model_hash.hex()}): "
        "pass its folder by --model"
    )


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; ValueError unless it is plain, unambiguous JSON.

    Raises RecursionError if it is nested too deeply.
    """
    data = read_bounded(path, MAX_JSON_BYTES)
    try:
        text = json.loads(
            data.decode(),
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_number,
            parse_float=_finite,
        )
    except ValueError as error:  # invalid JSON or UTF-8, or an integer with thousands of digits
        raise ValueError(f"{path.name}: {error}") from error
    if not isinstance(text, dict):
        raise ValueError(f"{path.name} does not hold an object")
    return text


def read_bounded(path: Path, limit: int) -> bytes:
    """A file of at most `limit` bytes; ValueError if it is larger or not a regular file."""
    if not path.is_file():  # a pipe or a device may have no end
        raise ValueError(f"{path.name} is missing or not a regular file")
    with path.open("rb") as file:  # read(n) allocates n bytes at once
        data = file.read(min(limit, path.stat().st_size) + 1)
    if len(data) > limit:
        raise ValueError(f"{path.name} is larger than {limit} bytes, the most this model can need")
    return data


def _find(name_or_folder: str | PathLike[str]) -> Path:
    name, shipped, folder = os.fspath(name_or_folder), shipped_models(), Path(name_or_folder)
    if isinstance(name_or_folder, str) or not os.path.isfile(folder / JSON_NAME):
        folder = shipped.get(name, folder)
    # isfile is False for names that are not valid file names.
    if not name or not os.path.isfile(folder / JSON_NAME):
        raise InputError(
            f"no model {name!r}: pass one of {', '.join(shipped)} "
            f"or a folder that holds {JSON_NAME} and weights.safetensors"
        )
    return folder


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    """Turn errors of loading a model into an InputError that names its folder."""
    try:
        yield
    except OSError as error:
        raise InputError(f"model {folder}: cannot be read ({error.strerror or error})") from error
    except RecursionError as error:  # from json, reading or writing
        raise InputError(f"model {folder}: {JSON_NAME} is nested too deeply") from error
    except ValueError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"model {folder}: {reason}") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in fields if names.count(name) > 1)
        raise ValueError(f"field {double!r} occurs twice")
    return fields


def _refuse_number(literal: str) -> None:
    raise ValueError(f"{literal} is not a JSON number")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"{literal[:20]} is too large")
    return number
