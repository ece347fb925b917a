"""From a trained VAE to a codec model: all measurements on the training set.

The mutual information of each dimension determines the blocks of latents and the intervals; the
difficulty of the search determines the number of candidates; the resulting ranks determine their
code. All of these become constants of the model.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from recvae.codec.vae.elbo import negative_elbo_bits
from recvae.codec.vae.groups import code_pixels
from recvae.codec.vae.latents import LATENT_CODECS, BlockLatents, LatentCodec, LayoutOptions
from recvae.codec.vae.model import CodecModel
from recvae.exact import FixedPoint
from recvae.rec import DiagonalGaussian
from recvae.vae.information import mutual_information_bits, posterior
from recvae.vae.objective import NATS_PER_BIT
from recvae.vae.quantise import quantise


@dataclass(frozen=True)
class CalibrationOptions(LayoutOptions):
    """Options of an export, besides the layout of the latents.

    Fields:
        sample_images: number of training images for comparing layouts and fitting rank codes.
        number: the fixed-point format of the exact decoder.
        key: names the shared randomness, 64 bits.
        latents: the latent codec, by name.

    Raises:
        ValueError: if the latent codec is unknown or does not take these options.
    """

    sample_images: int = 4000
    number: FixedPoint = field(default_factory=FixedPoint)
    key: int = 0
    latents: str = field(default=BlockLatents.name, kw_only=True)

    def __post_init__(self) -> None:
        if self.latents not in LATENT_CODECS:
            known = ", ".join(LATENT_CODECS)
            raise ValueError(f"latents: got {self.latents!r}, need one of {known}")
        LATENT_CODECS[self.latents].check_options(self)


def calibrate(
    vae: Any,
    images: Tensor,
    name: str,
    options: CalibrationOptions,
    metadata: dict[str, Any],
    report: Callable[[str], None] = lambda line: None,
) -> CodecModel:
    """Make the codec model of a trained `VAE`.

    Args:
        vae: the LightningModule, or anything with `architecture`, `encoder` and `decoder`.
        images: all training images, (n, h, w) uint8.
        name: name of the model.
        options: see `CalibrationOptions`.
        metadata: kept in the model, beside what is measured here.
        report: called with one line after each step.

    Raises:
        ValueError: if the images do not fit the model, or the decoder integer arithmetic.
    """
    expected = vae.architecture.spec.shape
    if tuple(images.shape[1:]) != expected or not len(images):
        raise ValueError(f"images have shape {tuple(images.shape)}; needed: (n >= 1, *{expected})")
    if int(images.max()) >= vae.architecture.levels:
        raise ValueError(f"images have pixels of {int(images.max())}, not below `levels`")
    target = posterior(vae.encoder.eval(), images)
    information = mutual_information_bits(target)
    report(
        f"mutual information over {len(images)} images: {float(information.sum()):.2f} bits in "
        f"{int((information > 0.1).sum())} of {len(information)} dimensions"
    )
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(images), generator=generator)[: options.sample_images]
    sample, sample_target = (
        images[chosen],
        DiagonalGaussian(target.mean[chosen], target.scale[chosen]),
    )
    decoder = quantise(vae.decoder, options.number)
    measured = {
        "mutual_information_bits": [round(i, 4) for i in information.tolist()],
        "training_images": len(images),
        "training_images_sha256": hashlib.sha256(images.numpy().tobytes()).hexdigest(),
    }

    def model_with(latents: LatentCodec) -> CodecModel:
        return CodecModel(
            name=name,
            architecture=vae.architecture,
            number=options.number,
            latents=latents,
            encoder=vae.encoder,
            decoder=decoder,
            metadata=metadata | measured,
        )

    codecs = LATENT_CODECS[options.latents].layouts(options.key, target, sample_target, options)
    coded, model = _best_layout(model_with, codecs, sample, sample_target, report)
    bound = {
        "in_integers": float(negative_elbo_bits(model, sample).mean()),
        "in_floats": _float_elbo(vae, sample),
    }
    report(
        f"-ELBO {bound['in_integers']:.2f} bits an image (in floats {bound['in_floats']:.2f}), "
        f"coded {coded:.2f}"
    )
    return replace(model, metadata=model.metadata | {"negative_elbo_bits_an_image": bound})


def _best_layout(
    model_with: Callable[[LatentCodec], CodecModel],
    layouts: Iterable[LatentCodec],
    images: Tensor,
    target: DiagonalGaussian,
    report: Callable[[str], None],
) -> tuple[float, CodecModel]:
    """Try all layouts; return the fewest bits an image and the model that reaches them."""
    best: tuple[float, CodecModel] | None = None
    for layout in layouts:
        model, latents, pixels = _code_sample(model_with, layout, images, target)
        report(f"{layout.summary}: {latents:.2f} bits of latents + {pixels:.2f} of pixels an image")
        if best is None or latents + pixels < best[0]:
            best = (latents + pixels, model)
    assert best is not None
    return best


def _code_sample(
    model_with: Callable[[LatentCodec], CodecModel],
    latents: LatentCodec,
    images: Tensor,
    target: DiagonalGaussian,
) -> tuple[CodecModel, float, float]:
    """Code images; return the model with fitted rank codes, bits of latents and of pixels."""
    codes = latents.send(target).codes
    latents = latents.fitted(codes)
    model = model_with(latents)
    bins, ranks = latents.bits(codes)
    pixels = _mean_pixel_bits(model, latents.receive(codes), images)
    return model, float(bins.mean() + ranks.mean()), pixels


def _mean_pixel_bits(model: CodecModel, z: Tensor, images: Tensor, batch: int = 256) -> float:
    parts = zip(z.split(batch), images.split(batch), strict=True)
    total = sum(code_pixels(model, a, b).bits.sum() for a, b in parts)
    return float(total) / len(images)


@torch.inference_mode()
def _float_elbo(vae: Any, images: Tensor, batch: int = 256) -> float:
    """-ELBO in bits an image of the float network, to show the cost of integers."""
    generator = torch.Generator().manual_seed(1)
    total = 0.0
    for part in images.split(batch):
        target = posterior(vae.encoder, part)
        noise = torch.randn(target.mean.shape, generator=generator, dtype=torch.float32)
        z = target.mean + target.scale * noise
        log_likelihood = vae.decoder.log_likelihood_nats(z, part) / NATS_PER_BIT
        total += float(target.kl_bits().sum() - log_likelihood.sum())
    return total / len(images)
