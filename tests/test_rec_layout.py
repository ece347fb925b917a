"""Which latents are coded together, and how finely each is cut."""

import pytest
import torch

from recvae.rec import DiagonalGaussian, balanced_blocks, plan_blocks


def test_blocks_are_balanced_and_complete() -> None:
    torch.manual_seed(0)
    information = torch.rand(24, dtype=torch.float64) * 6
    information[5] = 0.0
    for num_blocks in (1, 2, 4, 8, 24):
        blocks = balanced_blocks(information, num_blocks)
        assert sorted(d for block in blocks for d in block) == list(range(24))
        loads = [float(information[list(block)].sum()) for block in blocks]
        assert max(loads) - min(loads) <= float(information.max())
    for num_blocks in (0, 25):
        with pytest.raises(ValueError, match="num_blocks"):
            balanced_blocks(information, num_blocks)


def test_dimensions_without_information_are_not_cut() -> None:
    torch.manual_seed(0)
    information = torch.tensor([4.0, 0.0, 0.05, 3.0], dtype=torch.float64)
    target = DiagonalGaussian(torch.randn(50, 4), torch.full((50, 4), 0.2))
    (block,) = plan_blocks(information, target, 1)
    assert block.intervals[1] == block.intervals[2] == 1
    assert block.intervals[0] > block.intervals[3] > 1
    (more,) = plan_blocks(information, target, 1, extra_bits=5.0)
    assert more.num_candidates == pytest.approx(8 * block.num_candidates, rel=0.01)


def test_spare_bins_do_not_go_to_dimensions_without_information() -> None:
    information = torch.tensor([4.0, 0.0, 0.05, 3.0], dtype=torch.float64)
    target = DiagonalGaussian(torch.zeros(5, 4), torch.full((5, 4), 0.2))
    (block,) = plan_blocks(information, target, 1, bins_per_information=3.0)
    assert block.intervals[1] == block.intervals[2] == 1
    assert block.intervals[0] * block.intervals[3] > 1 << 20
