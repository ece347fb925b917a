"""The tests of laws accept true samples and detect small faults in 20,000 of them."""

import pytest
import torch
from scipy import stats
from torch import Tensor

from rec.goodness import follows_target, pvalues

SAMPLES, DIM = 20_000, 4


def normals(seed: int, samples: int = SAMPLES, dim: int = DIM) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((samples, dim), generator=generator, dtype=torch.float64)


def correlated(x: Tensor) -> Tensor:
    first, second = x[:, 0], x[:, 1]
    return torch.column_stack([first, 0.04 * first + (1 - 0.04**2) ** 0.5 * second, x[:, 2:]])


def sharing_a_magnitude(x: Tensor) -> Tensor:
    """Normal marginals, no correlation; x_0^2 = x_1^2."""
    return torch.column_stack([x[:, 0], x[:, 0].abs() * x[:, 1].sign(), x[:, 2:]])


def independent_in_pairs_only(x: Tensor) -> Tensor:
    """Any two of the first three dimensions are independent normals; the product is positive."""
    third = x[:, 2].abs() * (x[:, 0] * x[:, 1]).sign()
    return torch.column_stack([x[:, :2], third, x[:, 3:]])


@pytest.mark.parametrize("dim", [1, 2, 5, 24])
def test_true_samples_follow(dim: int) -> None:
    assert follows_target(normals(dim, dim=dim), significance=0.01)


@pytest.mark.parametrize(
    ("change", "seen_by"),
    [
        (lambda x: 1.03 * x, {"moments", "radius"}),
        (lambda x: x + 0.03, {"moments", "projections"}),
        (correlated, {"moments"}),
        (sharing_a_magnitude, {"radius", "joint", "projections"}),
        (independent_in_pairs_only, {"joint", "projections"}),
    ],
    ids=["scaled", "shifted", "correlated", "shared magnitude", "pairwise independent"],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_faults_are_noticed(change, seen_by: set[str], seed: int) -> None:
    x = change(normals(seed))
    assert not follows_target(x, significance=1e-3)
    found = pvalues(x)
    # Each test detects its own faults, and nothing else.
    assert {name for name, p in found.items() if p < 1e-3} >= seen_by
    if change in (sharing_a_magnitude, independent_in_pairs_only):
        assert min(found["marginals"], found["moments"]) > 0.01


def test_one_dimension_notices_too() -> None:
    assert not follows_target(1.03 * normals(0, dim=1), significance=1e-3)
    assert "projections" not in pvalues(normals(0, dim=1))


@pytest.mark.slow
@pytest.mark.parametrize("dim", [1, 3, pytest.param(12, marks=pytest.mark.slow)])
def test_a_pvalue_below_a_level_is_as_rare_as_it_says(dim: int) -> None:
    runs, level = 200, 0.05
    found = [pvalues(normals(1000 + seed, samples=400, dim=dim)) for seed in range(runs)]
    most = stats.binom.isf(1e-4, runs, level)
    for name in found[0]:
        assert sum(p[name] < level for p in found) <= most, name
    # The joint test compares once, so its p-values are approximately uniform.
    assert stats.kstest([p["joint"] for p in found], "uniform").pvalue > 1e-4


@pytest.mark.parametrize(
    ("standardised", "message"),
    [
        (torch.zeros(5), r"got shape \(5,\)"),
        (torch.zeros(5, 0), r"got shape \(5, 0\)"),
        (torch.tensor([[0.0], [torch.nan]]), "not finite"),
    ],
)
def test_what_cannot_be_tested(standardised: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        follows_target(standardised)
