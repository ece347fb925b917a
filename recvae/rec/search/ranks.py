"""The rank of each candidate within its bin."""

import torch
from torch import Tensor


def rank_within_bin(bins: Tensor) -> Tensor:
    """Number of earlier candidates in each candidate's bin: (batch, n) int64 to the same."""
    in_order, order = torch.sort(bins, dim=1, stable=True)
    places = torch.arange(bins.shape[1], device=bins.device).expand_as(bins)
    starts_run = torch.ones_like(in_order, dtype=torch.bool)
    starts_run[:, 1:] = in_order[:, 1:] != in_order[:, :-1]
    run_start = torch.cummax(torch.where(starts_run, places, 0), dim=1).values
    return torch.empty_like(bins).scatter_(1, order, places - run_start)
