"""Reduces waiting for a GPU, since every copy and every read of a value waits."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=1024)
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A read-only tensor (n,) of numbers, made once for each device."""
    with torch.inference_mode(False):  # tensors made in that mode cannot take part in gradients
        return torch.tensor(values, dtype=dtype, device=device)


def all_hold(*conditions: Tensor) -> list[bool]:
    """Whether each condition holds for all of its elements, waiting only once."""
    return torch.stack([condition.all() for condition in conditions]).tolist()


def to_cpu(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Copy tensors of one dtype and device to the CPU at once."""
    if all(tensor.device.type == "cpu" for tensor in tensors):
        return list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in tensors]).cpu()
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
