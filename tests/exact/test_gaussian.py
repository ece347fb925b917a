import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st

from recvae.exact import gaussian
from recvae.exact.build_gaussian_table import NUM_ENTRIES, entry_value
from recvae.exact.gaussian import FRACTION_BITS, gaussian_table, quantile, to_float

TABLE_SHA256 = "d04ef9842955d73fdf4ef778d6ecc72659cf0f56360d4625d531ed410165589f"
LAST = (1 << 32) - 1


def positions() -> np.ndarray:
    """Positions from all octaves equally, the ends, and both sides of powers of two; sorted."""
    rng = np.random.default_rng(0)
    tails = np.concatenate(
        [
            (2.0 ** rng.uniform(0, 31, 200_000)).astype(np.int64),
            rng.integers(0, 1 << 31, 200_000),
            np.arange(5000),
            *(2 ** np.arange(31) + offset for offset in (-1, 0, 1)),
        ]
    )
    return np.unique(np.concatenate([tails, LAST - tails]))


def test_table_file_is_the_pinned_one():
    path = Path(gaussian.__file__).with_name("gaussian_table.npy")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == TABLE_SHA256


def test_entries_are_what_mpmath_says():
    table = gaussian_table()
    assert table.dtype == np.int32
    assert len(table) == NUM_ENTRIES == 8193
    with pytest.raises(ValueError, match="read-only"):  # it is shared
        table[0] = 0
    for entry in [0, 1, 255, 256, *range(300, 8193, 311), 8191, 8192]:
        assert table[entry] == entry_value(entry)


def test_quantile_is_within_its_error_of_the_true_one():
    v = positions()
    z = quantile(torch.from_numpy(v)).numpy() * 2.0**-FRACTION_BITS
    assert np.abs(z - scipy.special.ndtri((v + 0.5) / 2.0**32)).max() < 2.0**-20


def test_quantile_is_monotone_and_symmetric():
    v = torch.from_numpy(positions())
    z = quantile(v)
    assert (z.diff() >= 0).all()
    assert torch.equal(quantile(LAST - v), -z)


def test_density_is_within_its_bound_of_the_normal():
    # Positions 2^14 apart have the mass 2^-18 between them.
    v = torch.arange(1 << 24, (1 << 32) - (1 << 24), 1 << 20)
    low, high = (to_float(quantile(x), torch.float64).numpy() for x in (v, v + (1 << 14)))
    middle = (low + high) / 2
    density = 2.0**-18 / (high - low)
    normal = np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi)
    assert np.abs(density / normal - 1).max() < 0.0021


@given(st.integers(0, LAST))
def test_quantile_equals_integer_arithmetic(v):
    """Reimplemented in Python's integers."""
    table = [int(entry) for entry in gaussian_table()]
    doubled = 2 * min(v, LAST - v) + 1
    octave = doubled.bit_length() - 1
    leading, rest = divmod((doubled << 31) >> octave, 1 << 23)
    entry = (octave << 8) + leading - 256
    magnitude = table[entry] - ((table[entry] - table[entry + 1]) * rest >> 23)
    assert quantile(torch.tensor(v)).item() == (-magnitude if v < 1 << 31 else magnitude)


def test_golden_quantiles():
    v = torch.tensor([0, 1, 12345, 1 << 20, 1 << 30, (1 << 31) - 1, 1 << 31, 3 << 30, LAST])
    lower = [-1701332580, -1655288320, -1217468307, -936062346, -181056964, -1]
    assert quantile(v).tolist() == [*lower, 1, 181056965, 1701332580]


def test_quantile_accepts_any_shape_and_rejects_other_dtypes():
    assert quantile(torch.zeros((0, 3), dtype=torch.int64)).shape == (0, 3)
    with pytest.raises(ValueError, match=r"v: got dtype torch.int32, need torch.int64"):
        quantile(torch.zeros(3, dtype=torch.int32))


def test_to_float_rounds_once():
    z = torch.tensor([1 << FRACTION_BITS, -3 << (FRACTION_BITS - 1), 1])
    assert to_float(z).tolist() == [1.0, -1.5, 2.0**-28]
    assert to_float(z).dtype == torch.float32
