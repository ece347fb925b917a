"""The two files of a model as they come from anywhere: read within bounds, and checked.

Nothing is allocated by what a file claims, only by the bytes it has, and it may not have more than
an honest one. `model_schema` says what `model.json` may hold.
"""

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from recvae.codec.models import JSON_NAME, MAX_REASON, read_object
from recvae.codec.vae.model_schema import model_schema
from recvae.vae.networks import NETWORKS

FORMAT = "recvae-model-1"


def read_description(folder: Path) -> dict[str, Any]:
    """What `model.json` states, the hash included.

    Raises ValueError, in words that name the field, unless it keeps to the schema; OSError if it
    cannot be read.
    """
    text = read_object(folder / JSON_NAME)
    if error := next(_validator(text).iter_errors(text), None):
        field = error.json_path.removeprefix("$").removeprefix(".")
        reason = error.message
        if len(reason) > MAX_REASON:
            reason = f"{error.validator} must be {error.validator_value!r}"
        raise ValueError(f"{JSON_NAME}: {field}{': ' * bool(field)}{reason}")
    return text


def _validator(text: dict[str, Any]) -> Validator:
    """That knows the network which is named, if it is registered."""
    architecture = text.get("architecture")
    name = architecture.get("name") if isinstance(architecture, dict) else None
    known = [name] if isinstance(name, str) and name in NETWORKS else []
    return _OfIntegers(model_schema(known))


# JSON Schema takes 1.0 for an integer; Python's arithmetic does not.
_OfIntegers = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, it: type(it) is int
    ),
)
