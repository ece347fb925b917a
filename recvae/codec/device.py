"""Where networks run."""

import torch

from recvae.errors import InputError


def find_device(name: str) -> torch.device:
    """The device "cpu", "cuda" or "auto", cuda where there is one; InputError if there is none."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise InputError(f"device is {name!r}: choose cpu, cuda or auto")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is 'cuda', but torch finds no GPU here: choose cpu or auto")
    return torch.device(name)
