"""The hierarchical VAE as a LightningModule: trained once for all rates."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from recvae.errors import InputError
from recvae.hierarchy.network import Hierarchy, HierarchyArguments
from recvae.hierarchy.quality import position_of, price_at
from recvae.vae.objective import NATS_PER_BIT, kl_nats
from recvae.vae.one_cycle import OneCycleModule

FIRST_PRICE = 1 / 100
"""Share of lambda for the coarsest layers at the first step; the finest pay its square root."""

BALANCE = 0.45  # approximate exponent of the squared error in lambda
SHOWN_QUALITIES = (25, 50, 75)


class PictureVAE(OneCycleModule):
    """Minimises squared error + lambda * rate for all lambda at once.

    Each picture of a batch draws its own quality, uniformly from the whole range. Losses are
    divided by lambda^0.45, so that all qualities have about the same weight.

    Args:
        architecture: sizes of the networks.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: weight decay of AdamW.
        gradient_clip: largest norm of the gradient.
        warmup_steps: optimiser steps during which the price of a bit rises to lambda, from less for
            coarser layers, so that all learn to carry information before it suppresses them.
        compile: run the networks through torch.compile.
    """

    def __init__(
        self,
        architecture: HierarchyArguments = HierarchyArguments(),  # noqa: B008 (frozen)
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        gradient_clip: float = 1.0,
        warmup_steps: int = 1500,
        compile: bool = False,
    ) -> None:
        super().__init__(learning_rate, weight_decay, gradient_clip)
        if warmup_steps < 0:
            raise InputError(f"warmup_steps is {warmup_steps}: it must not be negative")
        if isinstance(architecture, dict):
            architecture = HierarchyArguments(**architecture)
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(architecture).items()}
        self.save_hyperparameters(
            {
                "architecture": plain,
                "learning_rate": learning_rate,
                "weight_decay": weight_decay,
                "gradient_clip": gradient_clip,
                "warmup_steps": warmup_steps,
                "compile": compile,
            }
        )
        self.architecture, self.warmup_steps = architecture, warmup_steps
        self.network = Hierarchy(architecture).to(memory_format=torch.channels_last)
        # A method, since a module would be in the checkpoint twice.
        forward = self.network.forward
        self._forward = torch.compile(forward) if compile else forward
        self.register_load_state_dict_pre_hook(_drop_second_network)

    def check_images(self, images: Tensor) -> None:
        """Raise `InputError` for pictures (n, 3, height, width) that the networks do not fit."""
        stride = self.architecture.stride
        if images.shape[1] != 3:
            raise InputError(
                "the images are grey, of one channel: a PictureVAE needs those of "
                "recvae.data.pictures.PictureDataModule, see configs/pictures.yaml"
            )
        if images.shape[-1] % stride or images.shape[-2] % stride:
            raise InputError(
                f"the crops are {images.shape[-2]} x {images.shape[-1]}: pass a --data.crop that "
                f"is a multiple of {stride}, as architecture.layers needs"
            )

    def terms(self, pictures: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared error, (b,), and KL of each layer, (b, layers), in bits per pixel.

        Args:
            pictures: (b, 3, h, w) uint8.
            position: each picture's position in the range of qualities, 0 to 1, (b,).
        """
        pixels = (pictures.float() / 255).contiguous(memory_format=torch.channels_last)
        output, means, log_scales = self._forward(pixels, position, sample)
        error = (output - pixels).square().mean((1, 2, 3))
        kl = torch.stack(
            [kl_nats(m, s).sum((1, 2, 3)) for m, s in zip(means, log_scales, strict=True)], dim=1
        )
        return error, kl / (NATS_PER_BIT * pixels[0, 0].numel())

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        position = torch.rand(len(batch), device=batch.device)
        error, rates = self.terms(batch, position)
        price = price_at(position)
        paid = (rates * self._discounts().to(rates)).sum(1)
        loss = ((error + price * paid) * price**-BALANCE).mean()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def _discounts(self) -> Tensor:
        """Each layer's share of lambda at this step, (layers,)."""
        left = max(0.0, 1 - self.global_step / max(self.warmup_steps, 1))
        coarseness = 1 - torch.tensor(self.network.resolution) / max(self.network.resolution[-1], 1)
        return FIRST_PRICE ** (left * (1 + coarseness) / 2)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self._measure("val", batch)
        if batch_idx == 0:
            self._log_pictures(batch[:8])

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        self._measure("test", batch)

    def _measure(self, split: str, batch: Tensor) -> None:
        """Log rate (the KL) and PSNR at some qualities, and the total loss."""
        loss = torch.zeros((), device=batch.device)
        for quality in SHOWN_QUALITIES:
            position = torch.full((len(batch),), position_of(quality), device=batch.device)
            error, rates = self.terms(batch, position)
            rate = rates.sum(1)
            price = price_at(position)
            loss = loss + ((error + price * rate) * price**-BALANCE).mean()
            psnr = -10 * torch.log10(error.clamp_min(1e-10))
            self.log(f"{split}/quality_{quality}_bpp", rate.mean())
            self.log(f"{split}/quality_{quality}_psnr_db", psnr.mean())
        self.log(f"{split}/loss", loss / len(SHOWN_QUALITIES), prog_bar=True)

    def _log_pictures(self, pictures: Tensor) -> None:
        """Log originals and, below them, reconstructions at some qualities."""
        board: Any = getattr(self.logger, "experiment", None)
        if board is None or self.trainer.sanity_checking:
            return
        pixels = pictures.float() / 255
        rows = [pixels]
        for quality in SHOWN_QUALITIES:
            position = torch.full((len(pixels),), position_of(quality), device=pixels.device)
            rows.append(self.network(pixels, position, sample)[0].clamp(0, 1))
        picture = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
        board.add_image("val/originals_and_reconstructions", picture, self.global_step)


def _drop_second_network(_: Any, state: dict[str, Any], prefix: str, *args: Any) -> None:
    """Drop the second copy of the network in earlier checkpoints."""
    for name in [name for name in state if name.startswith(f"{prefix}_forward.")]:
        del state[name]


def sample(mean: Tensor, log_scale: Tensor) -> Tensor:
    """A draw from N(mean, exp(log_scale)^2)."""
    return mean + log_scale.exp() * torch.randn_like(mean)
