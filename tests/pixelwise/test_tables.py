"""Functions as tables: what `math` computes, rounded."""

import math

import numpy as np
import pytest

from recvae.pixelwise import tables

TABLES = {
    tables.difference_table: (
        511,
        lambda i: math.copysign(44 * math.log1p(abs(i - 255) / 16), i - 255),
    ),
    tables.magnitude_table: (4081, lambda i: min(16 * math.log2(1 + i / 16), 127)),
    tables.weight_table: (3728, lambda i: 2**20 * math.exp(-i / 256)),
    tables.inverse_scale_table: (2177, lambda i: 2**12 / math.exp((i - 896) / 256)),
    tables.logistic_table: (2049, lambda i: 2**22 / (1 + math.exp((1024 - i) / 64))),
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_values(table) -> None:
    size, function = TABLES[table]
    exact = np.array([function(i) for i in range(size)])
    assert table().dtype == np.int32
    assert abs(table() - exact).max() <= 0.5 + 1e-6
    assert table() is table()
    with pytest.raises(ValueError, match="read-only"):
        table()[0] = 0


def test_symmetry() -> None:
    differences, logistic = tables.difference_table(), tables.logistic_table()
    np.testing.assert_array_equal(differences, -differences[::-1])
    assert set(logistic + logistic[::-1]) == {1 << 22}


def test_order_and_ends() -> None:
    """The logistic function is non-decreasing, so frequencies are never 0."""
    assert (np.diff(tables.logistic_table()) >= 0).all()
    assert (np.diff(tables.difference_table()) >= 0).all()
    assert (np.diff(tables.magnitude_table()) >= 0).all()
    assert (np.diff(tables.inverse_scale_table()) <= 0).all()
    assert (np.diff(tables.weight_table()) <= 0).all()
    assert tables.weight_table()[-1] == 0
    assert abs(tables.difference_table()).max() <= 127
    assert tables.magnitude_table().max() == 127
