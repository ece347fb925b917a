import json
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recvae.codec.range_coder import RangeDecoder, RangeEncoder
from recvae.codec.vae.ranks import decode_ranks, encode_ranks
from recvae.rec import (
    IndexCode,
    elias_delta_code,
    fit_bucket_code,
    fit_zeta_exponent,
    fixed_length_code,
    zeta_code,
    zeta_exponent,
)


def geometric_ranks(count: int, mean: float, num_candidates: int) -> torch.Tensor:
    ranks = np.random.default_rng(0).geometric(1 / mean, count) - 1
    return torch.from_numpy(ranks[ranks < num_candidates])


def log_uniform_ranks(count: int, log2_candidates: int) -> torch.Tensor:
    """Ranks equally likely in each octave, including the first and the last."""
    logs = np.random.default_rng(0).uniform(0, log2_candidates, count - 2)
    ranks = np.exp2(logs).astype(np.int64) - 1
    return torch.from_numpy(np.concatenate([[0, (1 << log2_candidates) - 1], ranks]))


@settings(deadline=None)
@given(st.sampled_from([1, 2, 3, 255, 256, 1000, 1 << 12]), st.floats(0, 5), st.booleans())
def test_split_and_join_cover_all_ranks(num_candidates, exponent, zeta):
    if zeta:
        code = zeta_code(exponent, num_candidates)
    else:
        code = fit_bucket_code(torch.arange(num_candidates), num_candidates)
    assert sum(code.frequencies) == 1 << 24
    assert min(code.frequencies) >= 1
    ranks = torch.arange(num_candidates)
    buckets, places = code.split(ranks)
    assert (places >= 0).all()
    assert (places < 2 ** torch.tensor(code.raw_bits)[buckets]).all()
    assert torch.equal(code.join(buckets, places), ranks)
    # Kraft: no more than all code space, and buckets past the last rank waste at most half.
    assert 0.4 < torch.exp2(-code.bits(ranks)).sum().item() <= 1 + 1e-9


def test_bits_of_known_frequencies():
    code = IndexCode((1 << 23, 1 << 22, 1 << 22), (0, 1, 2))
    assert code.bits(torch.tensor([0, 1, 2, 3, 6])).tolist() == [1.0, 3.0, 3.0, 4.0, 4.0]
    assert code.bits(torch.tensor([0])).dtype == torch.float64
    assert code.bits(torch.zeros(0, dtype=torch.int64)).shape == (0,)


def test_zeta_code_costs_what_the_zeta_law_says():
    ranks = torch.arange(1 << 12)
    for exponent in (1.1, 1.5, 2.5):
        weights = torch.arange(1, (1 << 12) + 1).double() ** -exponent
        ideal = -torch.log2(weights / weights.sum())
        bits = zeta_code(exponent, 1 << 12).bits(ranks)
        assert (weights / weights.sum() * (bits - ideal)).sum().abs() < 1e-4
        assert (bits - ideal).abs()[:64].max() < 0.02


@pytest.mark.parametrize("exponent", [0.5, 0.9, 1.1, 1.3, 3.0])
def test_zeta_code_of_many_candidates_costs_what_the_zeta_law_says(exponent):
    total = float(mpmath.zeta(exponent) - mpmath.zeta(exponent, (1 << 40) + 1))
    # Frequencies are large here, so their rounding is small.
    ranks = torch.tensor([0, 1, 9] if exponent > 1 else [1 << 36, 1 << 38, (1 << 40) - 2])
    ideal = exponent * torch.log2(ranks + 1.0) + math.log2(total)
    bits = zeta_code(exponent, 1 << 40).bits(ranks)
    assert bits.tolist() == pytest.approx(ideal.tolist(), abs=0.01)


def test_zeta_exponent_is_the_formula():
    assert zeta_exponent(10.0) == 1 + 1 / (11 + math.log2(math.e) / math.e)
    assert zeta_exponent(10.0, excess_bits=0.0) == 1 + 1 / 11  # greedy Poisson rejection sampling
    assert zeta_exponent(-3.0) == zeta_exponent(0.0)


def test_fitted_exponent_is_the_best():
    ranks = geometric_ranks(5000, 20, 4096)
    exponent = fit_zeta_exponent(ranks, 4096)
    cost = [
        zeta_code(s, 4096).bits(ranks).mean() for s in (exponent - 0.05, exponent, exponent + 0.05)
    ]
    assert cost[1] < min(cost[0], cost[2])
    assert fit_zeta_exponent(torch.zeros(9, dtype=torch.int64), 64) == pytest.approx(64)
    assert fit_zeta_exponent(torch.full((9,), 63), 64) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("mean", [3, 50, 5000])
def test_fitted_exponent_of_many_candidates_solves_the_likelihood_equation(mean):
    num_candidates = (1 << 20) - 777
    ranks = geometric_ranks(5000, mean, num_candidates)
    logs = np.log(np.arange(1.0, num_candidates + 1))
    weights = np.exp(-fit_zeta_exponent(ranks, num_candidates) * logs)
    expected = weights @ logs / weights.sum()
    assert np.log(ranks.numpy() + 1.0).mean() == pytest.approx(expected, rel=1e-9)


