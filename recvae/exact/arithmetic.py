"""Integers carried in floating-point tensors: when float matrix products are exact.

A sum of integers is exact in float32, in any order, with or without fused multiply-add, as long as
no partial sum can exceed 2^24 in magnitude (2^53 in float64). So a product of integer matrices on
any BLAS, device, batch size or thread count gives the same bits once

    sum_k |w_k| * max|a| + |bias| <= 2^24        for every output

holds. This is the certificate of `recvae.exact.layers`; this module provides its parts.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor

from recvae.threads import use_one_thread_after_fork

FLOAT32_EXACT = 1 << 24

_LOCK = Lock()
_SAVED: dict[Any, Any] = {}
_users: list[int] = []  # their threads


@dataclass(frozen=True)
class FixedPoint:
    """The numbers between the layers of an exact network: k * 2^-fraction_bits, |k| <= limit.

    Fields:
        fraction_bits: binary digits after the point.
        magnitude_bits: binary digits of the magnitude; limit = 2^magnitude_bits - 1.
    """

    fraction_bits: int = 7
    magnitude_bits: int = 12

    def __post_init__(self) -> None:
        if not 1 <= self.fraction_bits <= 16:
            raise ValueError(f"fraction_bits is {self.fraction_bits}; allowed: 1 to 16")
        if not self.fraction_bits <= self.magnitude_bits <= 20:
            raise ValueError(
                f"magnitude_bits is {self.magnitude_bits}; allowed: {self.fraction_bits} to 20"
            )

    @property
    def one(self) -> int:
        """The integer that represents 1."""
        return 1 << self.fraction_bits

    @property
    def limit(self) -> int:
        """The largest integer."""
        return (1 << self.magnitude_bits) - 1

    def from_prior(self, z: Tensor, fraction_bits: int) -> Tensor:
        """Round latents in units of 2^-fraction_bits, int64, to this format, as float32."""
        shift = fraction_bits - self.fraction_bits
        rounded = (z + (1 << (shift - 1))) >> shift
        return rounded.clamp(-self.limit, self.limit).to(torch.float32)


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Keep torch from replacing float32 products by coarser ones (TF32, bfloat16, autocast)."""
    use_one_thread_after_fork()
    with (
        _full_precision_products(),
        torch.inference_mode(),
        torch.autocast("cpu", enabled=False),
        torch.autocast("cuda", enabled=False),
    ):
        yield


@contextmanager
def _full_precision_products() -> Iterator[None]:
    # torch has two interfaces for one process-wide setting, and reading through the older one fails
    # if a program has used the newer. Nested or concurrent users all set the same values; the last
    # to leave restores the original.
    with _LOCK:
        if not _users:
            _SAVED.clear()
            try:
                _SAVED["precision"] = torch.get_float32_matmul_precision()
                torch.set_float32_matmul_precision("highest")
            except RuntimeError:
                mkldnn = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
                for backend in (torch.backends.cuda.matmul, mkldnn):
                    _SAVED[backend] = backend.fp32_precision
                    backend.fp32_precision = "ieee"
        _users.append(get_ident())
    try:
        yield
    finally:
        with _LOCK:
            _users.remove(get_ident())
            _restore_after_last()


def _restore_after_last() -> None:
    if _users:
        return
    for place, value in _SAVED.items():
        if place == "precision":
            torch.set_float32_matmul_precision(value)
        else:
            place.fp32_precision = value
    _SAVED.clear()


def _leave_other_threads_behind() -> None:
    """Drop other threads in a forked process, which has only the one that forked."""
    _users[:] = [thread for thread in _users if thread == get_ident()]
    _restore_after_last()
    _LOCK.release()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_LOCK.acquire,
        after_in_parent=_LOCK.release,
        after_in_child=_leave_other_threads_behind,
    )
