"""Goodness of fit: do standardised samples follow N(0, I)?

Each p-value of `pvalues` is corrected for the comparisons within its own test (Bonferroni);
`follows_target` corrects for the number of tests.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

Array = NDArray[np.float64]

NUM_PROJECTIONS = 8
MAX_JOINT_SAMPLES = 2000  # the joint test takes the square of them
SEED = 0


def follows_target(standardised: Tensor, significance: float = 0.01) -> bool:
    """Whether no test rejects samples (n, dim) = (decoded - mean) / scale at the significance.

    True samples are rejected with a probability of at most `significance`.
    """
    found = pvalues(standardised)
    return min(found.values()) * len(found) > significance


def pvalues(standardised: Tensor) -> dict[str, float]:
    """The p-value of each test of samples (n, dim) against N(0, I).

    marginals: Kolmogorov-Smirnov, each dimension.
    moments: means, variances and covariances, each in units of its standard error.
    radius: Kolmogorov-Smirnov, squared norms against chi^2.
    joint: distance of the joint laws in a Gaussian kernel's space (see `_mmd_pvalue`).
    projections: Kolmogorov-Smirnov, random directions; not in one dimension.

    Raises:
        ValueError: if the samples are not finite or not of shape (n >= 2, dim >= 1).
    """
    if standardised.dim() != 2 or standardised.shape[0] < 2 or standardised.shape[1] < 1:
        raise ValueError(f"standardised: got shape {tuple(standardised.shape)}, need (n, dim)")
    if not bool(standardised.isfinite().all()):
        raise ValueError("standardised: got values not finite, need finite ones")
    x = standardised.double().cpu().numpy()
    dim = x.shape[1]
    rng = np.random.default_rng(SEED)
    found = {
        "marginals": _ks_pvalue(x, stats.norm.cdf),
        "moments": _moments_pvalue(x),
        "radius": _ks_pvalue(np.square(x).sum(1, keepdims=True), stats.chi2(dim).cdf),
        "joint": _mmd_pvalue(rng.permutation(x)[:MAX_JOINT_SAMPLES]),
    }
    if dim > 1:
        directions = rng.standard_normal((dim, NUM_PROJECTIONS))
        directions /= np.linalg.norm(directions, axis=0)
        found["projections"] = _ks_pvalue(x @ directions, stats.norm.cdf)
    return found


def _ks_pvalue(columns: Array, cdf: Callable[[Array], Array]) -> float:
    smallest = min(stats.kstest(column, cdf).pvalue for column in columns.T)
    return min(1.0, float(smallest) * columns.shape[1])


def _moments_pvalue(x: Array) -> float:
    """Hermite products of degree 1 and 2: under N(0, I) each has mean 0 and variance 1."""
    n, dim = x.shape
    second = x.T @ x / n - np.eye(dim)
    second[np.diag_indices(dim)] /= np.sqrt(2)
    means = np.concatenate([x.mean(0), second[np.triu_indices(dim)]])
    return min(1.0, float(2 * stats.norm.sf(np.abs(means).max() * np.sqrt(n))) * len(means))


def _mmd_pvalue(x: Array) -> float:
    """Maximum mean discrepancy from N(0, I) itself under k(x, y) = exp(-w |x - y|^2 / 2).

    mu(x) = E k(x, y) and c = E k(y, y') have closed forms, so no second sample adds noise. With
    k centred by them, n MMD^2 = sum_ij k(x_i, x_j) / n tends to sum_i l_i Z_i^2, l_i the
    eigenvalues of k under N(0, I). Its cumulants are those of `_power_traces`; Pearson's chi^2 of
    the same three cumulants is close to it in the upper tail (Imhof, 1961). A null simulated
    with a few hundred samples could not give p-values as small as the corrections need.
    """
    n, dim = x.shape
    w = min(1.0, 4 / dim)  # narrow, for what the moments miss; E k must stay far above 1 / n
    squares = np.square(x).sum(1)
    mu = (1 + w) ** (-dim / 2) * np.exp(-squares * w / (1 + w) / 2)
    c = (1 + 2 * w) ** (-dim / 2)
    points = torch.from_numpy(x).float()
    total = torch.cdist(points, points).square_().mul_(-w / 2).exp_().sum(dtype=torch.float64)
    statistic = float(total) / n - 2 * mu.sum() + n * c
    t1, t2, t3 = _power_traces(w, dim)
    skewness = 8 * t3 / (2 * t2) ** 1.5
    return float(stats.pearson3.sf(statistic, skewness, loc=t1, scale=np.sqrt(2 * t2)))


def _power_traces(w: float, dim: int) -> tuple[float, float, float]:
    """Traces of the first three powers of the centred kernel, as an operator on L2(N(0, I)).

    Centring is a projection P = 1 - ee', e the constant function, so that the traces of (PK)^m
    follow from those of K^m and from q_m = e'K^m e. All factor over dimensions. In one, K has
    eigenvalues (1 - b) b^j, and maps a exp(-g y^2 / 2) to another such function.
    """
    root = (1 + 4 * w) ** -0.5
    b = (1 - root) / (1 + root)
    full = [((1 - b) ** m / (1 - b**m)) ** dim for m in (1, 2, 3)]
    q, a, g = [], 1.0, 0.0
    for _ in range(3):
        a, g = a / np.sqrt(w + g + 1), w * (g + 1) / (w + g + 1)
        q.append((a / np.sqrt(1 + g)) ** dim)
    return (
        full[0] - q[0],
        full[1] - 2 * q[1] + q[0] ** 2,
        full[2] - 3 * q[2] + 3 * q[0] * q[1] - q[0] ** 3,
    )
