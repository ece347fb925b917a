"""The decoder of scans: what it codes, and that sender, receiver and training agree on it."""

from collections import defaultdict
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from recvae.bitmaps import Frame, Recovery, joined, recover
from recvae.bitmaps.frame import CLASSES
from recvae.bitmaps.network import decoder as decoder_module
from recvae.bitmaps.network.decoder import BitmapArguments, BitmapDecoder
from recvae.bitmaps.network.ink import InkDecoder
from recvae.errors import InputError
from recvae.exact import FRACTION_BITS, FixedPoint, exact_arithmetic, frequencies
from recvae.images import sample_images
from recvae.vae.networks import Architecture
from recvae.vae.networks.passes import Pass, run_passes, sample_pixels
from recvae.vae.quantise import quantise

NUMBER = FixedPoint(7, 12)
SMALL = BitmapArguments(about=8, channels=8, blocks=1, radius=4, grey_channels=4)


@pytest.fixture(scope="module")
def decoder() -> BitmapDecoder:
    """A small decoder whose every weight matters."""
    torch.manual_seed(0)
    decoder = BitmapDecoder(3, 28, 28, SMALL)
    for parameter in decoder.requires_grad_(False).parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return decoder.eval()


@pytest.fixture(scope="module")
def pixels(noise: np.ndarray) -> Tensor:
    """Digits, a black image and noise, mixed."""
    digits = sample_images()[:8]
    assert sum(scan is not None for scan in Recovery()(digits)) >= 7
    black = np.zeros((1, 28, 28), dtype=np.uint8)
    return torch.from_numpy(np.concatenate([digits[:3], noise[:1], digits[3:6], black, digits[6:]]))


def make_latents(count: int) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(1))


def test_the_likelihood_is_that_of_all_passes(decoder: BitmapDecoder, pixels: Tensor) -> None:
    z = make_latents(len(pixels))
    total = torch.zeros(len(pixels))
    for step, symbols in decoder.known_passes(z, pixels):
        log_p = step.logits.log_softmax(1).gather(1, symbols[:, None])[:, 0]
        total.index_add_(0, step.images, log_p)
    assert torch.allclose(decoder.log_likelihood_nats(z, pixels), total, rtol=1e-4)
    assert (total < -50).all()


