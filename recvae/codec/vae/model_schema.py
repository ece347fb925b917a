"""The JSON Schema of `model.json`; the arguments of networks come from the networks themselves.

`model.schema.json`, beside this module, covers the networks that ship. Only its part `architecture`
is generated; after a change of arguments

    python -c "from recvae.codec.vae import model_schema; model_schema.write()"

rewrites it.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recvae.vae.networks import NETWORKS, network_named
from recvae.vae.networks.architecture import SIZES
from recvae.vae.networks.arguments import argument_limits

PATH = Path(__file__).with_name("model.schema.json")
LINE = 100  # columns


def model_schema(names: Iterable[str]) -> dict[str, Any]:
    """The schema for the registered networks of these names."""
    schema = json.loads(PATH.read_text("utf-8"))
    schema["properties"]["architecture"] = _architecture_schema(names)
    return schema


def to_text(node: Any, indent: int = 0) -> str:
    """Format as JSON; whatever fits on one line is put on one line."""
    line = json.dumps(node)
    if not isinstance(node, dict | list) or indent + len(line) < LINE:
        return line
    inner = indent + 1
    if isinstance(node, dict):
        brackets = "{}"
        parts = [f"{json.dumps(name)}: {to_text(child, inner)}" for name, child in node.items()]
    else:
        brackets, parts = "[]", [to_text(child, inner) for child in node]
    lines = ",\n".join(" " * inner + part for part in parts)
    return f"{brackets[0]}\n{lines}\n{' ' * indent}{brackets[1]}"


def write() -> None:
    """Rewrite the file for all registered networks."""
    PATH.write_text(to_text(model_schema(NETWORKS)) + "\n", "utf-8")


def _architecture_schema(names: Iterable[str]) -> dict[str, Any]:
    sizes = {name: _integer(limits) for name, limits in SIZES.items()}
    properties = {
        "name": {"enum": list(NETWORKS)},
        **sizes,
        "encoder": {"type": "object"},
        "decoder": {"type": "object"},
    }
    chosen = [
        {"if": {"properties": {"name": {"const": name}}}, "then": _network_schema(name)}
        for name in names
    ]
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
        "allOf": chosen,
    }


def _network_schema(name: str) -> dict[str, Any]:
    network = network_named(name)
    sizes = zip(("height", "width"), network.size or (), strict=False)
    return {
        "properties": {
            **{side: {"const": size} for side, size in sizes},
            "encoder": _arguments_schema(network.encoder_arguments),
            "decoder": _arguments_schema(network.decoder_arguments),
        }
    }


def _arguments_schema(arguments: type[Any]) -> dict[str, Any]:
    properties = {name: _integer(limits) for name, limits in argument_limits(arguments).items()}
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _integer(limits: tuple[int, int]) -> dict[str, Any]:
    return {"type": "integer", "minimum": limits[0], "maximum": limits[1]}
