"""Options of a resumed training against those of its checkpoint: adopted or refused."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.cli import LightningArgumentParser, SaveConfigCallback

from recvae.data.training_data import TrainingData
from recvae.errors import InputError

OPTIONS, IMAGES = "options", "training_images"  # keys in a checkpoint besides Lightning's own
NETWORKS = (
    "model.architecture.",
    "model.rgb.",
    "model.grey.",
    "model.encoder_",
    "model.pictures",
)  # options that weights depend on
Options = dict[str, Any]
"""Plain values by full name, such as `trainer.max_epochs`."""


class SavedOptions(SaveConfigCallback):
    """Saves the options beside the checkpoints and, with a fingerprint of the images, in them."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write config.yaml; raise `InputError` if another run was faster."""
        try:
            super().setup(trainer, pl_module, stage)
        except RuntimeError as error:
            raise InputError(f"{trainer.log_dir}: another run writes to it: start again") from error

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add options and fingerprint to the checkpoint."""
        checkpoint[OPTIONS] = flat_options(self.parser, self.config)
        data = getattr(trainer, "datamodule", None)
        if isinstance(data, TrainingData):
            checkpoint[IMAGES] = data.fingerprint

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep this run's patience, like all other options of its callbacks."""
        for stopping in trainer.early_stopping_callbacks:
            if state := checkpoint["callbacks"].get(stopping.state_key):
                state["patience"] = stopping.patience


def flat_options(parser: LightningArgumentParser, config: Any) -> Options:
    """All options except the model's, which are its hyper-parameters."""
    given = json.loads(parser.dump(config, format="json", skip_none=False))
    return dict(_flat({name: given.get(name) for name in ("seed_everything", "trainer", "data")}))


def changed_options(options: Options, model: Options, checkpoint: dict[str, Any]) -> list[str]:
    """The differences from a checkpoint, each as `name value (was value)`.

    Checkpoints of earlier versions only state their model's options.
    """
    theirs = dict(_flat({"model": checkpoint["hyper_parameters"]}))
    ours = dict(_flat({"model": model}))
    if OPTIONS in checkpoint:
        theirs |= checkpoint[OPTIONS]
        ours |= options
    return [
        f"{name} {ours.get(name)} (was {theirs.get(name)})"
        for name in theirs | ours
        if ours.get(name) != theirs.get(name)
    ]


def check_same_networks(model: pl.LightningModule, trained: pl.LightningModule, path: str) -> None:
    """Raise `InputError` if the weights of a checkpoint do not fit the model's networks."""
    if type(model) is not type(trained):
        raise InputError(
            f"{path}: holds a {type(trained).__name__}, not a {type(model).__name__}: "
            f"pass the configuration it was trained with"
        )
    ours = dict(_flat({"model": dict(model.hparams)}))
    for name, value in _flat({"model": dict(trained.hparams)}):
        if name.startswith(NETWORKS) and ours.get(name) != value:
            raise InputError(
                f"{path}: trained with {name} {value}, not {ours.get(name)}: "
                f"pass the configuration it was trained with"
            )


def check_same_images(data: TrainingData, checkpoint: dict[str, Any], path: str) -> None:
    """Raise `InputError` for other training images: they might include those held out."""
    if checkpoint.get(IMAGES) not in (None, data.fingerprint):
        raise InputError(
            f"{path}: trained on other images than these {len(data.train_images)}: pass "
            f"the data options it was trained with"
        )


def _flat(options: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested dicts and lists."""
    nested = options.items() if isinstance(options, Mapping) else enumerate(options)
    for name, value in nested:
        if isinstance(value, Mapping | list) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
