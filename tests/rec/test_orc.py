"""PartitionedORC against the pseudocode of its docstring, and its guarantees."""

import itertools
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rec.reference import philox_of_integers
from recvae.exact.gaussian import quantile, to_float
from recvae.rec import DiagonalGaussian, Partition, PartitionedORC
from recvae.rec.arrivals import arrival_times, log2_times, series_log2
from recvae.rec.search.ranks import rank_within_bin

IMPLEMENTATIONS = ("eager", "fused")


def random_target(batch: int, dim: int, seed: int = 0) -> DiagonalGaussian:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn((batch, dim), generator=generator)
    return DiagonalGaussian(mean, 0.05 + torch.rand((batch, dim), generator=generator))


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def race_by_the_pseudocode(mean, scale, intervals, num_candidates, key, block, seed):
    """All candidates (score, bin tuple, rank) of one item, in plain Python."""
    normal = torch.distributions.Normal(torch.zeros(()).double(), 1.0)
    dim, cut = len(intervals), [d for d, count in enumerate(intervals) if count > 1]

    def split_words(x):
        return (x & 0xFFFFFFFF, x >> 32)

    seed_words = torch.randint(1 << 32, (2,), generator=seeded(seed)).tolist()
    private = philox_of_integers((*split_words(key), block, 1), seed_words)[:2]
    shared = philox_of_integers((block, 0, 0, 0), split_words(key))[:2]
    earlier = Counter()
    time = 0.0
    for n in range(num_candidates):
        words = [w for quad in range(9) for w in philox_of_integers((n, 0, quad, 2), private)]
        time += -math.log((words[0] + 0.5) / 2**32) * num_candidates / (num_candidates - n)
        b, log2_weight = [0] * dim, 0.0
        for position, d in enumerate(cut):
            edges = normal.icdf(torch.arange(intervals[d] + 1).double() / intervals[d])
            below = normal.cdf((edges - mean[d]) / scale[d])
            b[d] = int((below <= (words[1 + position] + 0.5) / 2**32).sum()) - 1
            mass = float(below[b[d] + 1] - below[b[d]])
            log2_weight += math.log2(mass * intervals[d])
        number = 0
        for d in range(dim):
            number = number * intervals[d] + b[d]
        rank = earlier[tuple(b)]
        earlier[tuple(b)] += 1
        quads = -(-dim // 4)
        uniforms = [
            u
            for quad in range(quads)
            for u in philox_of_integers(
                (*split_words(number), *split_words(rank * quads + quad)), shared
            )
        ]
        v = [(b[d] * 2**32 + uniforms[d]) // intervals[d] for d in range(dim)]
        z = to_float(quantile(torch.tensor(v)), torch.float64)
        item = DiagonalGaussian(torch.tensor([mean]).double(), torch.tensor([scale]).double())
        log2_ratio = item.log2_ratio(z[None]).item() - log2_weight
        yield log2_ratio - math.log2(time), tuple(b), rank


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("intervals", [(1, 1), (4, 1, 6), (3, 2, 5, 1, 2, 9)])
def test_encode_is_the_pseudocode(implementation, intervals):
    mean, scale = [0.7, -1.1, 0.2, 2.0, -0.1, 0.0], [0.3, 0.2, 0.9, 0.1, 0.5, 1.0]
    mean, scale = mean[: len(intervals)], scale[: len(intervals)]
    key, block, seed, n = 0xFEDCBA9876543210, 6, 11, 80
    expected = sorted(
        race_by_the_pseudocode(mean, scale, intervals, n, key, block, seed), reverse=True
    )
    coder = PartitionedORC(Partition(intervals), n, block=block, implementation=implementation)
    target = DiagonalGaussian(torch.tensor([mean]).double(), torch.tensor([scale]).double())
    code, scores = coder.encode_best(target, key, seeded(seed), keep=n)
    assert [tuple(b) for b in code.bins[0].tolist()] == [b for _, b, _ in expected]
    assert code.ranks[0].tolist() == [rank for _, _, rank in expected]
    assert scores[0].tolist() == pytest.approx([score for score, _, _ in expected], abs=1e-5)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_golden_codes(implementation):
    coder = PartitionedORC(Partition((8, 1, 5, 3)), 300, implementation=implementation)
    mean = torch.tensor([[0.5, -1.0, 0.0, 2.0], [-2.5, 0.25, 1.0, -0.5]])
    scale = torch.tensor([[0.25, 0.5, 1.0, 0.125], [0.125, 0.75, 0.5, 0.25]])
    key = torch.tensor([17, -17])
    code = coder.encode(DiagonalGaussian(mean, scale), key, seeded())
    assert code.bins.tolist() == [[6, 0, 0, 2], [0, 0, 4, 1]]
    assert code.ranks.tolist() == [0, 13]
    z = coder.decode(code, key)
    assert z[0].tolist() == [188265949, -295634627, -476624034, 552828774]
    assert z[1].tolist() == [-659308842, -213610097, 231834960, -46096331]


@settings(deadline=None, max_examples=40)
@given(
    intervals=st.lists(st.sampled_from([1, 1, 2, 3, 8, 64, 70, 500]), min_size=1, max_size=6),
    batch=st.integers(0, 4),
    num_candidates=st.sampled_from([1, 2, 255, 256, 257, 700]),
    keep=st.integers(1, 5),
    double=st.booleans(),
    block=st.sampled_from([0, 1, (1 << 32) - 1]),
    seed=st.integers(0, 1000),
)
def test_implementations_agree(intervals, batch, num_candidates, keep, double, block, seed):
    target = random_target(batch, len(intervals), seed)
    if double:
        target = DiagonalGaussian(target.mean.double(), target.scale.double())
    codes = []
    for implementation in IMPLEMENTATIONS:
        coder = PartitionedORC(
            Partition(tuple(intervals)),
            num_candidates,
            block=block,
            chunk_elements=3000,
            implementation=implementation,
        )
        key = torch.arange(batch) * 7919 - 2
        codes.append(coder.encode_best(target, key, seeded(seed), min(keep, num_candidates)))
    (eager, eager_scores), (fused, fused_scores) = codes
    assert torch.equal(eager.bins, fused.bins)
    assert torch.equal(eager.ranks, fused.ranks)
    assert torch.equal(eager_scores, fused_scores)
    assert (eager_scores.diff(dim=1) <= 0).all()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_code_does_not_depend_on_batch_or_chunks(implementation):
    target, key = random_target(37, 5), torch.arange(37) * 1_000_003
    partition = Partition((4, 1, 16, 2, 3))
    whole = PartitionedORC(partition, 150, implementation=implementation)
    code, scores = whole.encode_best(target, key, seeded(), 3)
    order = torch.randperm(37, generator=seeded())
    for chunk_elements, batch in itertools.product((1, 1000, 1 << 20), (1, 5, 37)):
        coder = PartitionedORC(
            partition, 150, chunk_elements=chunk_elements, implementation=implementation
        )
        if chunk_elements == 1 and batch > 1:
            continue
        for items in order.split(batch)[:3]:
            part = DiagonalGaussian(target.mean[items], target.scale[items])
            other, other_scores = coder.encode_best(part, key[items], seeded(), 3)
            assert torch.equal(other.bins, code.bins[items])
            assert torch.equal(other.ranks, code.ranks[items])
            assert torch.equal(other_scores, scores[items])


def test_the_layout_in_memory_does_not_matter():
    target, coder = random_target(6, 4), PartitionedORC(Partition((4, 1, 3, 2)), 100)
    strided = DiagonalGaussian(target.mean.T.clone().T, target.scale.T.clone().T.requires_grad_())
    codes = [coder.encode(t, 3, seeded()) for t in (target, strided)]
    assert torch.equal(codes[0].ranks, codes[1].ranks)
    assert torch.equal(codes[0].bins, codes[1].bins)


def test_what_encode_scored_is_what_decode_returns():
    target, key = random_target(200, 6), torch.arange(200)
    partition = Partition((4, 4, 1, 2, 9, 1))
    coder = PartitionedORC(partition, 1)
    code, scores = coder.encode_best(target, key, seeded(), 1)
    z = coder.decode(code[:, 0], key)
    assert z.dtype == torch.int64
    masses = sum(
        target.log2_interval_masses(d, count).gather(1, code.bins[:, 0, d, None])[:, 0]
        for d, count in enumerate(partition.intervals)
    )
    ratio = target.log2_ratio(to_float(z, torch.float64)) - masses - partition.log2_bins
    # With one candidate, only the logarithm of one exponential is left, mean -0.83 bits.
    log2_times = ratio - scores[:, 0]
    assert (2**log2_times).mean().item() == pytest.approx(1, abs=0.25)
    assert torch.equal(coder.decode(code, key)[:, 0], z)


def test_candidates_that_share_a_bin_get_different_draws():
    target, key = random_target(20, 3), torch.arange(20)
    coder = PartitionedORC(Partition((2, 1, 2)), 200)
    code, _ = coder.encode_best(target, key, seeded(), keep=200)
    z = coder.decode(code, key)
    for item in range(20):
        names = {
            (*b, r)
            for b, r in zip(code.bins[item].tolist(), code.ranks[item].tolist(), strict=True)
        }
        assert len(names) == 200
        assert len(z[item].unique(dim=0)) == 200
        assert code.ranks[item].max() > 40


def test_rank_within_bin_counts_earlier_equals():
    bins = torch.tensor([[5, 5, 1, 5, 1, 0], [2, 3, 4, 3, 2, 2]])
    assert rank_within_bin(bins).tolist() == [[0, 1, 0, 2, 1, 0], [0, 0, 0, 1, 1, 2]]
    assert rank_within_bin(bins[:0]).shape == (0, 6)


def test_items_with_different_keys_differ_and_with_the_same_key_agree():
    one = random_target(1, 6)
    target = DiagonalGaussian(one.mean.expand(64, 6), one.scale.expand(64, 6))
    coder = PartitionedORC(Partition((2, 2, 2, 2, 1, 1)), 256)
    assert len(coder.encode(target, 9, seeded()).ranks.unique()) == 1
    z = coder.decode(coder.encode(target, torch.arange(64), seeded()), torch.arange(64))
    assert len(z.unique(dim=0)) == 64


def test_blocks_draw_independently():
    target, partition = random_target(30, 4), Partition((2, 1, 4, 1))
    coders = [PartitionedORC(partition, 64, block=block) for block in (0, 1)]
    codes = [coder.encode(target, 3, seeded()) for coder in coders]
    assert not torch.equal(codes[0].ranks, codes[1].ranks)
    assert not (coders[0].decode(codes[0], 3) == coders[1].decode(codes[0], 3)).any()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("dim", [1, 62, 256])
def test_one_dimension_and_many(implementation, dim):
    partition = Partition(tuple(2 if d < 62 and dim > 1 else 1 for d in range(dim)))
    coder = PartitionedORC(partition, 50, implementation=implementation)
    code = coder.encode(random_target(3, dim), 1, seeded())
    z = to_float(coder.decode(code, 1))
    assert z.shape == (3, dim)
    assert torch.equal(code.bins, ((z > 0) & (torch.tensor(partition.intervals) > 1)).long())


def test_extreme_targets_stay_finite():
    mean = torch.tensor([[10.0, 0.5, -10.0], [0.0, 2.0, 1e30], [6.0, -6.0, 0.0]])
    scale = torch.tensor([[1.0, 1e-6, 2.0], [1e-30, 1e30, 1.0], [0.01, 0.1, 1e-6]])
    coder = PartitionedORC(Partition((16, 1 << 20, 16)), 4096)
    target = DiagonalGaussian(mean, scale)
    code, scores = coder.encode_best(target, 0, seeded(), 2)
    z = to_float(coder.decode(code[:, 0], 0), torch.float64)
    assert scores.isfinite().all()
    assert z[0, 0] > 4
    assert z[0, 1].item() == pytest.approx(0.5, abs=6e-6)
    assert z[1, 2] > 1.5


def test_no_items():
    coder = PartitionedORC(Partition((2, 1)), 10)
    code = coder.encode(random_target(0, 2), 1, seeded())
    assert coder.decode(code, 1).shape == (0, 2)
    assert coder.search_kl_bits(random_target(0, 2)).shape == (0,)


def test_encoding_from_several_threads():
    target, coder = random_target(64, 4), PartitionedORC(Partition((2, 3, 1, 4)), 500)
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda seed: coder.encode(target, 1, seeded(seed)), [5] * 8))
    assert all(torch.equal(code.ranks, codes[0].ranks) for code in codes)


