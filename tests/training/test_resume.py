"""Training that goes on: its own options are taken up and told, what contradicts is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from recvae.images import Images, sample_images, write_images
from training.running import (
    BETWEEN_BATCHES,
    BETWEEN_EPOCHS,
    FIT,
    LAST,
    check_resumed_as_without_break,
    checkpoint_of,
    refusal,
    runs_of,
    train,
)

RESUME = (*FIT, f"--ckpt_path={LAST}")
PREFIX = f"{LAST}: continues with "


def told(stdout: str) -> list[str]:
    """The options that the one line names."""
    (line,) = [line for line in stdout.splitlines() if line.startswith(PREFIX)]
    return line.removeprefix(PREFIX).split(", ")


def test_options_of_the_run_are_taken_up(folder: Path) -> None:
    peak, decay, epochs = 1e-3, 0.5, 4
    monitor = "pytorch_lightning.callbacks.LearningRateMonitor"
    options = {
        "model.learning_rate": peak,
        "model.weight_decay": decay,
        "seed_everything": 7,
        "trainer.max_epochs": epochs,
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    stopping = ["--trainer.callbacks+=pytorch_lightning.callbacks.EarlyStopping"]
    stopping += ["--trainer.callbacks.monitor=train/loss_bpp", "--trainer.callbacks.patience=9"]
    done = train(folder, "fit", *FIT, *stopping, "--trainer.max_epochs=1")
    first = runs_of(folder)[-1] / "checkpoints" / "last.ckpt"
    stopping[-1] = "--trainer.callbacks.patience=5"
    monitored = [f"--trainer.callbacks+={monitor}"]
    done = train(folder, "fit", *FIT, f"--ckpt_path={first}", *stopping, *monitored, *given)
    assert done.returncode == 0, done.stderr
    (line,) = [text for text in done.stdout.splitlines() if " continues with " in text]
    for words in (
        "model.learning_rate 0.001 (was 0.002)",
        "model.weight_decay 0.5 (was 0.0001)",
        "seed_everything 7 (was 0)",
        "trainer.callbacks.4.init_args.patience 5 (was 9)",
        "trainer.max_epochs 4 (was 1)",
    ):
        assert words in line

    run = runs_of(folder)[-1]
    checkpoint = checkpoint_of(run)
    (group,) = checkpoint["optimizer_states"][0]["param_groups"]
    assert (group["max_lr"], group["weight_decay"]) == (peak, decay)
    (state,) = [
        state
        for key, state in checkpoint["callbacks"].items()
        if "EarlyStopping{'monitor': 't" in key
    ]
    assert state["patience"] == 5
    rates = EventAccumulator(str(run)).Reload().Scalars("lr-ResumableAdamW")
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, 4 * epochs, pct_start=0.1)
    expected = []
    for _ in range(4 * epochs):
        expected += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose([rate.value for rate in rates], expected[4:], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "kept"), [(6, f"{BETWEEN_BATCHES}=3"), (4, BETWEEN_EPOCHS)])
def test_resumed_as_without_break(folder: Path, steps: int, kept: str) -> None:
    check_resumed_as_without_break(folder, "mnist-mlp", steps, kept)


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        (["--data.init_args.batch_size=40"], 10),
        (["--trainer.max_steps=10"], 10),
        pytest.param(["--data.init_args.batch_size=10"], 16, marks=pytest.mark.slow),
        pytest.param(["--trainer.accumulate_grad_batches=2"], 10, marks=pytest.mark.slow),
        pytest.param(["--trainer.limit_train_batches=1"], 9, marks=pytest.mark.slow),
        pytest.param(["--trainer.max_steps=12"], 12, marks=pytest.mark.slow),
    ],
)
def test_the_schedule_ends_with_the_training(
    folder: Path, arguments: list[str], steps: int
) -> None:
    done = train(folder, "fit", *RESUME, "--trainer.max_epochs=3", *arguments)
    assert done.returncode == 0, done.stderr
    name, value = arguments[0].removeprefix("--").split("=")
    assert any(option.startswith(f"{name} {value} (was ") for option in told(done.stdout))
    checkpoint = checkpoint_of(runs_of(folder)[-1])
    (schedule,) = checkpoint["lr_schedulers"]
    assert checkpoint["global_step"] == schedule["last_epoch"] == schedule["total_steps"] == steps
    events = EventAccumulator(str(runs_of(folder)[-1])).Reload()
    if "max_steps" in name:
        logged = [rate.step for rate in events.Scalars("train/negative_elbo_bpp")]
        assert logged == list(range(8, steps))


THIRD = [
    "--trainer.callbacks+=pytorch_lightning.callbacks.ModelCheckpoint",
    "--trainer.callbacks.filename=third",
    "--trainer.callbacks.every_n_train_steps=3",
]


@pytest.mark.parametrize(
    ("cut", "name", "limit"),
    [
        (["--trainer.max_steps=3"], "last", "max_epochs=2"),
        pytest.param(["--trainer.max_steps=3"], "last", "max_steps=8", marks=pytest.mark.slow),
        pytest.param(
            [*THIRD, "--trainer.max_epochs=1"], "third", "max_epochs=2", marks=pytest.mark.slow
        ),
        pytest.param(
            [*THIRD, "--trainer.max_epochs=1"], "third", "max_steps=8", marks=pytest.mark.slow
        ),
    ],
)
def test_an_epoch_is_ended(folder: Path, cut: list[str], name: str, limit: str) -> None:
    assert train(folder, "fit", *FIT, *cut).returncode == 0
    third = runs_of(folder)[-1] / "checkpoints" / f"{name}.ckpt"
    done = train(folder, "fit", *FIT, f"--ckpt_path={third}", f"--trainer.{limit}")
    assert done.returncode == 0, done.stderr
    checkpoint = checkpoint_of(runs_of(folder)[-1])
    assert checkpoint["global_step"] == checkpoint["lr_schedulers"][0]["total_steps"] == 8


def test_other_images_are_refused(folder: Path) -> None:
    refused = refusal(folder, "fit", *RESUME, "--data.init_args.validation_fraction=0.1")
    assert f"{LAST}: trained on other images than these 90" in refused
    write_images(folder / "more", Images(sample_images("train")[:101]))
    assert "trained on other images" in refusal(
        folder, "fit", *RESUME, "--data.init_args.root=more"
    )
    (folder / "images").rename(folder / "moved")
    done = train(folder, "fit", *RESUME, "--data.init_args.root=moved")
    assert done.returncode == 0, done.stderr
    assert told(done.stdout) == ["data.init_args.root moved (was images)"]


def test_checkpoints_of_earlier_versions(folder: Path) -> None:
    checkpoint = torch.load(folder / LAST, weights_only=True)
    del checkpoint["options"], checkpoint["training_images"]
    torch.save(checkpoint, folder / LAST)
    options = ["--trainer.max_epochs=3", "--model.gradient_clip=2"]
    done = train(folder, "fit", *RESUME, *options)
    assert done.returncode == 0, done.stderr
    assert told(done.stdout) == ["model.gradient_clip 2.0 (was 1.0)"]


def test_nothing_is_said_where_nothing_differs(folder: Path) -> None:
    done = train(folder, "fit", *RESUME)
    assert done.returncode == 0, done.stderr
    assert "continues with" not in done.stdout
