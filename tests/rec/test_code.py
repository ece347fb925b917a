"""Validity of codes."""

import pytest
import torch

from recvae.rec import Code


@pytest.mark.parametrize(
    ("bins", "ranks"), [((3, 2), (2,)), ((2, 2), (3,)), ((3, 4, 2), (3, 5)), ((3,), ())]
)
def test_bins_and_ranks_must_agree(bins: tuple[int, ...], ranks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="need the shape of ranks and"):
        Code(torch.zeros(bins, dtype=torch.int64), torch.zeros(ranks, dtype=torch.int64))
