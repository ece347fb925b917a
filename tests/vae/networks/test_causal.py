"""The causal decoder: the context of a pixel, and agreement of all ways to evaluate it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from recvae.exact import FRACTION_BITS, FixedPoint, IntegerEmbedding, exact_arithmetic, frequencies
from recvae.vae.networks import Architecture, passes
from recvae.vae.networks.causal import CausalArguments, CausalDecoder, known_columns
from recvae.vae.networks.context import Context, causal_windows, neighbours, runs, wavefronts
from recvae.vae.networks.passes import Pass, run_passes, sample_pixels
from recvae.vae.quantise import ExactDecoder, from_tensors, quantise

LATENTS = 3
NUMBER = FixedPoint(7, 12)
# Height, width, radius, levels.
SIZES = [(5, 7, 2, 256), (7, 5, 3, 2), (4, 6, 1, 3), (9, 4, 5, 256), (4, 5, 0, 256)]


def make_decoder(height: int, width: int, radius: int, levels: int) -> CausalDecoder:
    """A small decoder whose every weight matters."""
    torch.manual_seed(0)
    arguments = CausalArguments(channels=8, blocks=1, hidden=12, radius=radius, levels=levels)
    decoder = CausalDecoder(LATENTS, height, width, arguments)
    for parameter in decoder.requires_grad_(False).parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return decoder.eval()


def random_pixels(decoder: CausalDecoder, count: int = 5) -> Tensor:
    """From all black to all noise, (count, h, w) uint8."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, decoder.levels, (count, decoder.height, decoder.width))
    pixels *= rng.random(pixels.shape) < np.linspace(0, 1, count)[:, None, None]
    return torch.from_numpy(pixels.astype(np.uint8))


def make_latents(count: int) -> Tensor:
    z = torch.randn(count, LATENTS, generator=torch.Generator().manual_seed(1))
    return torch.round(z.double() * 2**FRACTION_BITS).long()


def tables(model: ExactDecoder, z: Tensor, pixels: Tensor, known: bool) -> list[Tensor]:
    """The frequencies of each pass, as evaluated by the sender or by the receiver."""
    result: list[Tensor] = []

    def note(step: Pass) -> None:
        result.append(frequencies(step.logits, NUMBER.fraction_bits))

    def answer(step: Pass) -> Tensor:
        note(step)
        return step.to_symbols(pixels.flatten()[step.sites].long())

    with exact_arithmetic():
        if not known:
            assert torch.equal(run_passes(model.passes(z), answer), pixels.long())
            return result
        for step, symbols in model.known_passes(z, pixels):
            note(step)
            assert torch.equal(symbols, step.to_symbols(pixels.flatten()[step.sites].long()))
    return result


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("piece_logits", [1, 3000, passes.PIECE_LOGITS])
def test_sender_and_receiver_see_the_same_frequencies(
    size: tuple[int, ...], piece_logits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "PIECE_LOGITS", piece_logits)
    decoder = make_decoder(*size)
    model, pixels = quantise(decoder, NUMBER), random_pixels(decoder)
    z = make_latents(len(pixels))
    for rows in (slice(0, 5), slice(1, 3), slice(4, 5), slice(0, 0)):
        sent = tables(model, z[rows], pixels[rows], known=True)
        received = tables(model, z[rows], pixels[rows], known=False)
        assert [len(table) for table in sent] == [len(table) for table in received]
        assert all(map(torch.equal, sent, received))


