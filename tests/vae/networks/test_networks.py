"""Decoders: their passes are their likelihood, and the exact decoder is close to the float one."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from recvae.exact import FRACTION_BITS, FixedPoint, exact_arithmetic, frequencies
from recvae.images import sample_images
from recvae.vae.networks import NETWORKS, Architecture, Decoder
from recvae.vae.networks.betabinomial import (
    BetaBinomialArguments,
    BetaBinomialDecoder,
    log_gamma,
    rising_factorial_table,
)
from recvae.vae.networks.layers import neighbourhoods, shuffle_2x2, windows_2x2
from recvae.vae.networks.passes import Pass, run_passes, sample_pixels
from recvae.vae.quantise import from_tensors, quantise

ARCHITECTURES = [
    Architecture("staged", 6, 28, 28, decoder={"channels": 16, "hidden": 24, "radius": 2}),
    Architecture("staged", 3, 13, 10, decoder={"channels": 8, "blocks": 1, "saturation": 200}),
    Architecture("mlp", 6, 28, 28, decoder={"hidden": 40}),
    Architecture("causal", 6, 28, 28, decoder={"channels": 16, "hidden": 24, "radius": 2}),
    Architecture("causal", 3, 5, 7, decoder={"channels": 8, "blocks": 1, "levels": 2}),
]


def pixels_for(architecture: Architecture) -> torch.Tensor:
    """Real images where they fit, and images with all kinds of histograms."""
    shape = (architecture.height, architecture.width)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, shape), np.zeros(shape), np.full(shape, 255)]
    images.append(np.arange(shape[0] * shape[1]).reshape(shape) % 256)
    if shape == (28, 28):
        images.extend(sample_images()[:6])
    return torch.from_numpy((np.stack(images) % architecture.levels).astype(np.uint8))


def perturbed_decoder(architecture: Architecture) -> torch.nn.Module:
    """A decoder whose every weight matters (training starts some of them at zero)."""
    torch.manual_seed(0)
    decoder = architecture.build()[1].eval().requires_grad_(False)
    for parameter in decoder.parameters():
        parameter += 0.03 * torch.randn_like(parameter)
    return decoder


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: f"{a.name}-{a.height}")
def test_passes_are_the_likelihood(architecture: Architecture) -> None:
    decoder, pixels = perturbed_decoder(architecture), pixels_for(architecture)
    z = torch.randn(len(pixels), architecture.latent_dim)
    total = torch.zeros(len(pixels), dtype=torch.float64)
    seen = torch.zeros(pixels.numel())

    def answer(step: Pass) -> torch.Tensor:
        symbols = step.to_symbols(pixels.flatten()[step.sites].long())
        assert (step.sites.diff() > 0).all()
        assert step.logits.shape == (len(step.sites), step.classes)
        assert symbols.numel() == 0 or 0 <= symbols.min() <= symbols.max() < step.logits.shape[1]
        log_p = -functional.cross_entropy(step.logits.double(), symbols, reduction="none")
        total.index_add_(0, step.sites // pixels[0].numel(), log_p)
        seen[step.sites] += 1
        return symbols

    assert torch.equal(run_passes(decoder.passes(z), answer), pixels.long())
    assert (seen >= 1).all()
    expected = decoder.log_likelihood_nats(z, pixels).double()
    # The beta-binomial's passes round its parameters to a grid.
    tolerance = 2e-2 if architecture.name == "mlp" else 1e-5
    assert torch.allclose(total, expected, rtol=tolerance)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_likelihood_is_the_derived_one(name: str) -> None:
    """Overrides of `Decoder.log_likelihood_nats` exist for speed and gradients only."""
    architecture = Architecture(name, 6)
    decoder, pixels = perturbed_decoder(architecture), pixels_for(architecture)
    z = torch.randn(len(pixels), architecture.latent_dim)
    derived = Decoder.log_likelihood_nats(decoder, z, pixels)
    assert derived.shape == (len(pixels),)
    # The beta-binomial's passes round its parameters to a grid.
    tolerance = 2e-2 if name == "mlp" else 1e-5
    assert torch.allclose(decoder.log_likelihood_nats(z, pixels), derived, rtol=tolerance)


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(
            one, marks=pytest.mark.slow if (one.name, one.height) == ("causal", 28) else ()
        )
        for one in ARCHITECTURES
    ],
    ids=lambda a: f"{a.name}-{a.height}",
)
def test_exact_decoder(architecture: Architecture) -> None:
    """Integers, near the float likelihood, the same in any batch, and back from its tensors."""
    decoder, pixels = perturbed_decoder(architecture), pixels_for(architecture)
    number = FixedPoint(7, 12)
    exact = quantise(decoder, number)
    again = from_tensors(architecture.build()[1], number, exact.state_dict())
    z = torch.randn(len(pixels), architecture.latent_dim).clamp(-6, 6)
    fixed = torch.round(z.double() * 2**FRACTION_BITS).long()

    def nats(model: torch.nn.Module, rows: slice) -> tuple[float, list[torch.Tensor]]:
        total, tables = 0.0, []

        def answer(step: Pass) -> torch.Tensor:
            nonlocal total
            assert (step.logits == step.logits.round()).all()
            symbols = step.to_symbols(pixels[rows].flatten()[step.sites].long())
            counts = frequencies(step.logits, number.fraction_bits)
            used = counts.gather(1, symbols[:, None])[:, 0].double()
            total += float((24 * np.log(2) - used.log()).sum())
            tables.append(counts)
            return symbols

        with exact_arithmetic():
            assert torch.equal(run_passes(model.passes(fixed[rows]), answer), pixels[rows].long())
        return total, tables

    total, tables = nats(exact, slice(None))
    expected = -float(decoder.log_likelihood_nats(z, pixels).sum())
    assert total == pytest.approx(expected, rel=0.02)
    assert all(torch.equal(a, b) for a, b in zip(nats(again, slice(None))[1], tables, strict=True))
    singles = [nats(exact, slice(i, i + 1))[1] for i in range(len(pixels))]
    for one_by_one, table in zip(zip(*singles, strict=True), tables, strict=True):
        assert torch.equal(torch.cat(one_by_one), table)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: f"{a.name}-{a.height}")
def test_no_images_are_decoded_to_none(architecture: Architecture) -> None:
    """As in a group of stored images only."""
    exact = quantise(architecture.build()[1], FixedPoint(7, 12))
    z = torch.zeros(0, architecture.latent_dim, dtype=torch.int64)
    shape = (0, architecture.height, architecture.width)
    assert run_passes(exact.passes(z), lambda step: step.sites).shape == shape


def test_from_tensors_refuses_what_does_not_fit() -> None:
    architecture = ARCHITECTURES[1]
    decoder, number = architecture.build()[1], FixedPoint(7, 12)
    good = quantise(decoder, number).state_dict()
    name = "decoder.zero.weight"
    cases = {
        "is missing": {k: v for k, v in good.items() if k != name},
        "is not part": good | {"decoder.more": good[name]},
        r"\(2, 7\); needed: .*\(2, 8\)": good | {name: good[name][:, 1:]},
        "torch.int16": good | {name: good[name].int()},
        "too large": good | {name: torch.full_like(good[name], 32767)},
    }  # fmt: skip
    for message, tensors in cases.items():
        with pytest.raises(ValueError, match=message):
            from_tensors(decoder, FixedPoint(7, 15) if "large" in message else number, tensors)


def test_shuffled_windows_are_a_transposed_convolution() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 5, 3, 4), torch.randn(4, 6, 4, 4)
    expected = functional.conv_transpose2d(x.permute(0, 3, 1, 2), weight, stride=2, padding=1)
    # Window (i, j) makes the pixels (2i - 1, 2i) x (2j - 1, 2j); tap (a, b) of it is pixel
    # (i - 1 + a, j - 1 + b), which reaches row r of them through kernel row 2 - 2a + 1 - r + ...
    matrix = torch.zeros(24, 16)
    for r in range(2):
        for s in range(2):
            for a in range(2):
                for b in range(2):
                    kernel = weight[:, :, 2 * (1 - a) + r, 2 * (1 - b) + s]
                    rows = slice((2 * r + s) * 6, (2 * r + s + 1) * 6)
                    columns = slice((2 * a + b) * 4, (2 * a + b + 1) * 4)
                    matrix[rows, columns] = kernel.T
    result = shuffle_2x2(windows_2x2(x) @ matrix.T).permute(0, 3, 1, 2)
    assert torch.allclose(result, expected, atol=1e-5)


def test_neighbourhoods() -> None:
    maps = torch.arange(2 * 4 * 5).reshape(2, 4, 5) + 1
    sites = torch.tensor([0, 7, 39])
    windows = neighbourhoods(maps, sites, 1).reshape(3, 3, 3)
    assert windows[0].tolist() == [[0, 0, 0], [0, 1, 2], [0, 6, 7]]
    assert windows[1].tolist() == [[2, 3, 4], [7, 8, 9], [12, 13, 14]]
    assert windows[2].tolist() == [[34, 35, 0], [39, 40, 0], [0, 0, 0]]


def test_log_gamma() -> None:
    x = torch.logspace(-4, 3.7, 3000, dtype=torch.float64)
    exact = torch.lgamma(x)
    assert ((log_gamma(x) - exact).abs() < 1e-8 * (1 + exact.abs())).all()
    assert ((log_gamma(x.float()) - exact).abs() < 3e-6 * (1 + exact.abs())).all()


def test_beta_binomial_is_scipys() -> None:
    decoder = BetaBinomialDecoder(2, 4, 4, BetaBinomialArguments(hidden=8))
    z = torch.randn(3, 2)
    log_a, log_b = (y.double().exp().detach().numpy() for y in decoder.log_parameters(z))
    pixels = torch.arange(48).reshape(3, 4, 4).to(torch.uint8) * 5
    expected = stats.betabinom.logpmf(pixels.flatten().numpy(), 255, log_a, log_b)
    result = decoder.log_likelihood_nats(z, pixels).detach().numpy()
    assert np.allclose(result, expected.reshape(3, -1).sum(1), rtol=1e-5)
    table = rising_factorial_table()
    origin = len(table) // 2
    assert table[origin, 255].item() == pytest.approx(float(torch.lgamma(torch.tensor(256.0))))


def test_samples_follow_the_passes() -> None:
    """At logits this extreme a sample is certain."""
    architecture = ARCHITECTURES[1]
    decoder = perturbed_decoder(architecture)
    decoder.zero.bias.copy_(torch.tensor([-50.0, 50.0]))
    decoder.spike[2].bias[0] = 90.0
    decoder.grey[2].bias[6] = 90.0
    pixels = sample_pixels(decoder.passes(torch.zeros(2, 3)))
    assert (pixels == 7).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "gan"}, "choose from"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"height": 65}, "height"),
        ({"height": 28.0}, "height is 28.0; allowed: 4 to 64, an integer"),
        ({"latent_dim": True}, "latent_dim"),
        ({"width": 3}, "width"),
    ],
)
def test_bad_architectures(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Architecture(**fields)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: f"{a.name}-{a.height}")
def test_empty_networks_have_shapes_alone(architecture: Architecture) -> None:
    random_state = torch.get_rng_state()
    empty = architecture.build_empty()
    assert torch.equal(torch.get_rng_state(), random_state)
    for network, full in zip(empty, architecture.build(), strict=True):
        weights = network.state_dict()
        assert all(weight.is_meta for weight in weights.values())
        shapes = {name: weight.shape for name, weight in weights.items()}
        assert shapes == {name: weight.shape for name, weight in full.state_dict().items()}


def test_unknown_network_argument() -> None:
    with pytest.raises(ValueError, match="depth is unknown"):
        Architecture(decoder={"depth": 3}).build()


CONV_ENCODER = {"channels": 48, "hidden": 256, "saturation": 252}
DEFAULTS = {
    "mlp": ({"hidden": 200}, {"hidden": 200}),
    "staged": (
        CONV_ENCODER,
        {"channels": 64, "blocks": 2, "hidden": 128, "radius": 4, "saturation": 252},
    ),
    "causal": (
        CONV_ENCODER,
        {"channels": 64, "blocks": 3, "hidden": 128, "radius": 3, "levels": 256},
    ),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_configs_leave_out(name: str) -> None:
    """An existing config always trains the same network."""
    encoder, decoder = DEFAULTS[name]
    size = {"latent_dim": 24, "height": 28, "width": 28}
    networks = {"encoder": encoder, "decoder": decoder}
    assert Architecture(name).description() == {"name": name, **size, **networks}


@pytest.mark.parametrize("name", ["staged", "causal"])
def test_logits_are_not_cut_at_zero(name: str) -> None:
    architecture = Architecture(name, 3, 12, 10, decoder={"channels": 8, "blocks": 1})
    decoder, pixels = perturbed_decoder(architecture), pixels_for(architecture)
    lowest: dict[int, float] = {}
    for step, _ in decoder.known_passes(torch.randn(len(pixels), 3), pixels):
        if len(step.images):
            least = lowest.get(step.classes, 0.0)
            lowest[step.classes] = min(least, float(step.logits.min()))
    assert len(lowest) == (3 if name == "staged" else 2)
    assert all(least < 0 for least in lowest.values())
