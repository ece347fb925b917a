"""Checkpoints of `train.py fit`: finding, reading, and writing whole or not at all."""

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from recvae.errors import InputError
from recvae.files import atomic_file, translate_os_errors
from recvae.training.kinds import kind_of_checkpoint
from recvae.vae.one_cycle import OneCycleModule

NEWEST = ("last", "best")  # for --ckpt_path: the newest file of that name


def find_newest(name: str, runs: Path) -> str:
    """Return the newest checkpoint `name` among the runs in a folder."""
    found = [*runs.glob(f"checkpoints/{name}.ckpt"), *runs.glob(f"*/checkpoints/{name}.ckpt")]
    if not found:
        raise InputError(
            f"{runs}: no run there has checkpoints/{name}.ckpt: pass a file to --ckpt_path, "
            f"or omit it to start over"
        )
    return str(max(found, key=os.path.getmtime))


def read_checkpoint(path: str) -> tuple[OneCycleModule, dict[str, Any]]:
    """Read a checkpoint: its module, not compiled, and all its contents."""
    try:
        # Plain data and tensors: no other class is unpickled.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        kind = kind_of_checkpoint(checkpoint["hyper_parameters"])
        module = kind(**checkpoint["hyper_parameters"] | {"compile": False})
        module.load_state_dict(checkpoint["state_dict"])
    except Exception as error:  # torch.load may raise anything on damage
        if isinstance(error, OSError) and error.filename:  # opening failed
            raise InputError(f"{path}: {error.strerror}") from error
        reason = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
        raise InputError(f"{path}: not a checkpoint of `train.py fit` ({reason})") from error
    return module, checkpoint


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all; until then the previous one of that name stays."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write the checkpoint; raise `InputError` for a system error."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with translate_os_errors(path):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path, force=True) as file:
            file.write(content.getbuffer())
