"""The searches of PFR and GPRS: by the pseudocode, in every backend for them, with their cap."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rec.coders import random_target, same_target, search, seeded
from recvae.exact.gaussian import to_float
from recvae.rec import (
    GPRS,
    MRC,
    ORC,
    PFR,
    CappedSearchWarning,
    Code,
    DiagonalGaussian,
    Partition,
    PartitionedPFR,
    allocate_intervals,
)
from recvae.rec.arrivals import log2_times
from recvae.rec.proposal import log2_sup_ratio, propose
from recvae.rec.randomness import key_tensor, private_key, private_uniforms
from recvae.rec.stretch import stretch_function


def draw_arrivals(key: int, seed: int, count: int) -> torch.Tensor:
    """T_n of one item, of block 0, in floats."""
    keys = key_tensor(key, 1, torch.device("cpu"))
    words = private_uniforms(private_key(keys, 0, seeded(seed)), 0, count, 1)[0, :, 0]
    return -torch.log((words.double() + 0.5) / 2**32).cumsum(0)


def all_candidates(coder, target: DiagonalGaussian, key: int, count: int) -> torch.Tensor:
    """log2 r of the first candidates of an item, in floats."""
    ranks = torch.arange(count)[None]
    z = coder.decode(Code(torch.zeros(1, count, target.dim, dtype=torch.int64), ranks), key)
    return target.log2_ratio(to_float(z, torch.float64))[0]


@pytest.mark.parametrize("implementation", ["eager", "fused"])
@pytest.mark.parametrize("seed", range(5))
def test_pfr_and_gprs_are_the_pseudocode(implementation, seed):
    target = random_target(1, (1.0, 0.7, 2.0), seed)
    pfr = PFR(3, implementation=implementation)
    times = draw_arrivals(12, seed, 4000)
    ratios = all_candidates(pfr, target, 12, 4000).exp2()
    sup = float(log2_sup_ratio(target, propose(target, Partition.none(3))).exp2())
    best, winner = math.inf, -1
    for n in range(4000):
        if times[n] / ratios[n] < best:
            best, winner = times[n] / ratios[n], n
        if best <= times[n] / sup:
            break
    found = pfr.search(target, 12, seeded(seed))
    assert (found.code.ranks.item(), found.num_drawn.item()) == (winner, n + 1)
    log2_sigma = stretch_function(target).log2_sigma(ratios.log2()[None])[0]
    accepted = int((times < log2_sigma.exp2()).int().argmax())
    found = GPRS(3, implementation=implementation).search(target, 12, seeded(seed))
    assert (found.code.ranks.item(), found.num_drawn.item()) == (accepted, accepted + 1)


@settings(deadline=None, max_examples=40)
@given(
    information_bits=st.lists(st.floats(0, 2.0), min_size=1, max_size=6),
    log2_bins=st.floats(0, 9),
    batch=st.integers(0, 5),
    cap=st.sampled_from([1, 2, 100, 5000]),
    kind=st.sampled_from(["sup", "mass", "GPRS"]),
    seed=st.integers(0, 1000),
)
def test_implementations_agree(information_bits, log2_bins, batch, cap, kind, seed):
    target = random_target(batch, information_bits, seed)
    partition = allocate_intervals(information_bits, log2_bins)
    key = torch.arange(batch) * 7919 - 2
    found = []
    for implementation in ("eager", "fused"):
        options = {"max_candidates": cap, "implementation": implementation, "chunk_elements": 3000}
        if kind == "GPRS":
            coder = GPRS(target.dim, **options)
        else:
            coder = PartitionedPFR(partition, kind, **options)
        found.append(coder.search(target, key, seeded(seed)))
    eager, fused = found
    assert torch.equal(eager.code.bins, fused.code.bins)
    assert torch.equal(eager.code.ranks, fused.code.ranks)
    assert torch.equal(eager.num_drawn, fused.num_drawn)
    assert torch.equal(eager.capped, fused.capped)
    assert (eager.num_drawn <= cap).all()


def test_the_hash_table_grows_over_many_bins():
    target = random_target(3, (4.0, 4.0, 4.0, 4.0))
    partition = Partition((64, 64, 64, 64))
    codes = [
        PartitionedPFR(
            partition, "mass", max_candidates=20_000, implementation=implementation
        ).search(target, 5, seeded())
        for implementation in ("eager", "fused")
    ]
    assert (codes[0].num_drawn > 4096).any()
    assert torch.equal(codes[0].num_drawn, codes[1].num_drawn)
    assert torch.equal(codes[0].code.bins, codes[1].code.bins)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("scale", [0.4, 0.05, 1e-3])
def test_one_set_of_candidates_for_all_gives_the_same_codes(ordered, scale):
    """The matrix product shortlists; the winner is that of the eager search."""
    make = ORC if ordered else MRC
    target = DiagonalGaussian(
        0.8 * torch.randn((100, 4), generator=seeded()), torch.full((100, 4), scale)
    )
    same_key = torch.full((100,), 77)
    eager = make(4, 2000, implementation="eager").search(target, 77, seeded()).code.ranks
    for chunk_elements in (1 << 20, 9000):
        for key in (77, same_key):
            auto = make(4, 2000, chunk_elements=chunk_elements).search(target, key, seeded())
            assert torch.equal(auto.code.ranks, eager)
    assert len(eager.unique()) > 30 or scale < 0.01


def test_a_cap_is_reported():
    target = random_target(50, (2.0, 2.0, 2.0))
    coder = PFR(3, max_candidates=20)
    found = coder.search(target, 3, seeded())
    assert found.capped.any()
    assert (found.num_drawn[found.capped] == 20).all()
    with pytest.warns(CappedSearchWarning, match=f"{int(found.capped.sum())} of 50 searches"):
        code = coder.encode(target, 3, seeded())
    assert torch.equal(code.ranks, found.code.ranks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PFR(3).encode(target, 3, seeded())


@pytest.mark.parametrize("log2_bins", [0.0, 3.0, 7.0])
@pytest.mark.parametrize("weights", ["sup", "mass"])
def test_steps_of_pfr(log2_bins, weights):
    """The winner's time over r' is exponential, so sup r' candidates come before it is safe."""
    mean, scale = (0.5, -0.9, 0.3), (0.4, 0.3, 0.6)
    target = same_target(mean, scale, 20_000)
    partition = allocate_intervals(target.kl_bits()[0].tolist(), log2_bins)
    found, _ = search(PartitionedPFR(partition, weights), target)
    expected = log2_sup_ratio(target[:1], propose(target[:1], partition, weights)).exp2() + 1
    steps = found.num_drawn.double()
    error = steps.std() / len(steps) ** 0.5
    assert steps.mean().item() == pytest.approx(expected.item(), abs=4 * error.item())


