"""The two files of a model as they come from anywhere: read within bounds, and checked.

Nothing is allocated by what a file claims, only by the bytes it has, and it may not have more than
an honest one. `model_schema` says what `model.json` may hold.
"""

from pathlib import Path
from typing import Any

from recvae.codec.model_folder import check_schema
from recvae.codec.models import JSON_NAME, read_object
from recvae.codec.vae.model_schema import model_schema
from recvae.vae.networks import NETWORKS

FORMAT = "recvae-model-1"


def read_description(folder: Path) -> dict[str, Any]:
    """What `model.json` states, the hash included.

    Raises ValueError, in words that name the field, unless it keeps to the schema; OSError if it
    cannot be read.
    """
    text = read_object(folder / JSON_NAME)
    architecture = text.get("architecture")
    name = architecture.get("name") if isinstance(architecture, dict) else None
    known = [name] if isinstance(name, str) and name in NETWORKS else []
    check_schema(text, model_schema(known))
    return text
