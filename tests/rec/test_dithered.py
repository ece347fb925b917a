"""DitheredQuantisation: the law of its samples, its bits, and its promises.

Fixed seeds; laws are tested at significance 0.01.
"""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from rec.goodness import follows_target
from rec.reference import philox_of_integers
from recvae.exact.gaussian import quantile, to_float
from recvae.rec import Code, DiagonalGaussian
from recvae.rec.dithered import DitheredQuantisation

SAMPLES = 20_000
NOISES = ("gaussian", "uniform")


def make_target(mean: torch.Tensor, scale) -> DiagonalGaussian:
    row = torch.tensor(scale, dtype=mean.dtype)
    return DiagonalGaussian(mean, row.expand(mean.shape).contiguous())


def aggregated(scale, samples=SAMPLES, dtype=torch.float64) -> DiagonalGaussian:
    """Targets whose samples are N(0, I) in the mean over targets."""
    generator = torch.Generator().manual_seed(0)
    spread = (1 - torch.tensor(scale, dtype=dtype).square()).sqrt()
    mean = torch.randn((samples, len(scale)), generator=generator, dtype=dtype) * spread
    return make_target(mean, scale)


def sent(coder, target, key):
    code = coder.encode(target, key, torch.Generator())
    z = to_float(coder.decode(code, key), torch.float64)
    return code, (z - target.mean.double()) / target.scale.double()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("mean", [None, [0.0, 2.5, -5.0]])
def test_gaussian_noise_gives_samples_of_the_target(mean, dtype):
    """The dimensions are independent, too: of `follows_target` by covariances and projections."""
    scale, key = (1e-4, 0.3, 1.0), torch.arange(SAMPLES)
    coder, target = DitheredQuantisation(scale), aggregated(scale, dtype=dtype)
    if mean is not None:
        target = make_target(torch.tensor(mean, dtype=dtype).repeat(SAMPLES, 1), scale)
    _, standardised = sent(coder, target, key)
    assert follows_target(standardised)
    # One width for all is another law, and so is one wrong by a factor 1.05.
    _, uniform = sent(DitheredQuantisation(scale, "uniform"), target, key)
    assert not follows_target(uniform, significance=1e-6)
    assert not follows_target(1.05 * standardised, significance=1e-6)


def test_uniform_noise_is_uniform_with_the_target_s_mean_and_variance():
    scale, key = (1e-4, 0.3, 1.0), torch.arange(SAMPLES)
    _, standardised = sent(DitheredQuantisation(scale, "uniform"), aggregated(scale), key)
    law = stats.uniform(-math.sqrt(3), 2 * math.sqrt(3))
    for d in range(3):
        assert stats.kstest(standardised[:, d].numpy(), law.cdf).pvalue > 0.01 / 3
    correlations = torch.corrcoef(standardised.T)[~torch.eye(3, dtype=torch.bool)]
    assert correlations.abs().max() < 4 / SAMPLES**0.5


@pytest.mark.parametrize("scale", [1e-4, 0.02, 0.3, 0.9])
def test_bits_are_the_mutual_information_and_a_known_gap(scale):
    """At high rates: h(Z) - E[log2 Delta] - I, with I = -log2 scale."""
    key, target = torch.arange(SAMPLES), aggregated((scale,))
    entropy = math.log2(2 * math.pi * math.e) / 2
    mean_log2_chi = float(stats.chi(3).expect(np.log2))
    gaps = {"uniform": entropy - math.log2(12) / 2, "gaussian": entropy - 1 - mean_log2_chi}
    for noise, gap in gaps.items():
        coder = DitheredQuantisation((scale,), noise)
        code, _ = sent(coder, target, key)
        bits = coder.bin_bits(code, key).mean().item()
        assert bits > -math.log2(scale)
        if scale < 0.1:
            # The standard error is below 0.01.
            assert bits == pytest.approx(-math.log2(scale) + gap, abs=0.03)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("scale", [0.05, 0.5, 3.0])
