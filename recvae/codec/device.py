"""Where networks run."""

from typing import TYPE_CHECKING

from recvae.codec.image_coder import ImageCoder
from recvae.errors import InputError

if TYPE_CHECKING:
    import torch


def on_device(coder: ImageCoder, name: str) -> ImageCoder:
    """The coder, moved to the device "cpu", "cuda" or "auto", cuda where there is one.

    Imports torch only for a coder that is not for the CPU alone. Raises InputError if there is no
    such device, or none for this coder.
    """
    if name not in ("cpu", "cuda", "auto"):
        raise InputError(f"device is {name!r}: choose cpu, cuda or auto")
    if not coder.cpu_only:
        return coder.to(_find(name))
    if name == "cuda":
        raise InputError(
            f"device is 'cuda', but model {coder.name!r} runs on the CPU only: choose cpu or auto"
        )
    return coder


def _find(name: str) -> "torch.device":
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    elif name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is 'cuda', but torch finds no GPU here: choose cpu or auto")
    return torch.device(name)
