"""Which latents are coded together, and how finely each is cut."""

import pytest
import torch

from recvae.rec import (
    ALGORITHMS,
    DiagonalGaussian,
    Partition,
    Setting,
    algorithm_named,
    balanced_blocks,
    plan_blocks,
)


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


def test_dimensions_without_information_go_where_the_fewest_are_in_a_tie() -> None:
    """A tie is a difference below half a thousandth of a bit."""
    for information, blocks in [
        ([1.0004, 1.0, 0.0, 0.0], [(0, 2), (1, 3)]),
        ([1.004, 1.0, 0.0, 0.0], [(0,), (1, 2, 3)]),
    ]:
        assert balanced_blocks(torch.tensor(information, dtype=torch.float64), 2) == blocks


def test_dimensions_without_information_are_not_cut() -> None:
    torch.manual_seed(0)
    information = torch.tensor([4.0, 0.0, 0.05, 3.0], dtype=torch.float64)
    target = DiagonalGaussian(torch.randn(50, 4), torch.full((50, 4), 0.2))
    (block,) = plan_blocks(information, target, 1)
    assert block.intervals[1] == block.intervals[2] == 1
    assert block.intervals[0] > block.intervals[3] > 1
    little = torch.tensor([0.4, 0.0, 0.09, 0.0], dtype=torch.float64)
    (fine,) = plan_blocks(little, target, 1, bins_per_information=12.0)
    assert fine.intervals[1:] == (1, 1, 1)  # not even where there are more bins than one can bear
    assert fine.intervals[0] > 50
    (more,) = plan_blocks(information, target, 1, extra_bits=5.0)
    assert more.num_candidates == pytest.approx(8 * block.num_candidates, rel=0.01)


def test_by_default_bins_take_all_information_and_the_search_two_bits_more() -> None:
    information = torch.tensor([4.0, 2.0, 3.0], dtype=torch.float64)
    target = DiagonalGaussian(torch.zeros(5, 3), torch.full((5, 3), 0.2))
    (block,) = plan_blocks(information, target, 1)
    assert 1 << 8 < Partition(block.intervals).num_bins <= 1 << 9
    explicit = plan_blocks(information, target, 1, 1.0, 2.0, 16, "partitioned ORC")
    assert [block] == explicit
    hard = DiagonalGaussian(torch.full((5, 3), 4.0), torch.full((5, 3), 0.01))
    assert plan_blocks(information, hard, 1)[0].num_candidates == 1 << 16


def test_spare_bins_do_not_go_to_dimensions_without_information() -> None:
    information = torch.tensor([4.0, 0.0, 0.05, 3.0], dtype=torch.float64)
    target = DiagonalGaussian(torch.zeros(5, 4), torch.full((5, 4), 0.2))
    (block,) = plan_blocks(information, target, 1, bins_per_information=3.0)
    assert block.intervals[1] == block.intervals[2] == 1
    assert block.intervals[0] * block.intervals[3] > 1 << 20


def test_the_algorithm_decides_what_is_planned() -> None:
    """Exact ones search to their cap; those without partition cut nothing."""
    information = torch.tensor([4.0, 2.0, 3.0], dtype=torch.float64)
    target = DiagonalGaussian(torch.randn(50, 3), torch.full((50, 3), 0.2))
    blocks = {
        name: plan_blocks(information, target, 1, max_log2_candidates=9, algorithm=name)[0]
        for name in ("partitioned ORC", "ORC", "partitioned PFR, sup", "GPRS")
    }
    assert {name for name, block in blocks.items() if max(block.intervals) > 1} == {
        "partitioned ORC", "partitioned PFR, sup",
    }  # fmt: skip
    assert blocks["partitioned PFR, sup"].num_candidates == blocks["GPRS"].num_candidates == 512
    assert blocks["partitioned ORC"].num_candidates < blocks["ORC"].num_candidates <= 512
    for name in ("A*", "dithered quantisation"):
        with pytest.raises(ValueError, match="which codes each dimension separately"):
            plan_blocks(information, target, 1, algorithm=name)


def test_a_limit_that_is_out_of_reach_limits_nothing() -> None:
    information = torch.tensor([2.0, 2.0], dtype=torch.float64)
    target = DiagonalGaussian(torch.zeros(5, 2), torch.full((5, 2), 0.5))
    plans = [plan_blocks(information, target, 1, max_log2_candidates=m) for m in (16, 40)]
    assert plans[0] == plans[1]


EXACT = [name for name, it in ALGORITHMS.items() if it.exact and name[:8] != "dithered"]


@pytest.mark.parametrize("name", EXACT)
def test_what_is_out_of_reach_comes_within(name: str) -> None:
    """Whatever an encoder says of images that it never saw, exact coders find a sample for it."""
    mean = torch.tensor([-13.0, -6.3, -4.0, 0.0, 2.0, 5.0, 1e20])
    scale = torch.tensor([1e-30, 3e-4, 0.02, 0.9999, 1.0, 1.5, 1e20])
    grid = torch.cartesian_prod(mean, scale)
    target = DiagonalGaussian(grid[:, :1].clone(), grid[:, 1:].clone())
    coder = algorithm_named(name).coder(Setting(Partition.none(1), 1 << 9))
    near = coder.within_reach(target)
    code = coder.search(near, torch.arange(len(grid)), torch.Generator()).code
    coder.decode(code, torch.arange(len(grid)))
    again = coder.within_reach(near)
    torch.testing.assert_close(again.mean, near.mean, rtol=0, atol=1e-8)
    assert torch.equal(again.scale, near.scale)
    fits = DiagonalGaussian(torch.tensor([[0.3, -1.0]]), torch.tensor([[0.2, 1.0]]))
    kept = coder.within_reach(fits)
    assert torch.equal(kept.mean, fits.mean.double())
    assert torch.equal(kept.scale, fits.scale.double())
