"""Frequencies: against Python integers, on hostile logits, and near the true softmax."""

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recvae.exact import TOTAL, frequencies
from recvae.exact.frequencies import exponential_table


def reference(logits: list[int], table: list[int]) -> list[int]:
    """The formula of the module in Python integers."""
    n, top = len(logits), max(logits)
    weights = [table[min(top - logit, len(table) - 1)] for logit in logits]
    counts = [1 + w * (TOTAL - n) // sum(weights) for w in weights]
    counts[0] += TOTAL - sum(counts)
    return counts


@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.sampled_from([2, 5, 251, 256]),
    spread=st.sampled_from([0, 3, 300, 4095, 300_000]),
    fraction_bits=st.sampled_from([6, 7, 9]),
)
@settings(deadline=None, max_examples=60)
def test_integer_formula(seed: int, classes: int, spread: int, fraction_bits: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.integers(-spread, spread + 1, (8, classes))
    table = [int(entry) for entry in exponential_table(fraction_bits)]
    for dtype in (torch.float32, torch.float64, torch.int64):
        counts = frequencies(torch.from_numpy(logits).to(dtype), fraction_bits)
        assert counts.dtype == torch.int32
        assert counts.tolist() == [reference(row, table) for row in logits.tolist()]
    assert (counts >= 1).all()
    assert (counts.sum(1) == TOTAL).all()


@pytest.mark.parametrize("fraction_bits", [1, 7, 9])
def test_table_is_the_exponential(fraction_bits: int) -> None:
    mpmath.mp.dps = 40
    table = exponential_table(fraction_bits)
    for i, entry in enumerate(table.tolist()):
        exact = mpmath.exp(-mpmath.mpf(i) / (1 << fraction_bits)) * (1 << 20)
        assert int(entry) == int(mpmath.floor(exact))
    assert table[-1] == 0
    assert table[-2] > 0


def test_near_softmax() -> None:
    """The rate lost to tables and rounding is below 1e-4 bits a symbol."""
    torch.manual_seed(0)
    logits = torch.randn(500, 251, dtype=torch.float64) * 3
    exact = torch.softmax(torch.round(logits * 128) / 128, dim=1)
    coded = frequencies(torch.round(logits * 128), 7).double() / TOTAL
    lost = (exact * (exact.log2() - coded.log2())).sum(1)
    assert lost.abs().max() < 1e-4


def test_edges() -> None:
    assert frequencies(torch.zeros(0, 7), 7).shape == (0, 7)
    assert frequencies(torch.tensor([[0.0, -9e6]]), 7).tolist() == [[TOTAL - 1, 1]]
    for classes in (1, 257):
        with pytest.raises(ValueError, match="classes"):
            frequencies(torch.zeros(1, classes), 7)
