"""No file is much larger than the pixels, whatever the images, as docs/guarantees.md states."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

import recvae
from recvae.codec import Codec, shipped_models
from recvae.codec.vae.elbo import negative_elbo_bits
from recvae.codec.vae.model_files import FORMAT as VAE_FORMAT
from recvae.exact import exact_arithmetic
from recvae.vae.information import posterior
from recvae.vae.networks.passes import Pass, run_passes

Images = np.ndarray


def least_likely(codec: Codec, images: Images) -> Images:
    """The least likely images (n, h, w) given the latents that the codec sends for some images.

    Of a decoder without passes, noise.
    """
    if codec.model.decoder.kernel is not None:
        return np.random.default_rng(2).integers(0, 256, images.shape, np.uint8)

    def answer(step: Pass) -> torch.Tensor:
        return step.logits.argmin(dim=1)

    with exact_arithmetic():
        latents = codec.model.latents
        sent = latents.send(posterior(codec.model.encoder, torch.from_numpy(images)))
        z = latents.receive(sent.codes)
        return run_passes(codec.model.decoder.passes(z), answer).numpy().astype(np.uint8)


def adversarial(codec: Codec, digits: Images, noise: Images) -> Images:
    """The least likely images given a digit's latents, then given their own."""
    first = least_likely(codec, digits)
    return np.concatenate([first, least_likely(codec, first), least_likely(codec, noise)])


def just_too_dear(codec: Codec, digits: Images) -> Images:
    """Digits with so much noise that they cost about their raw size."""
    rng = np.random.default_rng(1)
    raw_bits = 8 * digits[0].size
    shares = np.linspace(0, 1, 41)[:, None, None]
    made = np.where(
        rng.random((41, 28, 28)) < shares, rng.integers(0, 256, (41, 28, 28)), digits[0]
    )
    made = made.astype(np.uint8)
    bits = negative_elbo_bits(codec.model, torch.from_numpy(made))
    return made[np.argsort(np.abs(bits - raw_bits))[:6]]


MIXTURES: dict[str, Callable[[Codec, Images, Images], Images]] = {
    "noise": lambda codec, digits, noise: noise,
    "adversarial": adversarial,
    "just too dear": lambda codec, digits, noise: just_too_dear(codec, digits),
    "one image": lambda codec, digits, noise: noise[:1],
    "none": lambda codec, digits, noise: noise[:0],
}
MODELS = [
    pytest.param(name, marks=pytest.mark.slow if name == "mnist-scans" else ())
    for name in shipped_models(VAE_FORMAT)
]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", MIXTURES)
def test_bound_on_expansion(name: str, kind: str, digits: Images, noise: Images) -> None:
    codec = recvae.load(name)
    images = MIXTURES[kind](codec, digits[:4], noise[:4])
    for group_size in (1, 3, 64):
        data = codec.compress(images, group_size)
        assert len(data) <= 1.005 * images.size + 64
        assert np.array_equal(codec.decompress(data), images)


@pytest.mark.parametrize("name", MODELS)
def test_the_model_alone_would_expand_them(name: str, digits: Images, noise: Images) -> None:
    """Else the bound would not be tested."""
    codec = recvae.load(name)
    worst = torch.from_numpy(adversarial(codec, digits[:8], noise))
    least = 2 if codec.model.decoder.kernel is None else 1.1  # of noise
    assert negative_elbo_bits(codec.model, worst).mean() > least * 8 * noise[0].size