def test_search_kl_is_the_divergence_from_the_proposal():
    target = random_target(5, 3)
    plain, partition = Partition((1, 1, 1)), Partition((4, 9, 2))
    kl_bits = target.kl_bits().sum(1)
    torch.testing.assert_close(PartitionedORC(plain, 1).search_kl_bits(target), kl_bits)
    expected = kl_bits - partition.log2_bins
    for d, count in enumerate(partition.intervals):
        log2_masses = target.log2_interval_masses(d, count)
        expected -= (log2_masses.exp2() * log2_masses).nan_to_num().sum(1)
    coder = PartitionedORC(partition, 1, chunk_elements=20)
    torch.testing.assert_close(coder.search_kl_bits(target), expected, atol=1e-6, rtol=0)


def test_logarithms_and_arrival_times():
    near_1 = 1 + torch.rand(9999).double() * 1e-3
    x = torch.cat(
        [torch.rand(9999).double() * 2**40, near_1, torch.linspace(0.6, 2.9, 9999).double()]
    )
    torch.testing.assert_close(series_log2(x), torch.log2(x), rtol=2**-28, atol=0)
    words = torch.randint(1 << 32, (3, 50), generator=seeded())
    exponentials = -torch.log((words.double() + 0.5) / 2**32)
    left = torch.arange(50, 0, -1).double()
    for arrivals, times in (
        ("ordered", (exponentials * 50 / left).cumsum(1)),
        ("unordered", exponentials * 50),
        ("poisson", exponentials.cumsum(1)),
    ):
        computed = log2_times(arrival_times(words, 0, arrivals, 50))
        torch.testing.assert_close(computed, times.log2(), rtol=0, atol=1e-6)
        parts = [
            arrival_times(part, 25 * i, arrivals, 50) for i, part in enumerate(words.split(25, 1))
        ]
        carry = 0 if arrivals == "unordered" else parts[0][:, -1:]
        torch.testing.assert_close(log2_times(parts[1] + carry), computed[:, 25:], rtol=0, atol=0)
    ends = log2_times(
        arrival_times(torch.tensor([[(1 << 32) - 1, 0], [0, (1 << 32) - 1]]), 0, "ordered", 2)
    )
    assert ends.isfinite().all()
