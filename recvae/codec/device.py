"""The device of the networks, and smaller batches when its memory is short."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from recvae.codec.image_coder import ImageCoder
from recvae.errors import InputError, is_out_of_memory

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

SMALLEST_GPU_BATCH = 64
"""Smaller batches do not repay a GPU's start; a guess, since no GPU has been measured yet."""


class Parts:
    """Processes batches, in parts if a GPU has too little memory for a whole one.

    A size that did not fit is not tried again: later batches are cut as small from the start.
    """

    def __init__(self) -> None:
        self._most: int | None = None

    def __call__(self, work: Callable[[slice], T], count: int, unit: int = 1) -> Iterator[T]:
        """Apply `work` to consecutive slices that cover 0 .. count - 1; yield the results.

        Slices are multiples of `unit`, except the last. If the memory does not suffice for one
        unit, torch's error is raised.
        """
        done = 0
        while done < count:
            size = min(self._most or count, count - done)
            try:
                result = work(slice(done, done + size))
            except RuntimeError as error:
                if size <= unit or not is_out_of_memory(error):
                    raise
                self._most = -(-size // unit) // 2 * unit
            else:
                done += size
                yield result


def on_device(coder: ImageCoder, name: str, batch_size: int) -> ImageCoder:
    """The coder, moved to the device "cpu", "cuda" or "auto".

    "auto" is cuda if available, for batches of `SMALLEST_GPU_BATCH` images or more. Imports torch
    only for a coder that is not CPU-only. Raises InputError if there is no such device, or none for
    this coder.
    """
    if name not in ("cpu", "cuda", "auto"):
        raise InputError(f"device is {name!r}: choose cpu, cuda or auto")
    if not coder.cpu_only:
        return coder.to(_find(name, batch_size))
    if name == "cuda":
        raise InputError(
            f"device is 'cuda', but model {coder.name!r} runs on the CPU only: choose cpu or auto"
        )
    return coder


def _find(name: str, batch_size: int) -> "torch.device":
    import torch

    if name == "auto":
        worth_it = batch_size >= SMALLEST_GPU_BATCH and torch.cuda.is_available()
        name = "cuda" if worth_it else "cpu"
    elif name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is 'cuda', but torch finds no GPU here: choose cpu or auto")
    return torch.device(name)