def test_bits_are_those_of_probabilities_that_sum_to_one(noise, scale):
    k = torch.arange(-400, 401)
    code, key = Code(k[:, None, None], torch.zeros_like(k)[:, None]), torch.full_like(k, 7)
    bits = DitheredQuantisation((scale,), noise).bin_bits(
        code[k.abs() * scale < 10], key[:1].item()
    )
    assert torch.exp2(-bits).sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("k", [-20, -3, 0, 4, 19])
def test_bits_against_high_precision(k):
    coder, code = (
        DitheredQuantisation((0.5,), "uniform"),
        Code(torch.tensor([[[k]]]), torch.tensor([[0]])),
    )
    z, half = to_float(coder.decode(code, 7), torch.float64).item(), math.sqrt(3) / 2
    with mpmath.workdps(400):
        mass = mpmath.ncdf(z + half) - mpmath.ncdf(z - half)
        expected = float(-mpmath.log(mass, 2))
    assert coder.bin_bits(code, 7).item() == pytest.approx(expected, abs=1e-5)


def test_decode_is_the_definition():
    scale, key, block = (0.25, 0.5), 0xFEDCBA9876543210, 6
    shared = philox_of_integers((block, 0, 0, 0), (key & 0xFFFFFFFF, key >> 32))[:2]
    bins = [5, -3]
    code = Code(torch.tensor(bins).reshape(1, 2, 1), torch.zeros(1, 2, dtype=torch.int64))
    expected = {"gaussian": [], "uniform": []}
    for d in range(2):
        words = philox_of_integers((d, 0, 0, 0), shared)
        place = bins[d] + (words[0] + 0.5) / 2**32
        normals = (quantile(torch.tensor(words[1:])).double() / 2**28).tolist()
        width = 2 * scale[d] * math.sqrt(sum(x * x for x in normals))
        expected["gaussian"].append(round(width * place * 2**28))
        expected["uniform"].append(round(math.sqrt(12) * scale[d] * place * 2**28))
    for noise in NOISES:
        z = DitheredQuantisation(scale, noise, block).decode(code, key)
        assert z.dtype == torch.int64
        assert z[0].tolist() == pytest.approx(expected[noise], abs=1)


@pytest.mark.parametrize("noise", NOISES)
def test_golden_codes(noise):
    key, coder = torch.tensor([17, -17]), DitheredQuantisation((0.25, 0.5, 0.01), noise)
    mean = torch.tensor([[0.5, -1.0, 2.0], [-2.5, 0.25, 1.0]])
    code = coder.encode(make_target(mean, coder.scale), key, torch.Generator())
    assert code.bins[..., 0].tolist() == GOLDEN[noise]["bins"]
    assert (code.ranks == 0).all()
    assert coder.decode(code, key).tolist() == GOLDEN[noise]["z"]


GOLDEN = {
    "gaussian": {
        "bins": [[0, -2, 65], [-4, -1, 44]],
        "z": [[121447814, -204747806, 536217258], [-647231103, -44854521, 266033735]],
    },
    "uniform": {
        "bins": [[0, -1, 58], [-3, -1, 29]],
        "z": [[172015928, -107455503, 540889900], [-606092433, -65370673, 272220851]],
    },
}


@pytest.mark.parametrize("noise", NOISES)
def test_a_code_does_not_depend_on_the_batch_or_the_sender_s_generator(noise):
    coder, target = DitheredQuantisation((0.1, 0.4, 0.7), noise), aggregated((0.1, 0.4, 0.7), 50)
    key = torch.arange(50) * 7919 - 5
    whole = coder.search(target, key, torch.Generator().manual_seed(1))
    assert (whole.num_drawn == 1).all()
    assert not whole.capped.any()
    z = coder.decode(whole.code, key)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    for items in order.split(17):
        part = DiagonalGaussian(target.mean[items], target.scale[items])
        code = coder.encode(part, key[items], torch.Generator().manual_seed(2))
        assert torch.equal(code.bins, whole.code.bins[items])
        assert torch.equal(coder.decode(code, key[items]), z[items])


