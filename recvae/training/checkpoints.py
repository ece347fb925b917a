"""Checkpoints of `train.py fit`: found, read, compared with the model that is to take them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from recvae.errors import InputError
from recvae.vae.lightning import VAE

NEWEST = ("last", "best")  # names for --ckpt_path: the newest file that is called so


def find_newest(name: str, runs: Path) -> str:
    """Path of the newest checkpoint `name` of the runs in a folder."""
    found = [*runs.glob(f"checkpoints/{name}.ckpt"), *runs.glob(f"*/checkpoints/{name}.ckpt")]
    if not found:
        raise InputError(
            f"{runs}: no run there has checkpoints/{name}.ckpt: pass the file to --ckpt_path, "
            f"or leave it out to begin anew"
        )
    return str(max(found, key=os.path.getmtime))


def read_checkpoint(path: str) -> tuple[VAE, dict[str, Any]]:
    """The VAE of a checkpoint, not compiled, and all else that it holds."""
    try:
        # Plain data and tensors: no other class is unpickled.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        vae = VAE(**checkpoint["hyper_parameters"] | {"compile": False})
        vae.load_state_dict(checkpoint["state_dict"])
    except Exception as error:  # torch.load meets damage with whatever it stumbles over
        if isinstance(error, OSError) and error.filename:  # it was not opened
            raise InputError(f"{path}: {error.strerror}") from error
        reason = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
        raise InputError(f"{path}: not a checkpoint of `train.py fit` ({reason})") from error
    return vae, checkpoint


def num_epochs(checkpoint: dict[str, Any]) -> int:
    """How many epochs Lightning counts as trained; one that max_steps cut short is one."""
    return checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]


def check_same_options(model: VAE, trained: VAE, path: str) -> None:
    """Refuse other options than those of the checkpoint: training would not take them all up."""
    options = dict(_flat(model.hparams))
    for name, value in _flat(trained.hparams):
        if name != "compile" and options.get(name) != value:
            raise InputError(
                f"{path}: trained with model.{name} {value}, not {options.get(name)}: "
                f"pass the configuration that it was trained with"
            )


def _flat(options: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