def logits_by_pixel(decoder: CausalDecoder, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of the flags, (b*h*w, 2), and of the values of the non-zero pixels; else 0."""
    z = torch.zeros(len(pixels), LATENTS)
    flags = torch.zeros(pixels.numel(), 2)
    values = torch.zeros(pixels.numel(), max(decoder.levels - 1, 1))
    for number, (step, _) in enumerate(decoder.known_passes(z, pixels)):
        is_flag = decoder.levels == 2 or number % 2 == 0
        (flags if is_flag else values)[step.sites] = step.logits
    return flags, values


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_pixel_changes_only_what_comes_later(size: tuple[int, ...]) -> None:
    """But changes later neighbours, or the test could not fail."""
    height, width, radius, levels = size
    decoder = make_decoder(*size)
    pixels = torch.full((1, height, width), levels - 1, dtype=torch.uint8)
    before = logits_by_pixel(decoder, pixels)
    front = torch.empty(height * width, dtype=torch.long)
    every = torch.arange(height * width)
    for number, sites in enumerate(wavefronts(every, height, width, radius + 1)):
        front[sites] = number
    for site in range(height * width):
        changed = pixels.clone()
        changed.view(-1)[site] = 0 if levels == 2 else 1
        after = logits_by_pixel(decoder, changed)
        differs = torch.zeros(height * width, dtype=torch.bool)
        for old, new in zip(before, after, strict=True):
            differs |= ((old - new).abs() > 1e-5).any(1)
        if levels > 2:  # the pixel's own flag does not see it either
            assert torch.equal(before[0][site], after[0][site])
        rows, columns = np.divmod(np.arange(height * width), width)
        down, right = rows - rows[site], columns - columns[site]
        sees = (down > 0) & (down <= radius) & (abs(right) <= radius)
        sees |= (down == 0) & (right > 0) & (right <= radius)
        differs[site] = False
        assert torch.equal(differs, torch.from_numpy(sees))
        assert (front[sees] > front[site]).all()


def test_number_of_steps() -> None:
    decoder = CausalDecoder(LATENTS, 28, 28, CausalArguments(channels=4, hidden=4))
    steps = list(decoder.known_passes(torch.zeros(2, LATENTS), torch.ones(2, 28, 28).byte()))
    assert len(steps) == 2 * (28 + 27 * 4)
    assert all(len(step.sites) % 2 == 0 for step, _ in steps)
    assert max(len(step.sites) for step, _ in steps) == 2 * 7


def test_windows_and_context_are_the_same() -> None:
    table = torch.randn(256, 3)
    values = torch.randint(0, 256, (2, 6, 5))
    sites = torch.arange(values.numel())
    context = Context(table, (2, 6, 5), 2, 3)
    context.fill(sites, values.flatten())
    windows = causal_windows(table[values], 2, 3)
    assert windows.shape == (2, 6, 5, 3 * len(neighbours(2, 3)))
    assert torch.equal(context.around(sites), windows.flatten(0, 2))
    # Above and left of row 1, column 1: a row outside, row 0, the pixel on the left.
    around = windows[0, 1, 1].reshape(-1, 3)
    zero = torch.zeros(3)
    expected = [zero] * 6 + [*table[values[0, 0, :4]], zero, table[values[0, 1, 0]]]
    assert torch.equal(around, torch.stack(expected))


def test_what_is_known_of_values() -> None:
    assert known_columns(2).tolist() == [[0], [1]]
    assert known_columns(3).tolist() == [[0, 0], [0.5, 1], [1, 1]]
    assert known_columns(256)[[0, 51, 251, 252]].tolist() == [
        [0, 0, 0],
        [pytest.approx(0.2), 1, 0],
        [pytest.approx(251 / 255), 1, 0],
        [pytest.approx(252 / 255), 1, 1],
    ]


@pytest.mark.parametrize(("levels", "columns"), [(2, 1), (3, 2 + 6), (256, 3 + 6)])
def test_columns_of_values(levels: int, columns: int) -> None:
    """With two values everything is given and nothing is learned."""
    assert make_decoder(4, 5, 1, levels).values.table.shape == (levels, columns)


def test_samples_follow_what_was_drawn() -> None:
    """A decoder that copies the pixel on the left, except in the first column."""
    decoder = make_decoder(4, 6, 1, 256)
    for parameter in decoder.parameters():
        parameter.zero_()
    left = (len(neighbours(1, 2)) - 1) * decoder.values.columns
    decoder.join.weight[0, left + 1] = 1.0  # is the pixel on the left not zero?
    decoder.zero.weight[:, 0] = torch.tensor([-100.0, 100.0])
    decoder.zero.bias.copy_(torch.tensor([0.0, 0.0]))
    decoder.value[2].bias[41] = 100.0
    generator = torch.Generator().manual_seed(0)
    pixels = sample_pixels(decoder.passes(torch.zeros(50, LATENTS)), generator)
    ink = pixels > 0
    assert (pixels[ink] == 42).all()
    assert (ink[:, :, :-1] <= ink[:, :, 1:]).all()
    assert 60 < ink[:, :, 0].sum() < 140  # of 200 coins


@pytest.mark.slow
def test_training_learns_from_neighbours() -> None:
    """One noisy column repeated: 4 * 8 bits an image, which an untrained model pays repeatedly."""
    torch.manual_seed(0)
    arguments = CausalArguments(channels=16, blocks=1, hidden=16, radius=1, levels=4)
    decoder = CausalDecoder(1, 4, 8, arguments)
    optimiser = torch.optim.Adam(decoder.parameters(), lr=0.01)
    for _ in range(150):
        pixels = torch.randint(0, 4, (32, 4, 1)).expand(-1, -1, 8).to(torch.uint8)
        loss = -decoder.log_likelihood_nats(torch.zeros(32, 1), pixels).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    entropy_nats = 4 * np.log(4)
    assert entropy_nats - 0.5 < loss < 1.5 * entropy_nats < 0.3 * 32 * np.log(4)
    assert decoder.values.weight.grad.abs().sum() > 0


def test_autocast_keeps_maps_in_bfloat16() -> None:
    decoder = make_decoder(5, 7, 2, 256)
    pixels, z = random_pixels(decoder), torch.randn(5, LATENTS)
    expected = decoder.log_likelihood_nats(z, pixels)
    dtypes: list[torch.dtype] = []
    hooks = [
        layer.register_forward_hook(lambda *call: dtypes.append(call[2].dtype))
        for layer in (decoder.join, decoder.blocks, decoder.value)
    ]
    with torch.autocast("cpu", torch.bfloat16):
        result = decoder.log_likelihood_nats(z, pixels)
    assert len(hooks) == 3
    assert dtypes == [torch.bfloat16] * 3
    assert result.dtype == torch.float32
    assert torch.allclose(result, expected, rtol=0.02)


def test_bad_tables_of_values_are_refused() -> None:
    decoder = make_decoder(5, 7, 2, 256)
    good = quantise(decoder, NUMBER).state_dict()
    name = "decoder.values.table"
    assert good[name].shape == (256, 9)
    cases = {
        "decoder.values.table is missing": {k: v for k, v in good.items() if k != name},
        r"needed: torch.int16 \(256, 9\)": good | {name: good[name][1:]},
        "table is torch.int32": good | {name: good[name].int()},
        "entries beyond 4095": good | {name: good[name] - 4096},
        "its weights are too large": good | {
            "decoder.join.weight": torch.full_like(good["decoder.join.weight"], 32767)
        },
    }  # fmt: skip
    for message, tensors in cases.items():
        number = FixedPoint(7, 15) if "large" in message else NUMBER
        with pytest.raises(ValueError, match=message):
            from_tensors(decoder, number, tensors)
    with pytest.raises(ValueError, match="needed: int16, 2 dimensions"):
        IntegerEmbedding(torch.zeros(3, dtype=torch.int16), 4095)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": 1}, "levels is 1; allowed: 2 to 256"),
        ({"levels": 257}, "levels is 257; allowed"),
        ({"radius": 17}, "radius is 17; allowed: 0 to 16"),
        ({"saturation": 250}, "saturation is unknown"),
    ],
)
def test_bad_arguments(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Architecture("causal", decoder=arguments)


def test_runs_of_wavefronts_have_a_limit_or_are_one() -> None:
    fronts = [torch.zeros(size) for size in (2, 2, 3, 5, 1, 1, 2, 1)]
    assert [[len(front) for front in run] for run in runs(fronts, 4)] == [
        [2, 2], [3], [5], [1, 1, 2], [1],
    ]  # fmt: skip
