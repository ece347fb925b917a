"""Logits to the integer frequencies of an entropy coder, the same on every machine.

With logits l_k in units of 2^-fraction_bits nats,

    w_k = floor(2^20 * exp(-(max l - l_k) * 2^-fraction_bits))         from a table
    f_k = 1 + floor(w_k * (2^24 - n) / sum w),    f_0 += 2^24 - sum f

so that every class has at least frequency 1 and they sum to 2^24; the rounding error given to
class 0 is less than n, negligible beside 2^24. The quotients are below 2^24 and the divisor below
2^29, so float64 division followed by floor is the exact integer division.
"""

from decimal import Context, Decimal
from functools import cache

import torch
from torch import Tensor

PRECISION_BITS = 24
TOTAL = 1 << PRECISION_BITS
WEIGHT_BITS = 20
MAX_CLASSES = 256


@cache
def exponential_table(fraction_bits: int) -> Tensor:
    """floor(2^20 * exp(-i * 2^-fraction_bits)) for i = 0, 1, ... until it is 0; float64.

    `decimal` rounds exp correctly, so the table is the same everywhere, which libm's is not.
    """
    context = Context(prec=40)
    entries: list[int] = []
    step = Decimal(1) / (1 << fraction_bits)
    while not entries or entries[-1] > 0:
        power = context.exp(context.multiply(step, -len(entries)))
        entries.append(int(context.multiply(power, 1 << WEIGHT_BITS)))
    return torch.tensor(entries, dtype=torch.float64)


@cache
def _table_on(fraction_bits: int, device: torch.device) -> Tensor:
    return exponential_table(fraction_bits).to(device)


def frequencies(logits: Tensor, fraction_bits: int) -> Tensor:
    """Frequencies of a categorical law.

    Args:
        logits: (n, classes), integers in units of 2^-fraction_bits nats in any dtype, 2 to 256
            classes.
        fraction_bits: the unit.

    Returns:
        (n, classes) int32, each at least 1, every row summing to 2^24.
    """
    classes = logits.shape[1]
    if not 2 <= classes <= MAX_CLASSES:
        raise ValueError(f"logits have {classes} classes; allowed: 2 to {MAX_CLASSES}")
    if len(logits) == 0:
        return torch.zeros(0, classes, dtype=torch.int32, device=logits.device)
    table = _table_on(fraction_bits, logits.device)
    below = (logits.amax(dim=1, keepdim=True) - logits).clamp_(max=len(table) - 1).int()
    weights = table.index_select(0, below.flatten()).reshape(below.shape)
    total = weights.sum(dim=1, keepdim=True)
    counts = weights.mul_(TOTAL - classes).div_(total).floor_().int().add_(1)
    counts[:, 0] += TOTAL - counts.sum(dim=1, dtype=torch.int32)
    return counts
