"""Refusals of `train.py`: in one line, before anything is written."""

import pickle
from pathlib import Path

import pytest
import torch

from recvae.errors import InputError
from recvae.training.checkpoints import read_checkpoint
from training.running import FIT, LAST, refusal, train


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ckpt_path", "absent.ckpt", "--out", "m", "--data.root", "."], "absent.ckpt"),
        (["--ckpt_path", "junk.ckpt", "--out", "m", "--data.root", "."], "not a checkpoint"),
        (
            ["--ckpt_path", "junk.ckpt", "--out", "m", "--data.root", ".", "--algorithm", "A*"],
            "algorithm: got 'A*', which does not code blocks",
        ),
    ],
)
def test_bad_exports(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    assert message in refusal(tmp_path, "export", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.architecture.name", "gan"], "choose from"),
        (["--model.architecture.decoder", "{depth: 3}"], "architecture.decoder.depth is unknown"),
        (["--model.architecture.decoder", "{hidden: 0}"], "architecture.decoder.hidden"),
        (["--model.beta.release", "[0.6,0.3]"], "beta.release"),
        (["--model.beta.target_bits", "0"], "beta.target_bits"),
        (
            ["--model.learning_rate", "0"],
            "learning_rate is 0.0, weight_decay 0.0001: the first must",
        ),
        (["--model.weight_decay=-1"], "weight_decay -1.0: the first must be above 0, the second"),
        (["--model.gradient_clip", "0"], "gradient_clip is 0.0: it must be above 0"),
        (["--model.architecture.height", "32"], "--model.architecture.height 28"),
        (
            ["--model.architecture.name", "causal", "--model.architecture.decoder", "{levels: 2}"],
            "pixels of 255: architecture.decoder.levels is 2",
        ),
        (["--data.root", "absent"], "absent: "),
        (["--data.validation_fraction", "1"], "validation_fraction is 1.0: it must be"),
        (["--data.batch_size", "1000"], "batch_size is 1000"),
        (["--trainer.accelerator", "nonsense"], "accelerator='nonsense'"),
        (["--trainer.devices", "0"], "devices='0'"),
        (["--trainer.devices", "2"], "train.py runs on one device"),
        (["--trainer.gradient_clip_val", "0.1"], "gradient_clip_val: pass --model.gradient_clip"),
        (["--trainer.val_check_interval", "5"], "val_check_interval is 5: it must lie between 1 a"),
        (["--trainer.val_check_interval", "0"], "val_check_interval is 0: it must lie between 1 a"),
        (
            ["--trainer.callbacks+=pytorch_lightning.callbacks.ModelCheckpoint"],
            "trainer: Found more than one stateful callback of type `ModelCheckpoint`",
        ),
        (["--trainer.precision", "16-true"], "trainer.precision is 16-true: choose from 32-true"),
        (["--trainer.precision", "transformer-engine"], "trainer.precision is transformer-engine"),
    ],
)
def test_bad_trainings(folder: Path, arguments: list[str], message: str) -> None:
    before = sorted(folder.rglob("*"))
    assert message in refusal(folder, "fit", *FIT, *arguments)
    assert sorted(folder.rglob("*")) == before


def test_exports_of_pictures_alone(trained: Path) -> None:
    export = ["export", f"--ckpt_path={LAST}", "--out=model", "--data.root=images"]
    message = f"{LAST}: holds a VAE: omit --data.reduce, for a PictureVAE or a PictureINR only"
    assert message in refusal(trained, *export, "--data.reduce=2")


def test_training_without_an_end(folder: Path) -> None:
    assert "needs an end: pass --trainer.max_epochs" in refusal(
        folder, "fit", *FIT, "--trainer.max_epochs=-1"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("accelerator", ["gpu", "cuda"])
def test_a_gpu_that_is_not_there(trained: Path, accelerator: str) -> None:
    assert "trainer: " in refusal(trained, "fit", *FIT, "--trainer.accelerator", accelerator)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ckpt_path=absent.ckpt"], "absent.ckpt: No such file"),
        (["--config", "absent-ckpt.yaml"], "absent.ckpt: No such file"),
        (
            [f"--ckpt_path={LAST}", "--model.architecture.latent_dim", "5"],
            f"{LAST}: trained with model.architecture.latent_dim 4, not 5",
        ),
        ([f"--ckpt_path={LAST}", "--trainer.max_epochs", "1"], f"{LAST}: has 2 epochs: pass"),
        ([f"--ckpt_path={LAST}", "--trainer.max_steps", "1"], f"{LAST}: has 8 steps: pass"),
        (["--ckpt_path=last", "--trainer.logger.init_args.name", "new"], "runs/new: no run there"),
        (
            ["--trainer.logger.init_args.version", "0"],
            "version_0/config.yaml: belongs to another run",
        ),
        (["--trainer.logger", "false"], "config.yaml: belongs to another run"),
    ],
)
def test_bad_continuations(trained: Path, arguments: list[str], message: str) -> None:
    (trained / "absent-ckpt.yaml").write_text("ckpt_path: absent.ckpt")
    before = sorted(trained.rglob("*"))
    assert message in refusal(trained, "fit", *FIT, *arguments)
    assert sorted(trained.rglob("*")) == before  # it did not begin


def test_weights_only(folder: Path) -> None:
    weights = torch.load(folder / LAST, weights_only=True)
    del weights["optimizer_states"]
    torch.save(weights, folder / LAST)
    assert "holds weights only" in refusal(folder, "fit", *FIT, "--ckpt_path=last")


def test_checkpoints_that_are_none(folder: Path) -> None:
    whole = (folder / LAST).read_bytes()
    for damaged in (b"", b"junk", whole[:-1000], whole[: len(whole) // 2], pickle.dumps([1])):
        (folder / LAST).write_bytes(damaged)
        with pytest.raises(InputError, match="not a checkpoint"):
            read_checkpoint(str(folder / LAST))
    with pytest.raises(InputError, match="Is a directory"):
        read_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], '"subcommand"'),
        (["nonsense"], "'export'"),
        (["predict"], "invalid choice"),
        (["fit"], "data"),
        (["fit", *FIT, "--trainer.precision", "nonsense"], "precision"),
        (["export"], "ckpt_path"),
        (["--config", "export.yaml", "export"], "export must be the first argument"),
    ],
)
def test_bad_command_lines(trained: Path, arguments: list[str], message: str) -> None:
    (trained / "export.yaml").write_text("export: {ckpt_path: a, out: b, data: {root: c}}")
    done = train(trained, *arguments)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert message in done.stderr
