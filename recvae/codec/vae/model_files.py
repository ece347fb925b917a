"""Reads the two files of an untrusted model within bounds, and checks them.

No allocation trusts a size that a file states: memory follows the bytes it has, which are limited
to those of a genuine model. `model_schema` defines what `model.json` may hold.
"""

from pathlib import Path
from typing import Any

from recvae.codec.model_folder import check_schema
from recvae.codec.models import JSON_NAME, read_object
from recvae.codec.vae.model_schema import model_schema
from recvae.vae.networks import NETWORKS

FORMAT = "recvae-model-1"


def read_description(folder: Path) -> dict[str, Any]:
    """Read `model.json`, the hash included.

    Raises ValueError, with a message that names the field, unless it keeps to the schema; OSError
    if it cannot be read.
    """
    text = read_object(folder / JSON_NAME)
    architecture = text.get("architecture")
    name = architecture.get("name") if isinstance(architecture, dict) else None
    known = [name] if isinstance(name, str) and name in NETWORKS else []
    check_schema(text, model_schema(known))
    return text
