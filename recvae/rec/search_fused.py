"""The search through candidates fused into one pass for CPUs; same codes as `search`.

The kernels are those of `search_kernels`. Threads share nothing, and no threading layer is started.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch

from recvae.exact.gaussian import MANTISSA_BITS, gaussian_table
from recvae.rec.search import Found, Problem
from recvae.rec.search_kernels import ARRIVALS, search_items
from recvae.rec.stretch import Stretch


def search_fused(
    problem: Problem,
    keep: int = 1,
    log2_sup: torch.Tensor | None = None,
    stretch: Stretch | None = None,
) -> Found:
    """`search.race`, or `race_to_the_end` given log2_sup, or `first_accepted` given a stretch."""
    proposal, batch = problem.proposal, problem.batch
    partition, cut = proposal.partition, proposal.partition.cut_dimensions
    if log2_sup is None:
        log2_sup = torch.full_like(proposal.base, torch.inf)
    if stretch is None:
        empty = torch.empty(0, dtype=torch.float64)
        stretch = Stretch(empty, empty, empty[:, None], torch.zeros(batch, dtype=torch.int64))
    starts = np.cumsum([0, *(partition.intervals[d] for d in cut)], dtype=np.int64)
    constants = (
        problem.max_candidates,
        ARRIVALS[problem.arrivals],
        np.array(partition.intervals, dtype=np.float64),
        np.array(partition.strides, dtype=np.uint64),
        np.array(cut, dtype=np.int64),
        starts,
        _starts_and_drops(),
        *(tensor.numpy() for tensor in (stretch.bottom, stretch.step, stretch.table)),
    )
    keys = (
        np.stack([word.numpy() for word in key], axis=1).astype(np.uint64)
        for key in (problem.private, problem.shared)
    )
    tables = (
        proposal.ladder, proposal.step_bits, proposal.base, proposal.center, proposal.quadratic,
        proposal.linear, log2_sup, stretch.row,
    )  # fmt: skip
    bins, ranks = np.zeros((batch, keep), np.int64), np.zeros((batch, keep), np.int64)
    scores = np.full((batch, keep), -np.inf)
    drawn, capped = np.zeros(batch, np.int64), np.zeros(batch, np.bool_)
    arrays = (
        *keys, *(np.ascontiguousarray(table.numpy()) for table in tables),
        bins, ranks, scores, drawn, capped,
    )  # fmt: skip

    def search(items: slice) -> None:
        search_items(*constants, *(array[items] for array in arrays))

    threads = min(torch.get_num_threads(), max(batch, 1))
    # More parts than threads, so that none waits long for the others.
    bounds = np.linspace(0, batch, min(batch, 4 * threads) + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(search, map(slice, bounds[:-1], bounds[1:])))
    return Found(*(torch.from_numpy(array) for array in (bins, ranks, scores, drawn, capped)))


@cache
def _starts_and_drops() -> np.ndarray:
    """Start and 2^8 drop of each entry in turn, int32: z = start - floor(drop rest / 2^23).

    The rest comes as 2^-31 of itself, hence the factor.
    """
    starts = gaussian_table()
    drops = starts - np.append(starts[1:], starts[-1])
    return np.stack([starts, drops << MANTISSA_BITS], axis=1).ravel().astype(np.int32)
