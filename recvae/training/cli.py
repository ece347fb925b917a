"""LightningCLI for the VAE. What cannot work is refused before training begins."""

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from recvae.errors import InputError
from recvae.training.checkpoints import (
    NEWEST,
    check_same_options,
    find_newest,
    num_epochs,
    read_checkpoint,
)
from recvae.training.export import EXPORT, export_parser
from recvae.vae.lightning import VAE

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
ALIASES = ("None", "32", "bf16", "16")  # Lightning's other names for them


def run() -> None:
    """Run fit, validate or test with the arguments of the process."""
    try:
        TrainingCLI(
            VAE,
            pl.LightningDataModule,
            subclass_mode_data=True,
            seed_everything_default=0,
            parser_class=TrainingParser,
            load_from_checkpoint_support=False,  # the VAE itself saves its options
        )
    except MisconfigurationException as error:  # Lightning's word for bad options
        raise InputError(_one_line(error)) from error
    except ValueError as error:
        if isinstance(error.__cause__, InputError):  # jsonargparse has words of its own around it
            raise error.__cause__ from None
        raise
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning has shut down
            raise KeyboardInterrupt("fit --ckpt_path last goes on after the last epoch") from None
        raise


class TrainingParser(LightningArgumentParser):
    """Knows `export` too."""

    def add_subcommands(self, *args: Any, **kwargs: Any) -> Any:
        """Add the list of commands, which LightningCLI fills, with `export` in it."""
        commands = super().add_subcommands(*args, **kwargs)
        commands.add_subcommand("export", export_parser(), help=EXPORT)
        return commands


class TrainingCLI(LightningCLI):
    """fit, validate and test of a VAE and any data module."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """All of Lightning's but predict: there is nothing to predict."""
        commands = LightningCLI.subcommands()
        del commands["predict"]
        return commands

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; `export` comes here only behind options that it does not have."""
        super().parse_arguments(parser, args)
        if self.config.subcommand == "export":
            parser.error("export must be the first argument")

    def _parse_ckpt_path(self) -> None:
        """Keep the options: Lightning would put the checkpoint's in their place and say nothing."""

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Make the trainer; validation may come too late for early stopping to have its number."""
        precision = self._get(self.config_init, "trainer")["precision"]
        if str(precision) not in PRECISIONS + ALIASES:
            raise InputError(
                f"trainer.precision is {precision}: choose from {', '.join(PRECISIONS)}"
            )
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (MisconfigurationException, ImportError, TypeError, ValueError) as error:
            raise InputError(f"trainer: {_one_line(error)}") from error
        for stopping in trainer.early_stopping_callbacks:
            stopping.strict = False
        return trainer

    def after_instantiate_classes(self) -> None:
        """Find and check the checkpoint, and refuse to write over another run."""
        options = self.config_init[self.subcommand]
        self._steps_before, path = 0, options.get("ckpt_path")
        if path in NEWEST:
            logger = self.trainer.logger
            runs = getattr(logger, "root_dir", None) or self.trainer.default_root_dir
            path = options["ckpt_path"] = find_newest(path, Path(runs))
        if path is not None:
            self._check_checkpoint(path)
        elif self.subcommand != "fit":
            raise InputError(f"{self.subcommand} measures a trained model: pass --ckpt_path")
        saved = os.path.join(self.trainer.log_dir or "", "config.yaml")
        if os.path.exists(saved) and not self._is_trial:
            option = "logger.init_args.version" if self.trainer.logger else "default_root_dir"
            raise InputError(f"{saved}: of another run: pass another --trainer.{option}")

    @property
    def _is_trial(self) -> bool:
        """A run of a few batches that writes nothing."""
        return bool(self._get(self.config_init, "trainer")["fast_dev_run"])

    def _check_checkpoint(self, path: str) -> None:
        trained, checkpoint = read_checkpoint(path)
        check_same_options(self.model, trained, path)
        if self.subcommand != "fit":
            return
        if not checkpoint.keys() >= {"optimizer_states", "loops"}:
            raise InputError(f"{path}: holds weights only; training cannot go on from it")
        self._steps_before = checkpoint["global_step"]
        for option, limit, done in (
            ("max_epochs", self.trainer.max_epochs, num_epochs(checkpoint)),
            ("max_steps", self.trainer.max_steps, self._steps_before),
        ):
            unit = option.removeprefix("max_")
            if limit is not None and 0 <= limit < done:
                raise InputError(f"{path}: has {done} {unit}: pass --trainer.{option} above")

    def after_fit(self) -> None:
        """Say where the checkpoints are."""
        if self._is_trial:
            return
        if self.trainer.global_step == self._steps_before:
            print("nothing was trained: raise --trainer.max_epochs or --trainer.max_steps")
            return
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint):
                unwritten = f"no {callback.filename}.ckpt: training ended before a validation"
                print(callback.best_model_path or unwritten)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
