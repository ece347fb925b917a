"""The VAE as a LightningModule: objective, optimiser, logs. Losses are in bits per pixel."""

from dataclasses import asdict

import torch
from torch import Tensor

from recvae.errors import InputError
from recvae.vae.networks import Architecture
from recvae.vae.networks.passes import sample_pixels
from recvae.vae.objective import NATS_PER_BIT, BetaSchedule, kl_nats
from recvae.vae.one_cycle import OneCycleModule

ACTIVE_BITS = 0.1  # a dimension that carries at least this much is counted as active


class VAE(OneCycleModule):
    """Encoder to a diagonal Gaussian, standard normal prior, decoder to pixel likelihoods.

    Args:
        architecture: the networks.
        beta: weights of the per-dimension KL.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: weight decay of AdamW.
        gradient_clip: largest norm of the gradient of the loss in bits per pixel.
        compile: run the networks through torch.compile.
    """

    def __init__(
        self,
        architecture: Architecture = Architecture(),  # noqa: B008 (frozen)
        beta: BetaSchedule = BetaSchedule(),  # noqa: B008 (frozen)
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-4,
        gradient_clip: float = 1.0,
        compile: bool = False,
    ) -> None:
        super().__init__(learning_rate, weight_decay, gradient_clip)
        # The checkpoint holds plain data, so it loads without unpickling any class.
        if isinstance(architecture, dict):
            architecture = Architecture(**architecture)
        if isinstance(beta, dict):
            beta = BetaSchedule(**{**beta, "release": tuple(beta["release"])})
        self.save_hyperparameters(
            {
                "architecture": architecture.description(),
                "beta": asdict(beta) | {"release": list(beta.release)},
                "learning_rate": learning_rate,
                "weight_decay": weight_decay,
                "gradient_clip": gradient_clip,
                "compile": compile,
            }
        )
        self.architecture, self.beta = architecture, beta
        self.encoder, self.decoder = architecture.build()
        self.log_beta_factor: Tensor
        self.mean_kl_bits: Tensor
        self.register_buffer("log_beta_factor", torch.zeros(architecture.latent_dim))
        self.register_buffer(
            "mean_kl_bits", torch.full((architecture.latent_dim,), beta.target_bits)
        )
        self._terms = torch.compile(self.elbo_terms_nats) if compile else self.elbo_terms_nats

    def check_images(self, images: Tensor) -> None:
        """Raise `InputError` for images (n, 1, height, width) that the networks do not support."""
        if images.shape[1] != 1:
            raise InputError(
                "the images are in colour: a VAE takes grey ones, see configs/folder.yaml; for "
                "pictures there is configs/pictures.yaml"
            )
        if tuple(images.shape[-2:]) != self.architecture.spec.shape:
            raise InputError(
                f"the images are {images.shape[-2]} x {images.shape[-1]}: pass "
                f"--model.architecture.height {images.shape[-2]} "
                f"--model.architecture.width {images.shape[-1]}"
            )
        levels = self.architecture.levels
        if (brightest := int(images.max())) >= levels:
            raise InputError(
                f"the images have pixels of {brightest}: architecture.decoder.levels is {levels}, "
                f"so they must be below it"
            )

    def elbo_terms_nats(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """-log p(x|z) of one posterior sample, (b,), and KL per dimension, (b, D), in nats."""
        mean, log_scale = self.encoder(pixels)
        z = mean + log_scale.exp() * torch.randn_like(mean)
        return -self.decoder.log_likelihood_nats(z, pixels), kl_nats(mean, log_scale)

    @property
    def _nats_per_image_to_bpp(self) -> float:
        return 1 / (NATS_PER_BIT * self.architecture.spec.num_pixels)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        pixels = batch[:, 0]
        reconstruction, kl = self._terms(pixels)
        beta = self.beta.beta(self.log_beta_factor, self.global_step, self._total_steps)
        loss = (reconstruction.mean() + (beta * kl.mean(0)).sum()) * self._nats_per_image_to_bpp
        self.steer_beta(kl.detach().mean(0) / NATS_PER_BIT)
        self._log_rate("train", reconstruction, kl, prog_bar=True)
        self.log("train/loss_bpp", loss)
        self.log("beta/mean", beta.mean())
        return loss

    def steer_beta(self, kl_bits: Tensor) -> None:
        """Adapt the weights of the KL to the mean KL (D,) of a batch, in bits."""
        self.mean_kl_bits = 0.98 * self.mean_kl_bits + 0.02 * kl_bits
        self.log_beta_factor = self.beta.steer(self.log_beta_factor, self.mean_kl_bits)

    def _log_rate(self, split: str, reconstruction: Tensor, kl: Tensor, prog_bar: bool) -> None:
        """Log -ELBO at beta = 1 and its two parts."""
        scale = self._nats_per_image_to_bpp
        reconstruction_bpp, kl_bpp = reconstruction.mean() * scale, kl.sum(1).mean() * scale
        self.log(f"{split}/negative_elbo_bpp", reconstruction_bpp + kl_bpp, prog_bar=prog_bar)
        self.log(f"{split}/reconstruction_bpp", reconstruction_bpp)
        self.log(f"{split}/kl_bpp", kl_bpp)

    def _evaluate(self, split: str, batch: Tensor) -> Tensor:
        reconstruction, kl = self._terms(batch[:, 0])
        self._log_rate(split, reconstruction, kl, prog_bar=True)
        return kl.sum(0)

    def on_validation_epoch_start(self) -> None:
        self._kl_sum, self._kl_count = torch.zeros_like(self.mean_kl_bits), 0

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self._kl_sum += self._evaluate("val", batch)
        self._kl_count += len(batch)
        if batch_idx == 0:
            self._log_images(batch[:8, 0])

    def on_validation_epoch_end(self) -> None:
        kl_bits = self._kl_sum / max(self._kl_count, 1) / NATS_PER_BIT
        self.log("val/active_dimensions", (kl_bits > ACTIVE_BITS).sum().float())
        board = getattr(self.logger, "experiment", None)
        if board is not None and not self.trainer.sanity_checking:
            beta = self.beta.beta(self.log_beta_factor, self.global_step, self._total_steps)
            board.add_histogram("val/kl_bits_per_dimension", kl_bits.float(), self.global_step)
            for d in range(len(kl_bits)):
                board.add_scalar(f"kl_bits/{d:03d}", kl_bits[d], self.global_step)
                board.add_scalar(f"beta/{d:03d}", beta[d], self.global_step)

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        self._evaluate("test", batch)

    def _log_images(self, pixels: Tensor) -> None:
        """Log originals, draws from p(x|z) at the posterior mean, and samples of the model."""
        board = getattr(self.logger, "experiment", None)
        if board is None or self.trainer.sanity_checking:
            return
        mean, _ = self.encoder(pixels)
        prior = torch.randn_like(mean)
        rows = [pixels.long(), sample_pixels(self.decoder.passes(mean))]
        rows.append(sample_pixels(self.decoder.passes(prior)))
        picture = torch.cat([torch.cat(list(row), dim=1) for row in rows]).to(torch.uint8)
        board.add_image("val/original_reconstruction_sample", picture[None], self.global_step)
