"""Coders on another device than the CPU: the same codes, and few waits for the device."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from foreign_device import CPU, FOREIGN, foreign_device
from rec.backends import SEARCHES
from rec.coders import ALL, random_target, seeded
from recvae.rec import (
    ALGORITHMS,
    ORC,
    PFR,
    Code,
    DiagonalGaussian,
    Partition,
    PartitionedORC,
    SearchResult,
    Setting,
)
from recvae.rec.devices import to_cpu
from recvae.rec.proposal import Proposal, propose
from recvae.rec.search import BestCandidates, search
from recvae.rec.search.dispatch import choose_backend

INFORMATION_BITS = (1.5, 0.3, 2.0)
CHUNK_ELEMENTS = 1 << 16


def moved(target: DiagonalGaussian) -> DiagonalGaussian:
    return DiagonalGaussian(target.mean.to(FOREIGN), target.scale.to(FOREIGN))


def assert_same(there: Tensor, here: Tensor) -> None:
    assert there.device == FOREIGN
    assert torch.equal(there.cpu(), here)


def assert_same_search(there: SearchResult, here: SearchResult) -> None:
    assert_same(there.code.bins, here.code.bins)
    assert_same(there.code.ranks, here.code.ranks)
    assert_same(there.num_drawn, here.num_drawn)
    assert_same(there.capped, here.capped)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("candidates", [3, 300])
def test_every_algorithm_sends_the_same_from_there(name: str, candidates: int) -> None:
    """With a cap of 3, at which exact ones end."""
    target, key = random_target(6, INFORMATION_BITS), torch.arange(6) * 7919 - 3
    intervals = (3, 1, 4) if ALGORITHMS[name].partitioned else (1, 1, 1)
    scale = tuple(target.scale[0].tolist())
    coder = ALGORITHMS[name].coder(Setting(Partition(intervals), candidates, scale=scale))
    here = coder.search(coder.within_reach(target), key, seeded())
    with foreign_device():
        there = coder.search(coder.within_reach(moved(target)), key.to(FOREIGN), seeded())
        assert_same_search(there, here)
        assert_same(coder.decode(there.code, key.to(FOREIGN)), coder.decode(here.code, key))
        assert_same(coder.bin_bits(there.code, key.to(FOREIGN)), coder.bin_bits(here.code, key))
    if candidates == 3:
        searches = ALGORITHMS[name].exact and name != "dithered quantisation"
        assert bool(here.capped.any()) == searches


@pytest.mark.parametrize("name", SEARCHES)
def test_what_auto_takes_finds_the_same_there(name: str) -> None:
    here = search(*SEARCHES[name]().inputs_and_rule(CPU), "eager", CHUNK_ELEMENTS)
    with foreign_device():
        inputs, rule = SEARCHES[name]().inputs_and_rule(FOREIGN)
        assert choose_backend(inputs, rule, "auto").name in ("eager", "shared")
        there = search(inputs, rule, "auto", CHUNK_ELEMENTS)
        for field in BestCandidates.__dataclass_fields__:
            assert_same(getattr(there, field), getattr(here, field))


def test_items_that_share_candidates_are_scored_by_one_product_there() -> None:
    with foreign_device():
        inputs, rule = SEARCHES["one key"]().inputs_and_rule(FOREIGN)
        assert choose_backend(inputs, rule, "auto").name == "shared"


@pytest.mark.parametrize("intervals", [(1, 1, 1), (3, 1, 4)])
def test_several_finishers_are_the_same_there(intervals: tuple[int, ...]) -> None:
    target, key = random_target(6, INFORMATION_BITS), torch.arange(6)
    coder = PartitionedORC(Partition(intervals), 200)
    here, scores = coder.encode_best(target, key, seeded(), 5)
    with foreign_device():
        there, scores_there = coder.encode_best(moved(target), key.to(FOREIGN), seeded(), 5)
        assert_same(there.bins, here.bins)
        assert_same(there.ranks, here.ranks)
        assert_same(scores_there, scores)
        assert_same(coder.decode(there, key.to(FOREIGN)), coder.decode(here, key))


@pytest.mark.parametrize("weights", ["mass", "sup"])
@pytest.mark.parametrize("intervals", [(1, 1, 1), (3, 1, 4)])
def test_a_proposal_is_made_there_without_a_wait(intervals, weights) -> None:
    target, partition = random_target(6, INFORMATION_BITS), Partition(intervals)
    here = propose(target, partition, weights)
    with foreign_device() as device:
        target = moved(target)
        propose(target, partition, weights)  # shared by all batches
        device.reads = device.uploads = 0
        there = propose(target, partition, weights)
        assert (device.reads, device.uploads) == (0, 0)
        for field in Proposal.__dataclass_fields__:
            if field != "partition":
                assert_same(getattr(there, field), getattr(here, field))


def waits(work: Callable[[DiagonalGaussian, Tensor], object]) -> tuple[int, int]:
    """Reads and uploads of the second run of `work` with targets and keys on the device."""
    with foreign_device() as device:
        target, key = moved(random_target(12, INFORMATION_BITS)), torch.arange(12).to(FOREIGN)
        work(target, key)
        device.reads = device.uploads = 0
        work(target, key)
    return device.reads, device.uploads


@pytest.mark.parametrize("chunk_elements", [1 << 20, 200])
def test_a_search_waits_for_nothing_however_many_slices_it_takes(chunk_elements: int) -> None:
    coder = PartitionedORC(Partition((3, 1, 4)), 50, chunk_elements=chunk_elements)
    assert waits(lambda target, key: coder.search(target, key, seeded())) == (0, 0)


def test_a_search_to_its_end_waits_once_a_segment() -> None:
    """To learn which items are still being searched, and twice to check the targets."""
    drawn: list[int] = []

    def work(target: DiagonalGaussian, key: Tensor) -> None:
        found = PFR(3).search(DiagonalGaussian(target.mean + 1, target.scale), key, seeded())
        drawn.append(int(found.num_drawn.cpu().max()))

    reads, uploads = waits(work)
    segments = (max(drawn) - 1).bit_length() - 5  # the first has 64, then they double
    assert 3 < segments == reads - 3  # those, and the number above
    assert uploads == 0


def test_a_code_is_checked_with_one_wait() -> None:
    coder = ORC(3, 50)
    code = Code(torch.zeros(12, 3, dtype=torch.int64), torch.arange(12))
    assert waits(lambda target, key: coder.decode(_code_there(code), key)) == (1, 2)


def _code_there(code: Code) -> Code:
    return Code(code.bins.to(FOREIGN), code.ranks.to(FOREIGN))


def test_a_target_is_checked_once_and_its_parts_no_more() -> None:
    def work(target: DiagonalGaussian, key: Tensor) -> None:
        whole = DiagonalGaussian(target.mean, target.scale)
        assert whole[2:5].batch == 3
        assert whole[:, torch.tensor([0, 2])].dim == 2

    assert waits(work) == (1, 2)  # here the index is from the CPU, of mean and scale


@pytest.mark.parametrize(("mean", "scale"), [(float("nan"), 1.0), (0.0, 0.0), (0.0, -1.0)])
def test_a_bad_target_is_refused_there(mean: float, scale: float) -> None:
    with foreign_device():
        values = (torch.full((1, 1), value, device=FOREIGN) for value in (mean, scale))
        with pytest.raises(ValueError, match=r"^(mean|scale): got values"):
            DiagonalGaussian(*values)


def test_a_capped_search_warns_there() -> None:
    with foreign_device(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        target = moved(random_target(6, (3.0, 3.0)))
        PFR(2, max_candidates=3).encode(target, 1, seeded())
    assert "searches ended at the cap" in str(caught[0].message)


def test_tensors_come_by_one_copy() -> None:
    tensors = [torch.arange(6).reshape(2, 3), torch.arange(0), torch.arange(4), torch.tensor(3)]
    assert all(ours is theirs for ours, theirs in zip(to_cpu(tensors), tensors, strict=True))
    with foreign_device() as device:
        there = [tensor.to(FOREIGN) for tensor in tensors]
        here = to_cpu(there)
        assert device.reads == 1
    assert all(tensor.device == CPU for tensor in here)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(here, tensors, strict=True))
