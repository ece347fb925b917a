"""Waiting for a GPU as seldom as can be: each copy and each answer is waited for."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=1024)
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers as a tensor (n,), made once for each device; nobody may write to it."""
    with torch.inference_mode(False):  # what is made in that mode takes part in no gradient
        return torch.tensor(values, dtype=dtype, device=device)


def all_hold(*conditions: Tensor) -> list[bool]:
    """Whether each holds for all of its elements: one answer to wait for."""
    return torch.stack([condition.all() for condition in conditions]).tolist()


def to_cpu(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of one type and device, on the CPU: by one copy."""
    if all(tensor.device.type == "cpu" for tensor in tensors):
        return list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in tensors]).cpu()
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
