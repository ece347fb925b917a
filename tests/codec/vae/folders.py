"""Maliciously changed model folders, which must be refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import save_file

from recvae.codec import load_model
from recvae.codec.model_folder import content_hash
from recvae.errors import InputError

JSON, WEIGHTS = "model.json", "weights.safetensors"


def refused(folder: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_model(folder)
    assert str(caught.value).startswith(f"model {folder}: ")
    assert str(caught.value).isprintable()


def rewrite(folder: Path, change: Callable[[dict], object], tensors: dict | None = None) -> None:
    """Change a model and correct its hash, as an attacker would."""
    text = json.loads((folder / JSON).read_text())
    if tensors is not None:
        save_file(tensors, folder / WEIGHTS)
    change(text)
    expected = text.pop("hash", None)
    if expected is not None:
        text["hash"] = content_hash(text, load_arrays(folder / WEIGHTS))
    (folder / JSON).write_text(json.dumps(text))


def setting(path: str, value: Any) -> Callable[[dict], None]:
    """A change of one field; the path is like the one in the message."""

    def change(text: dict) -> None:
        node: Any = text
        *parents, last = path.replace("[0]", ".0").split(".")
        for key in parents:
            node = node[int(key) if key.isdigit() else key]
        node[int(last) if last.isdigit() else last] = value

    return change
