"""Small models with other latent codecs than shipped models, for golden files.

Trained for some steps on the package's images, so that latents carry information. Existing ones are
kept for ever, since training again gives other weights on another machine.
"""

from collections.abc import Callable

import torch
from torch import nn

from golden.steps import MODELS
from recvae.codec import CodecModel
from recvae.codec.model_folder import save_model
from recvae.codec.vae.latents import (
    BlockLatents,
    BranchAndBoundLatents,
    FittedBins,
    LatentCodec,
    fit_bins,
)
from recvae.exact import FixedPoint
from recvae.images import sample_images
from recvae.rec import DiagonalGaussian, plan_blocks
from recvae.vae import Architecture, ExactDecoder, kl_nats, posterior, quantise

STEPS, KEY, NUM_BLOCKS = 400, (1 << 63) + 5, 2
ARCHITECTURE = Architecture(
    "staged",
    latent_dim=6,
    encoder={"channels": 4, "hidden": 16},
    decoder={"channels": 6, "blocks": 1, "hidden": 12, "radius": 1},
)


def make_blocks(algorithm: str, target: DiagonalGaussian) -> BlockLatents:
    """Blocks of an algorithm, fitted to posteriors."""
    information = target.kl_bits().mean(0)
    latents = BlockLatents.unfitted(
        KEY,
        plan_blocks(information, target, NUM_BLOCKS, max_log2_candidates=8, algorithm=algorithm),
    )
    return latents.fitted(latents.send(target).codes)


def fitted_bins(target: DiagonalGaussian) -> FittedBins:
    """Partitioned ORC with fitted frequencies of the bins."""
    plain = make_blocks("partitioned ORC", target)
    tables = fit_bins(plain.blocks, target)
    return FittedBins(KEY, plain.blocks, plain.rank_codes, tables=tables)


LATENTS: dict[str, Callable[[DiagonalGaussian], LatentCodec]] = {
    "fitted-bins": fitted_bins,
    "a-star": lambda target: BranchAndBoundLatents.fit(KEY, "A*", target),
    "partitioned-pfr": lambda target: make_blocks("partitioned PFR, sup", target),
}


def main() -> None:
    """Write missing folders."""
    missing = [name for name in LATENTS if not (MODELS / name).exists()]
    if missing:
        images = torch.from_numpy(sample_images("train").copy())
        encoder, decoder = _trained(images)
        target = posterior(encoder, images)
        for name in missing:
            latents = LATENTS[name](target)
            model = CodecModel(name, ARCHITECTURE, FixedPoint(), latents, encoder, decoder)
            MODELS.mkdir(exist_ok=True)
            save_model(model, MODELS / name)


def _trained(images: torch.Tensor) -> tuple[nn.Module, ExactDecoder]:
    torch.manual_seed(0)
    encoder, decoder = ARCHITECTURE.build()
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=0.004)
    for step in range(STEPS):
        batch = images[torch.randint(len(images), (64,))]
        mean, log_scale = encoder(batch)
        z = mean + log_scale.exp() * torch.randn_like(mean)
        kl = kl_nats(mean, log_scale).sum(1) * min(1.0, 2 * step / STEPS)
        loss = (kl - decoder.log_likelihood_nats(z, batch)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    encoder = encoder.half().float().eval().requires_grad_(False)
    return encoder, quantise(decoder.eval().requires_grad_(False), FixedPoint())


if __name__ == "__main__":
    main()