def test_keys_blocks_and_dimensions_draw_independently():
    scale = (0.1,) * 4
    target, keys = make_target(torch.full((100, 4), 0.5), scale), torch.arange(100)
    z = {
        (block, shared): coder.decode(coder.encode(target, key, torch.Generator()), key)
        for block, coder in ((b, DitheredQuantisation(scale, block=b)) for b in (0, 1))
        for shared, key in ((False, keys), (True, 3))
    }
    assert len(z[0, True].unique(dim=0)) == 1
    assert len(z[0, True][0].unique()) == 4
    assert len(z[0, False].unique()) == 400
    assert not (z[0, False] == z[1, False]).any()


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("dim", [1, 256])
def test_shapes(noise, batch, dim):
    coder = DitheredQuantisation((0.5,) * dim, noise)
    found = coder.search(aggregated(coder.scale, batch), 3, torch.Generator())
    assert found.code.bins.shape == (batch, dim, 1)
    assert found.code.ranks.shape == found.num_drawn.shape == found.capped.shape == (batch, dim)
    assert coder.decode(found.code, 3).shape == (batch, dim)
    assert coder.bin_bits(found.code, 3).shape == (batch,)


@pytest.mark.parametrize("noise", NOISES)
def test_extremes_stay_within_half_a_width(noise):
    scale, key = (2.0**-20, 16.0), torch.arange(2000)
    mean = torch.tensor([[64.0, -64.0]]).repeat(2000, 1)
    _, standardised = sent(DitheredQuantisation(scale, noise), make_target(mean, scale), key)
    assert standardised.abs().max() < 6.4 * math.sqrt(3) + 0.01
    assert standardised.std(0).tolist() == pytest.approx([1, 1], abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": ()}, "scale: got \\(\\), need one in"),
        ({"scale": (0.5, 0.0)}, "scale: got"),
        ({"scale": (math.nan,)}, "scale: got"),
        ({"scale": (16.5,)}, "scale: got"),
        ({"noise": "laplace"}, "noise: got 'laplace'"),
        ({"block": -1}, "block: got -1"),
        ({"block": 1 << 32}, "block: got"),
    ],
)
def test_bad_coders(arguments, message):
    with pytest.raises(ValueError, match=message):
        DitheredQuantisation(**{"scale": (0.5,), **arguments})


@pytest.mark.parametrize(
    ("mean", "scale", "key", "message"),
    [
        ([0.0], (0.5,), 0, "target: got dim 1, need scale's, 2"),
        ([0.0, 0.0], (0.5, 0.3), 0, "scale: got a target with another scale"),
        ([0.0, 65.0], (0.5, 0.25), 0, "mean: got one beyond \\+-64"),
        ([0.0, 0.0], (0.5, 0.25), -1, "key: got -1"),
    ],
)
def test_bad_calls(mean, scale, key, message):
    with pytest.raises(ValueError, match=message):
        DitheredQuantisation((0.5, 0.25)).search(
            make_target(torch.tensor([mean]), scale), key, torch.Generator()
        )


@pytest.mark.parametrize(
    ("bins", "ranks", "message"),
    [
        ([[[0]]], [[0]], "code: got dim 1, need scale's, 2"),
        ([[[0, 1], [1, 0]]], [[0, 0]], "bins: got shape \\(1, 2, 2\\), need \\(batch, 2, 1\\)"),
        ([[[0], [0]]], [[0, 1]], "ranks: got one that is not 0"),
        ([[[0], [1 << 40]]], [[0, 0]], "bins: got one out of range"),
        ([[[-(1 << 62)], [0]]], [[0, 0]], "bins: got one out of range"),
    ],
)
def test_bad_codes(bins, ranks, message):
    coder = DitheredQuantisation((0.5, 0.25))
    for use in (coder.decode, coder.bin_bits):
        with pytest.raises(ValueError, match=message):
            use(Code(torch.tensor(bins), torch.tensor(ranks)), 0)
