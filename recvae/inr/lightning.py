"""Networks over coordinates as a LightningModule: learns what all pictures share."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from recvae.data.pictures import NumberedPictureDataModule
from recvae.errors import InputError
from recvae.inr.encoder import Encoder
from recvae.inr.network import COLOURS, Inr, InrArguments
from recvae.inr.posteriors import PosteriorTable
from recvae.vae.objective import NATS_PER_BIT, kl_nats
from recvae.vae.one_cycle import OneCycleModule

FIRST_PRICE = 3e-7  # beta at the first step
SHOWN = 8  # pictures logged
STEERING = 0.005  # largest change of log beta in a step
FULL_STEERING_AT = 0.2  # relative error of the rate from which on it changes by that much

Batch: TypeAlias = Tensor | Sequence[Tensor]
"""Pictures (b, 3, side, side) uint8; for posteriors per picture after their numbers, (b,)."""


class PictureINR(OneCycleModule):
    """Minimises squared error + beta * KL, beta steered so that the KL keeps a budget.

    Posteriors of training pictures come from an encoder network (amortised inference), which later
    gives a sender the start of its own fit. Or each training picture has a posterior of its own, as
    in RECOMBINER: the prior then takes on their moments after every round, and Adam begins anew.
    Averages of weights over steps (EMA) then mix coordinates, so they must be left out.

    Args:
        architecture: sizes of the network that a receiver runs.
        encoder_width: channels of the encoder's first maps.
        encoder_blocks: residual blocks of the encoder at each resolution.
        pictures: number of training pictures if each has a posterior of its own; 0 for an encoder.
        round_steps: optimiser steps of a round, with posteriors per picture.
        bits_per_pixel: the budget of the KL.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: weight decay of AdamW.
        gradient_clip: largest norm of the gradient.
        compile: run the networks through torch.compile.
    """

    def __init__(
        self,
        architecture: InrArguments = InrArguments(),  # noqa: B008 (frozen)
        encoder_width: int = 48,
        encoder_blocks: int = 1,
        pictures: int = 0,
        round_steps: int = 100,
        bits_per_pixel: float = 1.9,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        gradient_clip: float = 4.0,
        compile: bool = False,
    ) -> None:
        super().__init__(learning_rate, weight_decay, gradient_clip)
        if isinstance(architecture, dict):
            architecture = InrArguments(**architecture)
        for name, value in (("encoder_width", encoder_width), ("encoder_blocks", encoder_blocks)):
            if value < 1:
                raise InputError(f"{name} is {value}: it must be at least 1")
        if pictures < 0:
            raise InputError(f"pictures is {pictures}: it must not be negative")
        if round_steps < 1:
            raise InputError(f"round_steps is {round_steps}: it must be at least 1")
        if not 0 < bits_per_pixel < math.inf:
            raise InputError(f"bits_per_pixel is {bits_per_pixel}: it must be above 0")
        self.save_hyperparameters(
            {
                "architecture": architecture.plain(),
                "encoder_width": encoder_width,
                "encoder_blocks": encoder_blocks,
                "pictures": pictures,
                "round_steps": round_steps,
                "bits_per_pixel": bits_per_pixel,
                "learning_rate": learning_rate,
                "weight_decay": weight_decay,
                "gradient_clip": gradient_clip,
                "compile": compile,
            }
        )
        self.architecture, self.bits_per_pixel = architecture, bits_per_pixel
        self.network = Inr(architecture).to(memory_format=torch.channels_last)
        self.round_steps = round_steps
        self.encoder: Encoder | None = None
        self.table: PosteriorTable | None = None
        if pictures:
            self.table = PosteriorTable(pictures, architecture.dim)
        else:
            encoder = Encoder(architecture, encoder_width, encoder_blocks)
            self.encoder = encoder.to(memory_format=torch.channels_last)
        self.log_beta: Tensor
        self.register_buffer("log_beta", torch.tensor(math.log(FIRST_PRICE)))
        self._terms = torch.compile(self.terms) if compile else self.terms

    def check_images(self, images: Tensor) -> None:
        """Raise `InputError` for pictures (n, 3, height, width) that the networks do not fit."""
        side = self.architecture.side
        if images.shape[1] != COLOURS:
            raise InputError(
                "the images are grey, of one channel: a PictureINR needs those of "
                "recvae.data.pictures.PictureDataModule, see configs/inr-cifar10.yaml"
            )
        if tuple(images.shape[-2:]) != (side, side):
            raise InputError(
                f"the crops are {images.shape[-2]} x {images.shape[-1]}: pass --data.crop {side}, "
                "as architecture.side needs"
            )

    def check_data(self, data: Any) -> None:
        """See `OneCycleModule`."""
        super().check_data(data)
        pictures = 0 if self.table is None else len(self.table.mean)
        numbered = len(data.train_images) if isinstance(data, NumberedPictureDataModule) else 0
        if pictures != numbered:
            raise InputError(
                f"model.pictures is {pictures}, but the data module numbers {numbered} pictures: "
                "both must be the same, see configs/inr-cifar10.yaml and inr-cifar10-gpu.yaml"
            )

    def posteriors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels (b, 3, side, side) in [0, 1], and mean and log scale of z, each (b, dim)."""
        pictures = batch if isinstance(batch, Tensor) else batch[1]
        pixels = (pictures.float() / 255).contiguous(memory_format=torch.channels_last)
        if self.encoder is not None:
            return pixels, *self.encoder(pixels)
        assert self.table is not None
        return pixels, *self.table(batch[0])

    def terms(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean squared error of pictures, (b,), and KL in nats, (b,)."""
        pixels, mean, log_scale = self.posteriors(batch)
        output = self.network(mean + log_scale.exp() * torch.randn_like(mean)).float()
        error = (output - pixels.permute(0, 2, 3, 1).flatten(1, 2)).square().mean((1, 2))
        return error, kl_nats(mean, log_scale).sum(1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        error, kl = self._terms(batch)
        # Relative to the error, so that gradients keep their size while it falls.
        loss = (error + self.log_beta.exp() * kl).mean() / error.detach().mean()
        self._log_terms("train", error, kl)
        self.steer_beta(self._bits_per_pixel(kl.detach().mean()))
        return loss

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Not at the end of the last step of a round, where checkpoints are written before.
        begins = self.global_step and self.global_step % self.round_steps == 0
        if self.table is not None and begins:
            self.table.refit_prior(self.network.mean, self.network.log_scale)
            wrapped: Any = self.optimizers()
            wrapped.optimizer.state.clear()  # its moments are of the old coordinates

    def steer_beta(self, bits_per_pixel: Tensor) -> None:
        """Raise beta where the KL exceeds its budget, lower it below."""
        excess = torch.log(bits_per_pixel / self.bits_per_pixel) / FULL_STEERING_AT
        self.log_beta += STEERING * excess.clamp(-1, 1).nan_to_num(0.0)

    def _bits_per_pixel(self, kl: Tensor) -> Tensor:
        return kl / (NATS_PER_BIT * self.architecture.side**2)

    def _log_terms(self, split: str, error: Tensor, kl: Tensor) -> None:
        self.log(f"{split}/bpp", self._bits_per_pixel(kl.mean()), prog_bar=True)
        psnr = -10 * torch.log10(error.clamp_min(1e-10))
        self.log(f"{split}/psnr_db", psnr.mean(), prog_bar=True)
        self.log(f"{split}/loss", (error + self.log_beta.exp() * kl).mean())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._log_terms("val", *self._terms(batch))
        if batch_idx == 0:
            self._log_pictures(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._log_terms("test", *self._terms(batch))

    def _log_pictures(self, batch: Batch) -> None:
        """Log originals and, below them, reconstructions from a sample of the posteriors."""
        board: Any = getattr(self.logger, "experiment", None)
        if board is None or self.trainer.sanity_checking:
            return
        pixels, mean, log_scale = (part[:SHOWN] for part in self.posteriors(batch))
        output = self.network(mean + log_scale.exp() * torch.randn_like(mean)).float()
        side = self.architecture.side
        shown = output.unflatten(1, (side, side)).permute(0, 3, 1, 2).clamp(0, 1)
        rows = [torch.cat(list(row), dim=2) for row in (pixels, shown)]
        board.add_image("val/originals_and_reconstructions", torch.cat(rows, 1), self.global_step)
