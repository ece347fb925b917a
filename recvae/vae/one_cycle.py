"""Base of all modules: AdamW on a one-cycle schedule, clipped gradients, resume.

A resumed training uses the same batches and noise as it would have without the interruption.
"""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from recvae.errors import InputError
from recvae.vae.optimiser import ResumableAdamW, ResumableOneCycle
from recvae.vae.progress import Progress, correct_progress

RANDOM_STATE = "random_state"  # key in a checkpoint besides Lightning's own


WARM_UP = 0.1  # share of the steps up to the peak of the learning rate
SKIPPED = 10
"""Gradients of this many times the largest norm are skipped, not clipped (Child, ICLR 2021)."""


class OneCycleModule(pl.LightningModule):
    """Base of modules, which define the loss.

    Args:
        learning_rate: peak of the one-cycle schedule.
        weight_decay: weight decay of AdamW.
        gradient_clip: largest norm of the gradient.
    """

    def __init__(self, learning_rate: float, weight_decay: float, gradient_clip: float) -> None:
        super().__init__()
        if not (0 < learning_rate < math.inf and 0 <= weight_decay < math.inf):
            raise InputError(
                f"learning_rate is {learning_rate}, weight_decay {weight_decay}: the first must be "
                f"above 0, the second at least 0"
            )
        if not gradient_clip > 0:
            raise InputError(f"gradient_clip is {gradient_clip}: it must be above 0")
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.gradient_clip = gradient_clip
        self._before = Progress()
        self._random_state: dict[str, Tensor] = {}
        self._loaders: list[dict[str, int]] = []

    def check_images(self, images: Tensor) -> None:
        """Raise `InputError` for images (n, channels, height, width) that it does not support."""

    def check_data(self, data: Any) -> None:
        """Raise `InputError` for a data module that it does not support, once it is set up."""
        images = getattr(data, "examples", None)
        if images is not None:
            self.check_images(images)

    def setup(self, stage: str) -> None:
        self.check_data(getattr(self.trainer, "datamodule", None))

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.gradient_clip)
        # Such an outlier would ruin what was learned; before the peak all gradients are large.
        learned = self.global_step > WARM_UP * self._total_steps
        if not norm < (SKIPPED * self.gradient_clip if learned else math.inf):
            for parameter in self.parameters():
                parameter.grad = None
        self.log("train/gradient_norm", norm)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[RANDOM_STATE] = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            checkpoint[RANDOM_STATE]["cuda"] = torch.cuda.get_rng_state(self.device)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._before = correct_progress(checkpoint)
        self._random_state = checkpoint.get(RANDOM_STATE, {})  # absent in earlier versions
        self._loaders = checkpoint["loops"]["fit_loop"]["state_dict"].get("combined_loader", [])

    def on_train_start(self) -> None:
        if "cpu" in self._random_state:
            torch.set_rng_state(self._random_state["cpu"].cpu())
        if "cuda" in self._random_state and self.device.type == "cuda":
            torch.cuda.set_rng_state(self._random_state["cuda"].cpu(), self.device)
        # Lightning forgets loader states if the loader was created to count steps.
        loader = self.trainer.train_dataloader
        if loader is not None and len(self._loaders) == 1 and hasattr(loader, "load_state_dict"):
            loader.load_state_dict(self._loaders[0])
        # With max_steps, Lightning would look for more batches in the completed epoch.
        if not self._before.batches:
            self.trainer.fit_loop.epoch_loop.restarting = False

    @property
    def _total_steps(self) -> int:
        """Optimiser steps of the whole training: those done, and those of epochs to come."""
        trainer = self.trainer
        total = trainer.estimated_stepping_batches  # assumes equal epochs; loads the data
        if not 0 <= total < math.inf:
            raise InputError(
                "the learning rate needs an end: pass --trainer.max_epochs or --trainer.max_steps"
            )
        if trainer.max_epochs not in (None, -1) and math.isfinite(trainer.num_training_batches):
            steps = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
            total = self._before.total_steps(
                trainer.max_epochs, steps, trainer.accumulate_grad_batches
            )
            total = total if trainer.max_steps == -1 else min(total, trainer.max_steps)
        return max(int(total), 1)

    def configure_optimizers(self) -> Any:
        optimizer = ResumableAdamW(
            self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        total_steps = self._total_steps
        schedule = ResumableOneCycle(
            optimizer,
            max_lr=self.learning_rate,
            total_steps=total_steps,
            pct_start=WARM_UP if total_steps != 10 else 0.11,  # torch divides by 0.1 * 10 - 1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