def test_elias_delta_lengths():
    def delta(number):
        """As in the paper: gamma code of the number of digits, then the digits except the first."""
        digits = f"{number:b}"
        length = f"{len(digits):b}"
        return 2 * len(length) - 1 + len(digits) - 1

    code = elias_delta_code()
    ranks = log_uniform_ranks(2000, 40)
    ranks = ranks[ranks < (1 << 40) - 1]
    assert code.bits(ranks).tolist() == [delta(rank + 1) for rank in ranks.tolist()]
    assert code.bits(torch.tensor([(1 << 40) - 1])).item() == pytest.approx(5.2, abs=0.05)
    with pytest.raises(ValueError, match="out of range"):
        code.bits(torch.tensor([1 << 40]))


def test_fixed_length():
    for num_candidates, bits in ((1, 0.0), (2, 1.0), (5, 3.0), (8, 3.0), (1 << 40, 40.0)):
        code = fixed_length_code(num_candidates)
        assert code.bits(torch.tensor([0, num_candidates - 1])).tolist() == [bits, bits]


@pytest.mark.parametrize("log2_candidates", [0, 1, 12, 20, 21, 40])
@pytest.mark.parametrize(
    "make",
    [
        lambda ranks, n: zeta_code(zeta_exponent(8.0), n),
        lambda ranks, n: zeta_code(fit_zeta_exponent(ranks, n), n),
        lambda ranks, n: elias_delta_code(),
        lambda ranks, n: fit_bucket_code(ranks, n),
        lambda ranks, n: fixed_length_code(n),
    ],
    ids=["zeta of the KL", "zeta fitted", "Elias delta", "histogram", "fixed length"],
)
def test_the_range_coder_spends_what_bits_says(make, log2_candidates):
    ranks = log_uniform_ranks(5000, log2_candidates)
    code = make(ranks, 1 << log2_candidates)
    encoder = RangeEncoder()
    encode_ranks(encoder, code, ranks)
    data = encoder.finish()
    assert torch.equal(decode_ranks(RangeDecoder(data), code, len(ranks)), ranks)
    assert len(data) * 8 == pytest.approx(code.bits(ranks).sum().item(), abs=64)


def test_buckets_beat_zeta_on_geometric_ranks():
    ranks = geometric_ranks(5000, 20, 4096)
    buckets = fit_bucket_code(ranks, 4096)
    zeta = zeta_code(fit_zeta_exponent(ranks, 4096), 4096)
    entropy = -math.log2(1 / 20) - 19 * math.log2(19 / 20)
    assert entropy < buckets.bits(ranks).mean() < entropy + 0.15
    assert buckets.bits(ranks).mean() < zeta.bits(ranks).mean() - 0.3


def test_unseen_ranks_can_be_coded():
    code = fit_bucket_code(torch.zeros(1000, dtype=torch.int64), 1 << 12)
    assert code.bits(torch.tensor([0])).item() < 0.02
    assert code.bits(torch.tensor([4095])).item() < 12 + 24
    assert len(fit_bucket_code(torch.zeros(0, dtype=torch.int64), 5).frequencies) == 3


def test_json_round_trip():
    for code in (zeta_code(1.3, 1000), fit_bucket_code(torch.tensor([0, 5, 9]), 10)):
        assert IndexCode.from_json(json.loads(json.dumps(code.to_json()))) == code


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frequencies": [1 << 24]}, "index code: got fields"),
        ({"frequencies": [1 << 23], "raw_bits": [0]}, "frequencies: got"),
        ({"frequencies": [1 << 24, 0], "raw_bits": [0, 1]}, "frequencies: got"),
        ({"frequencies": [float(1 << 24)], "raw_bits": [0]}, "frequencies: got"),
        ({"frequencies": [1 << 24], "raw_bits": [0, 1]}, "raw_bits: got 2, need 1"),
        ({"frequencies": [1 << 24], "raw_bits": [41]}, "raw_bits: got \\(41,\\)"),
        ({"frequencies": [1 << 24], "raw_bits": [-1]}, "raw_bits: got \\(-1,\\)"),
    ],
)
def test_bad_fields(fields, message):
    with pytest.raises(ValueError, match=message):
        IndexCode.from_json(fields)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zeta_code(-0.1, 10), "exponent: got -0.1"),
        (lambda: zeta_code(math.nan, 10), "exponent: got nan"),
        (lambda: zeta_code(1.0, 0), "num_candidates: got 0"),
        (lambda: zeta_code(1.0, (1 << 40) + 1), "num_candidates: got 1099511627777"),
        (lambda: fixed_length_code(0), "num_candidates: got 0"),
        (lambda: IndexCode((1 << 22,) * 4, (40,) * 4), "more than 2\\^41 ranks"),
        (lambda: fit_bucket_code(torch.tensor([10]), 10), "ranks: got one out of range"),
        (lambda: fit_bucket_code(torch.tensor([1.0]), 10), "ranks: got torch.float32"),
        (lambda: fit_zeta_exponent(torch.zeros(0, dtype=torch.int64), 10), "ranks: got none"),
        (lambda: zeta_code(1.0, 10).bits(torch.tensor([10])), "ranks: got one out of range"),
        (lambda: zeta_code(1.0, 10).bits(torch.tensor([-1])), "ranks: got one out of range"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
