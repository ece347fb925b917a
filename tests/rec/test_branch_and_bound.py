"""AStar and BranchAndBoundGPRS against the pseudocode, and their promises."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from rec.branch_and_bound_coders import CODERS, repeated
from rec.coders import seeded
from rec.reference import philox_of_integers
from recvae.exact.gaussian import quantile
from recvae.rec import Code, DiagonalGaussian, branch_and_bound
from recvae.rec.branch_and_bound import AStar, BranchAndBoundGPRS
from recvae.rec.positions import Streams, shortest_position


def random_target(batch: int, dim: int, seed: int = 0) -> DiagonalGaussian:
    mean = 1.2 * torch.rand((batch, dim), generator=seeded(seed)) - 0.6
    scale = 0.01 + 0.9 * torch.rand((batch, dim), generator=seeded(seed + 1))
    return DiagonalGaussian(mean, scale)


def log2_sigma(mean: float, scale: float, z: float) -> float:
    """Of the mode's lower side for positive means, by quadrature over the interval's end."""
    mode = mean / (1 - scale**2)

    def rate(x):
        h = stats.norm.pdf(x, mean, scale) / stats.norm.pdf(x)
        image = 2 * mode - x
        survival = np.diff(stats.norm.cdf([x, image], mean, scale))[0]
        survival -= h * np.diff(stats.norm.cdf([x, image]))[0]
        return h * (x - (x - mean) / scale**2) / survival

    end = min(z, 2 * mode - z)
    if end < mean - 7 * scale:
        return -math.inf
    return math.log2(integrate.quad(rate, mean - 8 * scale, end, limit=200)[0])


def search_by_the_pseudocode(rule, mean, scale, key, block, dimension, seed):
    """Interval, rank, position and number of candidates of one dimension, in plain Python."""
    seed_words = torch.randint(1 << 32, (2,), generator=seeded(seed)).tolist()
    words_of_key = (key & 0xFFFFFFFF, key >> 32)
    private = philox_of_integers((*words_of_key, block, 1), seed_words)[:2]
    shared = philox_of_integers((block, 0, 0, 0), words_of_key)[:2]
    mode = mean / (1 - scale**2)
    low, high, time, best, k = 0, 1 << 32, 0.0, None, 0

    def ratio(z):
        return stats.norm.pdf(z, mean, scale) / stats.norm.pdf(z)

    while True:
        word = philox_of_integers((dimension, 0, k, 0), private)[0]
        time -= math.log((word + 0.5) / 2**32) * 2**32 / (high - low)
        word = philox_of_integers((dimension, 0, k, 0), shared)[0]
        x = low + (word * (high - low) >> 32)
        z = quantile(torch.tensor(x)).item() / 2**28
        if rule is BranchAndBoundGPRS:
            best = (0.0, low, high, k, x)
            over = time < 2 ** log2_sigma(mean, scale, z)
        else:
            if best is None or time / ratio(z) < best[0]:
                best = (time / ratio(z), low, high, k, x)
            over = best[0] <= time / ratio(mode)
        k += 1
        if over:
            return *best[1:], k
        low, high = (x + 1, high) if z < mode else (low, x)


@pytest.mark.parametrize("coder", CODERS)
def test_search_is_the_pseudocode(coder):
    mean, scale, key, block, seed = [1.0, 0.5, 0.0], [0.3, 0.02, 0.5], 0xFEDCBA9876543210, 6, 11
    target = repeated(mean, scale, 1)
    coder = coder(3, block)
    found = coder.search(target, key, seeded(seed))
    positions = coder.decode(found.code, key)[0].tolist()
    bits = 0.0
    for d in range(3):
        low, high, rank, position, drawn = search_by_the_pseudocode(
            type(coder), mean[d], scale[d], key, block, d, seed
        )
        assert found.code.ranks[0, d] == rank
        assert low <= found.code.bins[0, d, 0] < high
        assert found.num_drawn[0, d] == drawn
        assert positions[d] == quantile(torch.tensor(position)).item()
        bits += 32 - math.log2(high - low)
    assert coder.bin_bits(found.code, key).tolist() == pytest.approx([bits])
    assert found.num_drawn.max() > 3


@pytest.mark.parametrize("coder", CODERS)
def test_golden_codes(coder):
    target = repeated([0.5, -1.0, 0.0, 2.0], [0.25, 0.5, 1.0, 0.0078125], 2)
    key, expected = torch.tensor([17, -17]), GOLDEN[coder]
    code = coder(4).encode(target, key, seeded())
    assert code.bins[..., 0].tolist() == expected["bins"]
    assert code.ranks.tolist() == expected["ranks"]
    assert coder(4).decode(code, key).tolist() == expected["z"]


GOLDEN = {
    AStar: {
        "bins": [[0, 0, 0, 4160749568], [3221225472, 0, 0, 4198498304]],
        "ranks": [[0, 3, 0, 8], [4, 3, 0, 10]],
        "z": [
            [172649553, -311254570, -259087504, 532983630],
            [170546573, -382076896, -160786594, 534015416],
        ],
    },
    BranchAndBoundGPRS: {
        "bins": [[0, 0, 0, 4196401152], [3221225472, 0, 0, 4196401152]],
        "ranks": [[0, 2, 0, 20], [4, 1, 0, 14]],
        "z": [
            [172649553, -240541488, -259087504, 536736051],
            [170546573, -120776116, -160786594, 537285784],
        ],
    },
}


@pytest.mark.parametrize("coder", CODERS)
def test_a_code_does_not_depend_on_batch_order_or_chunks(coder, monkeypatch):
    target, key, coder = random_target(61, 3), torch.arange(61) * 1_000_003, coder(3)
    whole = coder.search(target, key, seeded())
    order = torch.randperm(61, generator=seeded())
    for chunk, batch in ((1 << 14, 1), (7, 61), (64, 20)):
        monkeypatch.setattr(branch_and_bound, "CHUNK_COORDINATES", chunk)
        for items in order.split(batch)[:3]:
            part = DiagonalGaussian(target.mean[items], target.scale[items])
            found = coder.search(part, key[items], seeded())
            assert torch.equal(found.code.bins, whole.code.bins[items])
            assert torch.equal(found.code.ranks, whole.code.ranks[items])
            assert torch.equal(found.num_drawn, whole.num_drawn[items])
            z, bits = coder.decode(whole.code, key), coder.bin_bits(whole.code, key)
            assert torch.equal(coder.decode(found.code, key[items]), z[items])
            assert torch.equal(coder.bin_bits(found.code, key[items]), bits[items])


@pytest.mark.parametrize("coder", CODERS)
def test_keys_blocks_dimensions_and_seeds_draw_independently(coder):
    target = repeated([0.5] * 4, [0.1] * 4, 200)
    codes = {
        name: coder(4, block).encode(target, key, seeded(seed))
        for name, block, key, seed in (
            ("same key", 0, 9, 1),
            ("keys", 0, torch.arange(200), 1),
            ("block", 1, 9, 1),
            ("seed", 0, torch.arange(200), 2),
        )
    }
    z = {
        name: coder(4, int(name == "block")).decode(
            code, torch.arange(200) if name in ("keys", "seed") else 9
        )
        for name, code in codes.items()
    }
    assert len(z["same key"].unique(dim=0)) == 1
    assert len(z["same key"][0].unique()) == 4
    assert len(z["keys"].unique(dim=0)) == 200
    assert len(z["keys"].unique()) == 800
    assert not torch.equal(z["block"], z["same key"])
    # The sender's seed moves the choice among the same candidates.
    agree = (z["seed"] == z["keys"]).double().mean()
    assert 0.1 < agree < 0.9


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("dim", [1, 256])
def test_shapes(coder, batch, dim):
    coder, target = coder(dim), random_target(batch, dim)
    found = coder.search(target, 3, seeded())
    assert found.code.bins.shape == (batch, dim, 1)
    assert found.code.ranks.shape == found.num_drawn.shape == found.capped.shape == (batch, dim)
    z = coder.decode(found.code, 3)
    assert z.shape == (batch, dim)
    assert z.dtype == torch.int64
    assert coder.bin_bits(found.code, 3).shape == (batch,)


def test_gradients_and_layout_in_memory_do_not_matter():
    target = random_target(6, 4)
    strided = DiagonalGaussian(target.mean.T.clone().T, target.scale.T.clone().T.requires_grad_())
    codes = [BranchAndBoundGPRS(4).encode(t, 3, seeded()) for t in (target, strided)]
    assert torch.equal(codes[0].bins, codes[1].bins)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 0}, "dim: got 0, need at least 1"),
        ({"block": -1}, "block: got -1"),
        ({"block": 1 << 32}, "block: got"),
        ({"max_candidates": 0}, "max_candidates: got 0, need 1 to 2\\^24"),
    ],
)
def test_bad_coders(coder, arguments, message):
    with pytest.raises(ValueError, match=message):
        coder(**{"dim": 2, **arguments})


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize(
    ("mean", "scale", "key", "message"),
    [
        ([0.0], [0.5], 0, "target: got dim 1, need the coder's, 2"),
        ([0.0, 0.0], [0.5, 1.01], 0, "scale: got one above 1, need at most 1"),
        ([0.0, 6.0], [0.5, 0.5], 0, "mean: got a target too far out"),
        ([0.0, 5.0], [0.5, 1e-6], 0, "scale: got a target too narrow"),
        ([0.0, 0.0], [0.5, 0.5], -1, "key: got -1"),
        ([0.0, 0.0], [0.5, 0.5], torch.arange(3), "key: got torch.int64 of shape \\(3,\\)"),
    ],
)
def test_bad_calls(coder, mean, scale, key, message):
    with pytest.raises(ValueError, match=message):
        coder(2).search(repeated(mean, scale, 1), key, seeded())


def test_bad_codes():
    coder = AStar(2)
    code = coder.encode(repeated([0.5, 0.5], [0.01, 0.01], 1), 5, seeded())
    assert (code.ranks > 2).all()
    drawn_first = [int(x) for x in first_positions(key=5, dim=2)]
    shifted = code.bins.clone()
    shifted[0, 0, 0] += 1
    cases = [
        (code.bins[:, :1], code.ranks[:, :1], "code: got dim 1, need the coder's, 2"),
        (code.bins.expand(1, 2, 2), None, "bins: got shape"),
        (code.bins - (1 << 32), code.ranks, "bins: got one out of range"),
        (code.bins + (1 << 32), code.ranks, "bins: got one out of range"),
        (code.bins, code.ranks - 20, "ranks: got one out of range, need \\[0, 512\\)"),
        (code.bins, code.ranks + 512, "ranks: got one out of range"),
        (shifted, code.ranks, "bins: got a position that is not the shortest"),
        (code.bins, code.ranks - 1, "bins: got a position that is not the shortest"),
        (torch.tensor([[[drawn_first[0]], [0]]]), code.ranks, "bins: got a position that was"),
    ]
    for bins, ranks, message in cases:
        for use in (coder.decode, coder.bin_bits):
            with pytest.raises(ValueError, match=message):
                use(Code(bins, code.ranks if ranks is None else ranks), 5)


def first_positions(key: int, dim: int) -> list[int]:
    shared = philox_of_integers((0, 0, 0, 0), (key, 0))[:2]
    return [philox_of_integers((d, 0, 0, 0), shared)[0] for d in range(dim)]


BOUNDS = st.tuples(st.integers(0, 1 << 32), st.integers(0, 1 << 32)).filter(lambda b: b[0] != b[1])


@settings(deadline=None)
@given(BOUNDS)
def test_the_shortest_position_has_the_most_trailing_zeros(bounds):
    low, high = min(bounds), max(bounds)
    position = shortest_position(torch.tensor([low]), torch.tensor([high])).item()
    for zeros in reversed(range(33)):
        multiples = range(-(-low >> zeros) << zeros, high, 1 << zeros)
        if multiples:
            assert position in multiples
            assert position == 0 or len(multiples) == 1
            # One bit more than -log2 P names it, at most.
            assert 32 - zeros <= 32 - math.log2(high - low) + 1
            return


@settings(deadline=None)
@given(BOUNDS, st.integers(0, (1 << 64) - 1))
def test_positions_are_computed_without_overflow(bounds, key):
    low, high = min(bounds), max(bounds)
    words = (torch.tensor([key & 0xFFFFFFFF]), torch.tensor([key >> 32]))
    streams = Streams(words, torch.tensor([3]))
    word = philox_of_integers((3, 0, 7, 0), (key & 0xFFFFFFFF, key >> 32))[0]
    position = streams.positions(7, torch.tensor([low]), torch.tensor([high])).item()
    assert position == low + (word * (high - low) >> 32)