def test_training_estimates_the_likelihood(
    decoder: BitmapDecoder, pixels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From some of the bits; and with some images as if they had no scan."""
    pixels, draws = pixels[:4], 20  # three digits and noise
    z = make_latents(len(pixels))
    exact = decoder.log_likelihood_nats(z, pixels)
    log_odds = decoder.kind(torch.zeros(1, dtype=torch.long)).log_softmax(1)[0, decoder_module.GREY]
    as_grey = decoder.grey.log_likelihood_nats(decoder.seed(z), pixels) + log_odds
    torch.manual_seed(0)
    decoder.train()
    try:
        monkeypatch.setattr(decoder_module, "GREY_IN_TRAINING", 0)
        drawn = torch.stack([decoder.log_likelihood_nats(z, pixels) for _ in range(draws)])
        monkeypatch.setattr(decoder_module, "GREY_IN_TRAINING", 1)
        assert torch.allclose(decoder.log_likelihood_nats(z, pixels), as_grey, rtol=1e-4)
    finally:
        decoder.eval()
    assert (drawn[:, :3].std(0) > 0).all()
    error = (drawn.mean(0) - exact).abs() / (drawn.std(0) / draws**0.5 + 0.01)
    assert (error < 5).all()
    assert torch.allclose(exact[3], as_grey[3], rtol=1e-4)


def test_receiver_sees_what_the_sender_saw(decoder: BitmapDecoder, pixels: Tensor) -> None:
    """Each symbol of each image under the same frequencies, whatever comes with it in a batch."""
    model = quantise(decoder, NUMBER)
    z = torch.round(make_latents(len(pixels)).double() * 2**FRACTION_BITS).long()
    sent: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    with exact_arithmetic():
        for step, symbols in model.known_passes(z, pixels):
            rows = frequencies(step.logits, NUMBER.fraction_bits).tolist()
            for image, symbol, row in zip(
                step.images.tolist(), symbols.tolist(), rows, strict=True
            ):
                sent[image].append((symbol, row))
        for images in ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [3], [7, 5], [2]):
            queues = [iter(sent[image]) for image in images]

            def answer(step: Pass) -> Tensor:
                assert (step.images.diff() >= 0).all()
                rows = frequencies(step.logits, NUMBER.fraction_bits).tolist()
                symbols = []
                for image, row in zip(step.images.tolist(), rows, strict=True):
                    symbol, sent = next(queues[image])  # noqa: B023
                    assert row == sent
                    symbols.append(symbol)
                return torch.tensor(symbols, dtype=torch.int64)

            assert torch.equal(run_passes(model.passes(z[images]), answer), pixels[images].long())
            assert all(next(queue, None) is None for queue in queues)


def test_a_bit_changes_only_what_comes_later(decoder: BitmapDecoder) -> None:
    """And changes its neighbours that come later, or the test could not fail."""
    ink: InkDecoder = decoder.ink
    height, width = 7, 9
    extents, about = torch.tensor([[height, width]]), torch.rand(1, 8)

    def logits_at(bits: Tensor) -> Tensor:
        """In wavefronts, as they come."""
        return torch.cat([step.logits for step, _ in ink.known_passes(about, bits, extents)])

    fronts = np.add.outer(ink.slope * np.arange(height), np.arange(width)).flatten()
    order = np.argsort(fronts, kind="stable")
    blank = torch.zeros(1, height, width, dtype=torch.uint8)
    before = logits_at(blank)
    for site in range(height * width):
        changed = blank.clone()
        changed.view(-1)[site] = 1
        differs = torch.zeros(height * width, dtype=torch.bool)
        differs[order] = ((logits_at(changed) - before).abs() > 1e-6).any(1)
        seen_by = {
            (site // width + up) * width + site % width - right
            for up, right in ink.neighbours
            if site // width + up < height and 0 <= site % width - right < width
        }
        assert set(differs.nonzero()[:, 0].tolist()) == seen_by
        assert all(fronts[other] > fronts[site] for other in seen_by)


def test_samples_are_images(decoder: BitmapDecoder) -> None:
    """Whatever symbols come: no frame, no ink and no mass is out of the question."""
    images = sample_pixels(decoder.passes(torch.randn(20, 3)), torch.Generator().manual_seed(0))
    assert images.shape == (20, 28, 28)
    assert 0 <= images.min() < images.max() <= 255
    model = quantise(decoder, NUMBER)
    with exact_arithmetic():
        z = torch.zeros(2, 3, dtype=torch.int64)
        for take in (0, -1):  # all paper; the last symbol of every pass but grey ones

            def answer(step: Pass) -> Tensor:
                last = step.classes - 1 if step.classes > 2 else 0
                return torch.full_like(step.images, last if take else 0)  # noqa: B023

            assert (run_passes(model.passes(z), answer) == 0).all()


def test_frames_of_any_symbols() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        frame = Frame.from_symbols([int(rng.integers(count)) for count in CLASSES])
        assert 0 <= frame.top <= frame.size - frame.height < frame.size
        assert 0 <= frame.left <= frame.size - frame.width < frame.size
        assert Frame.from_symbols(frame.symbols()) == frame
        ink = np.ones((frame.height, frame.width), dtype=np.uint8)
        assert joined(frame, ink).render().shape == (28, 28)


def test_recovery_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def counting(image: np.ndarray):
        asked.append(image.tobytes())
        return recover(image)

    monkeypatch.setattr("recvae.bitmaps.recovery.recover", counting)
    recovery, images = partial(Recovery(), remembered=3), sample_images()[:4]
    first = recovery(images[[0, 1, 1]])
    assert first[1] is first[2]
    assert [scan and scan.size for scan in first[:2]] == [recover(i).size for i in images[:2]]
    recovery(images[[1, 0]])
    assert len(asked) == 2
    recovery(images[[2, 3, 0]])  # forgets 1
    recovery(images[[0, 2, 3]])
    assert len(asked) == 4
    recovery(images[[1]])
    assert len(asked) == 5
    everything = partial(Recovery(), remembered=None)
    for _ in range(2):
        for image in images:
            everything(image[None])
    assert len(asked) == 9
    deepcopy(everything.func)(images[:1])
    assert len(asked) == 10


def test_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="needs 28 and 28: choose causal or staged"):
        Architecture("scans", height=32).build()
