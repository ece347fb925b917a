"""A user's whole workflow: train on a folder's images, resume, export, compress."""

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import recvae
from recvae.images import sample_images
from training.running import FIT, config, prepare, refusal, runs_of, steps_of, train, train_process


@pytest.mark.parametrize(
    ("name", "train_first"),
    [
        ("mnist-mlp", train),
        pytest.param("mnist", train, marks=pytest.mark.slow),
        pytest.param("mnist-mlp", train_process, marks=pytest.mark.slow),
        pytest.param("mnist-scans", train, marks=pytest.mark.slow),
        pytest.param("folder-causal", train, marks=pytest.mark.slow),
        pytest.param("folder-pointer", train, marks=pytest.mark.slow),
    ],
)
def test_train_resume_export_compress(tmp_path: Path, name: str, train_first) -> None:
    prepare(tmp_path, name)
    first = train_first(tmp_path, "fit", "--config", "config.yaml")
    assert first.returncode == 0, first.stderr
    (run,) = runs_of(tmp_path, name)
    assert any(path.name.startswith("events.") for path in run.iterdir())
    last = run / "checkpoints" / "last.ckpt"
    assert str(last.relative_to(tmp_path)) in first.stdout
    assert steps_of(run) == 8

    resume = ["--ckpt_path", str(last), "--trainer.max_epochs", "3"]
    second = train_first(tmp_path, "fit", "--config", "config.yaml", *resume)
    assert second.returncode == 0, second.stderr
    newest = runs_of(tmp_path, name)[-1]
    assert steps_of(newest) == 12
    events = EventAccumulator(str(newest)).Reload()
    rates = events.Scalars("train/negative_elbo_bpp")
    assert [rate.step for rate in rates] == [8, 9, 10, 11]  # it went on, and did not begin again
    assert all(1 < rate.value < 12 for rate in rates)
    curves = {f"{what}/{d:03d}" for what in ("kl_bits", "beta") for d in range(4)}
    validated = config(name)["trainer"].get("check_val_every_n_epoch", 1) <= 3
    assert (curves <= set(events.Tags()["scalars"])) == validated

    export = ["export", "--ckpt_path", str(last), "--out", "model", "--data.root", "images"]
    third = train_first(tmp_path, *export)
    assert third.returncode == 0, third.stderr
    assert "mutual information over 100 images" in third.stdout
    assert "--force" in refusal(tmp_path, *export)

    if name == "mnist-mlp":
        export[4] = "fitted"
        chosen = ["--latents", "fitted bins", "--algorithm", "partitioned PFR, sup"]
        fourth = train(tmp_path, *export, *chosen, "--num-blocks", "1")
        assert fourth.returncode == 0, fourth.stderr
        latents = recvae.load(tmp_path / "fitted").model.latents
        assert latents.name == "fitted bins"
        assert [block.algorithm for block in latents.blocks] == ["partitioned PFR, sup"]

    codec = recvae.load(tmp_path / "model")
    assert len(codec.model.metadata["mutual_information_bits"]) == 4
    assert codec.model.metadata["training_images"] == 100
    bound = codec.model.metadata["negative_elbo_bits_an_image"]
    # After eight steps; trained networks lose less, see test_rate_in_integers.py.
    assert bound["in_integers"] == pytest.approx(bound["in_floats"], rel=0.01)
    data = codec.compress(sample_images("train")[:20])
    assert np.array_equal(recvae.open(data, tmp_path / "model")[:], sample_images("train")[:20])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--help"], "{export,fit,validate,test}"),
        (["fit", "--help"], "--ckpt_path"),
        (["export", "--help"], "--ckpt_path"),
    ],
)
def test_help(tmp_path: Path, arguments: list[str], text: str) -> None:
    done = train(tmp_path, *arguments)
    assert done.returncode == 0
    assert text in done.stdout


@pytest.mark.parametrize(("command", "split"), [("validate", "val"), ("test", "test")])
def test_measure_a_checkpoint(folder: Path, command: str, split: str) -> None:
    assert "pass --ckpt_path" in refusal(folder, command, *FIT)
    done = train(folder, command, *FIT, "--ckpt_path=best")
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in done.stdout.splitlines() if f"{split}/negative_elbo_bpp" in row]
    assert 1 < float(row.split()[3]) < 12  # 8 is no compression; the network has seen few batches


def test_newest_checkpoint(folder: Path) -> None:
    for name, epochs in (("last", "3"), ("best", "4")):
        done = train(folder, "fit", *FIT, f"--ckpt_path={name}", "--trainer.max_epochs", epochs)
        assert done.returncode == 0, done.stderr
    assert [steps_of(run) for run in runs_of(folder)] == [8, 12, 16]


def test_nothing_is_left_to_train(folder: Path) -> None:
    done = train(folder, "fit", *FIT, "--ckpt_path=last")
    assert done.returncode == 0, done.stderr
    assert "nothing was trained: raise --trainer.max_epochs" in done.stdout


@pytest.mark.parametrize("name", ["mnist", "mnist-scans"])  # with early stopping, and without
def test_runs_shorter_than_an_epoch(tmp_path: Path, name: str) -> None:
    prepare(tmp_path, name, network="mlp")
    short = ("--config", "config.yaml", "--trainer.max_steps")
    done = train(tmp_path, "fit", *short, "2")
    assert done.returncode == 0, done.stderr
    assert "no best.ckpt: training ended before a validation" in done.stdout
    assert steps_of(runs_of(tmp_path, name)[0]) == 2
    if name == "mnist":
        done = train(tmp_path, "fit", *short, "4", "--ckpt_path=last")
        assert done.returncode == 0, done.stderr
        assert steps_of(runs_of(tmp_path, name)[-1]) == 4


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [
        (["--trainer.limit_val_batches", "0"], 8),
        (["--trainer.max_epochs", "1", "--trainer.check_val_every_n_epoch", "2"], 4),
        (["--trainer.fast_dev_run", "true"], None),
        (["--trainer.max_steps", "0"], None),
    ],
)
def test_short_runs(folder: Path, arguments: list[str], steps: int | None) -> None:
    done = train(folder, "fit", *FIT, *arguments)
    assert done.returncode == 0, done.stderr
    run = runs_of(folder)[-1]
    if steps is None:
        assert run.name == "version_0" or not (run / "checkpoints").exists()
    else:
        assert run.name == "version_1"
        assert steps_of(run) == steps


@pytest.mark.parametrize(
    ("name", "precision"),
    [("mnist", "32-true"), ("mnist-mlp", "16-mixed"), ("mnist-mlp", "bf16-mixed")],
)
def test_precisions(tmp_path: Path, name: str, precision: str) -> None:
    prepare(tmp_path, name)
    options = ["--trainer.max_epochs", "1", "--trainer.precision", precision]
    done = train(tmp_path, "fit", *FIT, *options)
    assert done.returncode == 0, done.stderr
    events = EventAccumulator(str(runs_of(tmp_path, name)[0])).Reload()
    for split in ("train", "val"):
        assert all(1 < e.value < 12 for e in events.Scalars(f"{split}/negative_elbo_bpp"))
