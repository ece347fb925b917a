"""LightningCLI for all kinds of models; refuses what cannot work before training begins."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import (
    MisconfigurationException,
    SIGTERMException,
)

from recvae.data.training_data import TrainingData
from recvae.errors import InputError, Terminated
from recvae.training.checkpoints import (
    NEWEST,
    WholeCheckpoints,
    find_newest,
    read_checkpoint,
)
from recvae.training.export import EXPORT, export_parser
from recvae.training.kinds import CONFIG_FORMAT, kind_of_configs, use_configs_of
from recvae.training.options import (
    SavedOptions,
    changed_options,
    check_same_images,
    check_same_networks,
    flat_options,
)
from recvae.vae.progress import correct_progress

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
ALIASES = ("None", "32", "bf16", "16")  # Lightning's other names for them


def run() -> None:
    """Run fit, validate or test with the arguments of the process."""
    kind = kind_of_configs(sys.argv[1:])
    use_configs_of(kind)
    try:
        TrainingCLI(
            kind,
            pl.LightningDataModule,
            subclass_mode_data=True,
            seed_everything_default=0,
            parser_class=TrainingParser,
            save_config_callback=SavedOptions,
            parser_kwargs={"parser_mode": CONFIG_FORMAT},
            load_from_checkpoint_support=False,  # the models themselves save their options
        )
    except MisconfigurationException as error:  # Lightning's error for bad options
        raise InputError(_one_line(error)) from error
    except ValueError as error:
        if isinstance(error.__cause__, InputError):  # jsonargparse wraps it in a message of its own
            raise error.__cause__ from None
        raise


class TrainingParser(LightningArgumentParser):
    """A parser that also lists `export`."""

    def add_subcommands(self, *args: Any, **kwargs: Any) -> Any:
        """Add the list of commands, which LightningCLI fills, plus `export`."""
        commands = super().add_subcommands(*args, **kwargs)
        commands.add_subcommand("export", export_parser(), help=EXPORT)
        return commands


class TrainingCLI(LightningCLI):
    """The commands fit, validate and test for any model and data module."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's commands except predict: there is nothing to predict."""
        commands = LightningCLI.subcommands()
        del commands["predict"]
        return commands

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; `export` gets here only after options that it does not have."""
        super().parse_arguments(parser, args)
        if self.config.subcommand == "export":
            parser.error("export must be the first argument")

    def _parse_ckpt_path(self) -> None:
        """Keep the given options: Lightning would silently replace them with the checkpoint's."""

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Make the trainer; early stopping must tolerate epochs that end before a validation."""
        options = self._get(self.config_init, "trainer")
        if str(options["precision"]) not in PRECISIONS + ALIASES:
            raise InputError(
                f"trainer.precision is {options['precision']}: choose from {', '.join(PRECISIONS)}"
            )
        if options["gradient_clip_val"] is not None:
            raise InputError("trainer.gradient_clip_val: pass --model.gradient_clip instead")
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (
            MisconfigurationException,
            ImportError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise InputError(f"trainer: {_one_line(error)}") from error
        if trainer.world_size > 1:
            raise InputError("train.py runs on one device: pass --trainer.devices 1")
        for stopping in trainer.early_stopping_callbacks:
            stopping.strict = False
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeCheckpoints()
        return trainer

    def after_instantiate_classes(self) -> None:
        """Refuse what cannot work and overwriting another run; report changed options."""
        options = self.config_init[self.subcommand]
        self._steps_before, path = 0, options.get("ckpt_path")
        if path in NEWEST:
            logger = self.trainer.logger
            runs = getattr(logger, "root_dir", None) or self.trainer.default_root_dir
            path = options["ckpt_path"] = find_newest(path, Path(runs))
        checkpoint = None if path is None else self._check_checkpoint(path)
        if path is None and self.subcommand != "fit":
            raise InputError(f"{self.subcommand} evaluates a trained model: pass --ckpt_path")
        saved = os.path.join(self.trainer.log_dir or "", "config.yaml")
        if os.path.exists(saved) and not self._is_trial:
            option = "logger.init_args.version" if self.trainer.logger else "default_root_dir"
            raise InputError(f"{saved}: belongs to another run: pass another --trainer.{option}")
        if self.subcommand == "fit":
            self._check_images(checkpoint, path)
            if checkpoint:
                self._tell_changes(checkpoint, path)

    @property
    def _is_trial(self) -> bool:
        """Whether this is a run of a few batches that writes nothing."""
        return bool(self._get(self.config_init, "trainer")["fast_dev_run"])

    def _check_checkpoint(self, path: str) -> dict[str, Any]:
        trained, checkpoint = read_checkpoint(path)
        check_same_networks(self.model, trained, path)
        if self.subcommand != "fit":
            return checkpoint
        if not checkpoint.keys() >= {"optimizer_states", "loops"}:
            raise InputError(f"{path}: holds weights only; training cannot continue from it")
        done = correct_progress(checkpoint)
        self._steps_before = done.steps
        for option, limit, reached in (
            ("max_epochs", self.trainer.max_epochs, done.epochs),
            ("max_steps", self.trainer.max_steps, done.steps),
        ):
            unit = option.removeprefix("max_")
            if limit is not None and 0 <= limit < reached:
                raise InputError(f"{path}: has {reached} {unit}: pass a larger --trainer.{option}")
        return checkpoint

    def _check_images(self, checkpoint: dict[str, Any] | None, path: str) -> None:
        """Check images early: Lightning would load them only after making the run's folder."""
        data = self.datamodule
        if not isinstance(data, TrainingData):  # loads them once
            return
        data.prepare_data()
        data.setup("fit")
        self.model.check_data(data)
        self._check_interval(len(data.train_dataloader()))
        if checkpoint:
            check_same_images(data, checkpoint, path)

    def _check_interval(self, batches: int) -> None:
        """Check the interval of validations within an epoch."""
        trainer = self.trainer
        limit, interval = trainer.limit_train_batches, trainer.val_check_interval
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        if isinstance(interval, int) and not (
            interval >= 1 and (interval <= batches or trainer.check_val_every_n_epoch is None)
        ):
            raise InputError(
                f"trainer.val_check_interval is {interval}: it must lie between 1 and the "
                f"{batches} batches of an epoch, or be a fraction of it such as 0.5"
            )

    def _tell_changes(self, checkpoint: dict[str, Any], path: str) -> None:
        options = flat_options(self._parser(self.subcommand), self.config[self.subcommand])
        if changes := changed_options(options, dict(self.model.hparams), checkpoint):
            print(f"{path}: continues with {', '.join(changes)}")

    def _run_subcommand(self, subcommand: str) -> None:
        """Run it; raise `KeyboardInterrupt` where Lightning exits because of a signal."""
        try:
            super()._run_subcommand(subcommand)
        except (KeyboardInterrupt, SystemExit) as stop:  # Lightning has shut down
            interrupt = stop if isinstance(stop, KeyboardInterrupt) else stop.__context__
            if isinstance(stop, SIGTERMException):  # only Lightning handled the signal
                interrupt = Terminated(signal.SIGTERM)
            if not isinstance(interrupt, KeyboardInterrupt):
                raise
            interrupt.args = (self._what_is_kept(),)
            raise interrupt from None

    def _what_is_kept(self) -> str:
        if self.subcommand != "fit":
            return "nothing was measured"
        callbacks = self.trainer.checkpoint_callbacks
        kept = [getattr(callback, "best_model_path", "") for callback in callbacks]
        if any(Path(path).stem == "last" for path in kept):
            return "fit --ckpt_path last continues after the last epoch"
        if any(kept):
            return f"fit --ckpt_path {max(kept)} continues from there"
        return "no epoch was completed, nothing is kept"

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