def test_steps_of_gprs():
    target = same_target((0.5, -0.9, 0.3), (0.4, 0.3, 0.6), 20_000)
    found, _ = search(GPRS(3), target)
    expected = log2_sup_ratio(target[:1], propose(target[:1], Partition.none(3))).exp2()
    steps = found.num_drawn.double()
    error = steps.std() / len(steps) ** 0.5
    assert steps.mean().item() == pytest.approx(expected.item(), abs=4 * error.item())


def test_log2_sup_ratio_is_the_largest_ratio():
    target = random_target(20, (0.5, 3.0))
    partition = Partition((3, 7))
    for weights in ("sup", "mass"):
        proposal = propose(target, partition, weights)
        z = torch.linspace(-6.3, 6.3, 200_001).double()
        total = torch.zeros(20).double()
        start = 0
        for d, count in enumerate(partition.intervals):
            marginal = DiagonalGaussian(target.mean[:, d, None], target.scale[:, d, None])
            ratio = marginal.log2_ratio(z[:, None, None].expand(-1, 20, 1))
            bins = (torch.special.ndtr(z) * count).long().clamp_max(count - 1)
            total += (ratio + proposal.step_bits[:, start + bins].T).amax(0)
            start += count
        bound = log2_sup_ratio(target, proposal)
        assert (bound > total - 1e-9).all()
        torch.testing.assert_close(bound, total, atol=0.01, rtol=0)


def test_sup_weights_minimise_the_largest_ratio():
    target = random_target(50, (2.0, 1.0, 3.0))
    partition = Partition((5, 2, 8))
    plain = log2_sup_ratio(target, propose(target, Partition.none(3)))
    mass = log2_sup_ratio(target, propose(target, partition, "mass"))
    sup = log2_sup_ratio(target, propose(target, partition, "sup"))
    assert (sup < mass + 1e-6).all()
    assert (sup < plain).all()


@pytest.mark.parametrize("weights", ["sup", "mass"])
def test_every_interval_can_be_drawn(weights):
    target = same_target((6.0, 0.0), (0.01, 1e-4), 1)
    proposal = propose(target, Partition((1 << 20, 1 << 10)), weights)
    masses = torch.diff(proposal.bin_cdf, append=torch.tensor([[2 << 32]]))
    assert (masses >= 1).all()
    assert masses.sum() == 2 << 32


def test_times_of_long_searches_do_not_overflow():
    log2_time = log2_times(torch.tensor([(1 << 62) - 1]))
    assert log2_time.item() == pytest.approx(30)
