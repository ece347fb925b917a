"""The race of items that share all their candidates: one matrix product scores them all.

log2 r(z) is linear in (z^2, z), so the scores of all items and candidates are a product of two
small matrices. It is computed in float32 and only makes a shortlist: candidates within its rounding
error of the lead are scored again in float64, as in `eager.race`, so the codes are the same.
"""

import torch
from torch import Tensor

from recvae.exact import exact_arithmetic
from recvae.exact.gaussian import FRACTION_BITS
from recvae.rec.arrivals import arrival_times, log2_times
from recvae.rec.devices import all_hold
from recvae.rec.normal import reach
from recvae.rec.randomness import private_uniforms, shared_samples
from recvae.rec.search.dispatch import Backend
from recvae.rec.search.inputs import BestCandidates, Race, SearchInputs, StoppingRule

# A bound on float32's rounding errors above this, in bits, would make the shortlists long.
MAX_ERROR_BITS = 0.25
EPSILON = 2.0**-23


def needs(inputs: SearchInputs, rule: StoppingRule) -> str | None:
    """One winner an item, and candidates shared by all items and distinguishable in float32."""
    keys = (*inputs.private, *inputs.shared)
    if type(rule) is not Race or rule.keep != 1:
        return "a race of N candidates with one winner"
    if inputs.proposal.partition.cut_dimensions:
        return "items without a partition"
    if not all(all_hold(*(word == word[:1] for word in keys))):
        return "items that share one key"
    if not bool((_scores_and_error(inputs)[1] <= MAX_ERROR_BITS).all()):
        return "targets whose candidates float32 can distinguish"
    return None


def search(inputs: SearchInputs, rule: StoppingRule, chunk_elements: int) -> BestCandidates:
    """`Race(keep=1)` for items that share their candidates."""
    proposal, limit, batch = inputs.proposal, inputs.max_candidates, inputs.batch
    if not batch:
        return BestCandidates.nothing(0, 1, inputs.device)
    weights, error = _scores_and_error(inputs)
    one = inputs[torch.zeros(1, dtype=torch.int64, device=error.device)]
    words = private_uniforms(one.private, 0, limit, 1)[:, :, 0]
    log2_arrivals = log2_times(arrival_times(words, 0, inputs.arrivals, limit))[0]
    best = torch.full_like(error, -torch.inf)
    winner = torch.zeros(batch, dtype=torch.int64, device=error.device)
    step = max(1, chunk_elements // max(batch, 2 * proposal.partition.dim))
    for start in range(0, limit, step):
        ranks = torch.arange(start, min(start + step, limit), device=error.device)[None]
        bins = ranks.new_zeros((*ranks.shape, proposal.partition.dim))
        z = shared_samples(one.shared, proposal.partition, bins, ranks)[0]
        real = z.float() * 2.0**-FRACTION_BITS
        times = log2_arrivals[start : start + step]
        columns = [real.square(), real, torch.ones_like(real[:, :1]), times.float()[:, None]]
        with exact_arithmetic():
            scores = weights @ torch.cat(columns, dim=1).T
        lead = torch.maximum(scores.amax(1).double() - error, best)
        # Twice the error: the threshold is rounded to float32, too.
        threshold = (lead - 2 * error).float()
        item, n = torch.nonzero(scores >= threshold[:, None], as_tuple=True)
        exact = proposal[item].log2_ratio(bins[0, n, None], z[n, None])[:, 0] - times[n]
        # Ties go to the earlier one: the shortlist is in order of arrival.
        top = best.scatter_reduce(0, item, exact, "amax")
        leading = torch.where(exact == top[item], start + n, limit)
        first = torch.full_like(winner, limit).scatter_reduce(0, item, leading, "amin")
        winner = torch.where(top > best, first, winner)
        best = top
    drawn = torch.full_like(winner, limit)
    return BestCandidates(
        torch.zeros_like(winner)[:, None],
        winner[:, None],
        best[:, None],
        drawn,
        torch.zeros_like(drawn, dtype=torch.bool),
    )


def _scores_and_error(inputs: SearchInputs) -> tuple[Tensor, Tensor]:
    """Weights of (z^2, z, 1, log2 T), (batch, 2 dim + 2) float32, and a bound on the error of
    scores that are their products in float32, (batch,) float64, bits."""
    proposal, unit = inputs.proposal, 2.0**-FRACTION_BITS
    mean = proposal.center * unit
    square = proposal.quadratic / unit**2
    slope = proposal.linear / unit - 2 * square * mean
    constant = proposal.base + (square * mean.square() - proposal.linear / unit * mean).sum(1)
    columns = [square, slope, constant[:, None], torch.full_like(constant, -1.0)[:, None]]
    weights = torch.cat(columns, dim=1)
    size = (square.abs() * reach() ** 2 + slope.abs() * reach()).sum(1) + constant.abs() + 64
    return weights.float(), EPSILON * (weights.shape[1] + 4) * size


BACKEND = Backend("shared", search, needs, suits=lambda inputs, rule: inputs.batch > 1)
