"""`train.py` for the tests: a folder of few images and a reduced shipped config."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

import torch
import yaml

from recvae.images import Images, sample_images, write_images
from recvae.training import main
from recvae.training.cli import TrainingCLI

ROOT = Path(__file__).parents[2]
MODELS = {
    "staged": {"encoder": {"channels": 8, "hidden": 16}, "decoder": {"channels": 8, "hidden": 16}},
    "causal": {
        "encoder": {"channels": 8, "hidden": 16},
        "decoder": {"channels": 8, "blocks": 1, "hidden": 16, "radius": 1},
    },
    "pointer": {
        "encoder": {"channels": 8, "hidden": 16},
        "decoder": {"channels": 4, "flag_width": 8, "width": 16, "heads": 2, "radius": 1},
    },
    "scans": {
        "encoder": {"channels": 8, "hidden": 16},
        "decoder": {"about": 8, "channels": 8, "blocks": 1, "radius": 2, "grey_channels": 4},
    },
    "mlp": {"decoder": {"hidden": 16}},
}
FIT = ("--config", "config.yaml", "--trainer.check_val_every_n_epoch", "1")
LAST = "runs/mnist-mlp/version_0/checkpoints/last.ckpt"

Done = subprocess.CompletedProcess[str]


def train_process(folder: Path, *arguments: str) -> Done:
    """Run `train.py` as a user does."""
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def train(folder: Path, *arguments: str) -> Done:
    """Run `train.py` in this process, which has torch loaded; restore its settings."""
    commands = TrainingCLI.subcommands()
    if arguments and arguments[0] in commands:  # the parsers of the others need most of the time
        commands = {arguments[0]: commands[arguments[0]]}
    stdout, stderr = io.StringIO(), io.StringIO()
    handler = signal.getsignal(signal.SIGINT)
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ),
        mock.patch.object(TrainingCLI, "subcommands", return_value=commands),
        mock.patch.object(sys, "argv", ["train.py", *arguments]),
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        warnings.simplefilter("ignore")  # Lightning has advice to give
        try:
            status = main()
        except SystemExit as stop:
            status = stop.code
        finally:
            signal.signal(signal.SIGINT, handler)
    return Done(arguments, status, stdout.getvalue(), stderr.getvalue())


def refusal(folder: Path, *arguments: str) -> str:
    """The error line of `train.py`."""
    done = train(folder, *arguments)
    assert done.returncode == 2, done.stdout
    ours = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
    assert done.stderr.splitlines()[-1:] == ours, done.stderr
    return ours[0]


def prepare(folder: Path, name: str = "mnist-mlp", network: str = "") -> None:
    """Prepare a user's folder before training: images and a config."""
    write_images(folder / "images", Images(sample_images("train")[:100]))
    (folder / "config.yaml").write_text(yaml.safe_dump(config(name, network)))


def config(name: str, network: str = "") -> dict:
    """A reduced shipped config with the user's own images, and perhaps another network."""
    text = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    text["trainer"] |= {"max_epochs": 2, "enable_progress_bar": False, "log_every_n_steps": 1}
    network = network or text["model"]["architecture"]["name"]
    text["model"]["architecture"] = {
        "name": network,
        "latent_dim": 4,
        "height": 28,
        "width": 28,
        **MODELS[network],
    }
    text["model"]["compile"] = False
    text["data"] = {
        "class_path": "recvae.data.datamodule.ImageFolderDataModule",
        "init_args": {"root": "images", "batch_size": 20, "validation_fraction": 0.2},
    }
    return text


CHECKPOINTS = (
    "--trainer.callbacks+=pytorch_lightning.callbacks.ModelCheckpoint",
    "--trainer.callbacks.filename={step}",
    "--trainer.callbacks.save_top_k=-1",
    "--trainer.callbacks.monitor=step",  # Lightning allows no two that differ only in names
)


def check_resumed_as_without_break(folder: Path, name: str, steps: int, *arguments: str) -> None:
    """Train, then resume from the checkpoint after some steps with the run's saved config."""
    assert train(folder, "fit", *FIT, *CHECKPOINTS, *arguments).returncode == 0
    whole = runs_of(folder, name)[-1]
    path = whole / "checkpoints" / f"step={steps}.ckpt"
    done = train(folder, "fit", "--config", str(whole / "config.yaml"), f"--ckpt_path={path}")
    assert done.returncode == 0, done.stderr
    assert "continues with" not in done.stdout
    resumed, expected = checkpoint_of(runs_of(folder, name)[-1]), checkpoint_of(whole)
    assert resumed["global_step"] == expected["global_step"] > steps
    for weights in {"state_dict", "current_model_state"} & expected.keys():  # averaged, and not
        for tensor, values in expected[weights].items():
            assert torch.equal(resumed[weights][tensor], values), tensor


BETWEEN_BATCHES = "--trainer.callbacks.every_n_train_steps"
BETWEEN_EPOCHS = "--trainer.callbacks.save_on_train_epoch_end=true"


def runs_of(folder: Path, name: str = "mnist-mlp") -> list[Path]:
    """Oldest first."""
    return sorted((folder / "runs" / name).iterdir(), key=lambda path: path.stat().st_mtime)


def checkpoint_of(run: Path) -> dict:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def steps_of(run: Path) -> int:
    return checkpoint_of(run)["global_step"]
