"""The kinds of models that `train.py` trains, as given by a config or a checkpoint."""

import argparse
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader, set_dumper, set_loader

from recvae.errors import InputError
from recvae.hierarchy.lightning import PictureVAE
from recvae.inr.lightning import PictureINR
from recvae.pixelwise.lightning import PixelPredictor
from recvae.vae.lightning import VAE
from recvae.vae.one_cycle import OneCycleModule

KINDS: dict[str, type[OneCycleModule]] = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (VAE, PictureVAE, PixelPredictor, PictureINR)
}
"""Kinds by the class path in a config; the first is the default."""

CONFIG_FORMAT = "training"  # YAML, whose model may have class_path and init_args


def kind_of_configs(arguments: Sequence[str]) -> type[OneCycleModule]:
    """Return the kind named by the last --config that names one; `InputError` if unknown.

    All other errors in a config are left to the parser.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config", "-c", action="append", default=[])
    named = next(iter(KINDS))
    for config in parser.parse_known_args(arguments)[0].config:
        try:
            options = get_loader("yaml")(Path(config).read_text())
        except (OSError, ValueError, yaml.YAMLError):
            continue
        for part in _parts(options):
            named = _class_path(part) or named
    if named not in KINDS:
        raise InputError(f"model.class_path is {named}: choose from {', '.join(KINDS)}")
    return KINDS[named]


def kind_of_checkpoint(hyper_parameters: Mapping[str, Any]) -> type[OneCycleModule]:
    """Return the kind that has arguments of these names; raise ValueError if none has."""
    for kind in KINDS.values():
        if hyper_parameters.keys() <= inspect.signature(kind).parameters.keys():
            return kind
    raise ValueError(f"no kind of model has the arguments {', '.join(hyper_parameters)}")


def use_configs_of(kind: type[OneCycleModule]) -> None:
    """Make parsers of `CONFIG_FORMAT` read and write configs of this kind.

    To the parser itself, the arguments of the kind are options of `model`; there is no class path.
    """
    load = get_loader("yaml")
    path = next(path for path, known in KINDS.items() if known is kind)
    set_loader(CONFIG_FORMAT, lambda text: _flat(load(text)), (yaml.YAMLError,))
    set_dumper(
        CONFIG_FORMAT, lambda options: yaml.safe_dump(_named(options, path), sort_keys=False)
    )


def _class_path(options: Any) -> str | None:
    model = options.get("model") if isinstance(options, Mapping) else None
    return model.get("class_path") if isinstance(model, Mapping) else None


def _parts(options: Any) -> list[Any]:
    """The options and those of each command: a config may be for one command or several."""
    return [options, *options.values()] if isinstance(options, Mapping) else []


def _flat(options: Any) -> Any:
    """Turn `init_args` of the model into options of the model."""
    for part in _parts(options):
        model = part.get("model") if isinstance(part, dict) else None
        if isinstance(model, dict) and (model.pop("class_path", None) or "init_args" in model):
            model |= model.pop("init_args", None) or {}
    return options


def _named(options: Any, class_path: str) -> Any:
    """Inverse of `_flat`."""
    for part in _parts(options):
        if isinstance(part, dict) and "model" in part:
            part["model"] = {"class_path": class_path, "init_args": part["model"]}
    return options
