"""A user's whole way: train on a folder's images, resume, export, compress with the result."""

import contextlib
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import recvae
from recvae.errors import InputError
from recvae.images import Images, sample_images, write_images
from recvae.training import main
from recvae.training.checkpoints import read_checkpoint
from recvae.training.cli import TrainingCLI
from recvae.vae.lightning import VAE

ROOT = Path(__file__).parent.parent
MODELS = {
    "staged": {"encoder": {"channels": 8, "hidden": 16}, "decoder": {"channels": 8, "hidden": 16}},
    "causal": {
        "encoder": {"channels": 8, "hidden": 16},
        "decoder": {"channels": 8, "blocks": 1, "hidden": 16, "radius": 1},
    },
    "scans": {
        "encoder": {"channels": 8, "hidden": 16},
        "decoder": {"about": 8, "channels": 8, "blocks": 1, "radius": 2, "grey_channels": 4},
    },
    "mlp": {"decoder": {"hidden": 16}},
}


Done = subprocess.CompletedProcess[str]


def train_process(folder: Path, *arguments: str) -> Done:
    """`train.py` as a user runs it."""
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def train(folder: Path, *arguments: str) -> Done:
    """`train.py` in this process, which has torch loaded; what it sets is set back."""
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
    """The one line with which `train.py` refuses."""
    done = train(folder, *arguments)
    assert done.returncode == 2, done.stdout
    ours = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
    assert done.stderr.splitlines()[-1:] == ours, done.stderr
    return ours[0]


def prepare(folder: Path, name: str = "mnist-mlp", network: str = "") -> None:
    """What a user has before training: images and a config."""
    write_images(folder / "images", Images(sample_images("train")[:100]))
    (folder / "config.yaml").write_text(yaml.safe_dump(config(name, network)))


def runs_of(folder: Path, name: str = "mnist-mlp") -> list[Path]:
    """Oldest first."""
    return sorted((folder / "runs" / name).iterdir(), key=lambda path: path.stat().st_mtime)


def steps_of(run: Path) -> int:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]


FIT = ("--config", "config.yaml", "--trainer.check_val_every_n_epoch", "1")
LAST = "runs/mnist-mlp/version_0/checkpoints/last.ckpt"


def config(name: str, network: str = "") -> dict:
    """A shipped config, made small, with the user's own images, and perhaps another network."""
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small model was trained for two epochs; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    prepare(folder)
    done = train(folder, "fit", *FIT)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "copy")


@pytest.mark.parametrize(
    ("name", "train_first"),
    [
        ("mnist", train),
        ("mnist-mlp", train),
        pytest.param("mnist-mlp", train_process, marks=pytest.mark.slow),
        pytest.param("mnist-scans", train, marks=pytest.mark.slow),
        pytest.param("folder-causal", train, marks=pytest.mark.slow),
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
    # After eight steps; of trained networks less is lost, see test_rate_in_integers.py.
    assert bound["in_integers"] == pytest.approx(bound["in_floats"], rel=0.005)
    data = codec.compress(sample_images("train")[:20])
    assert np.array_equal(recvae.open(data, tmp_path / "model")[:], sample_images("train")[:20])


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
        (["--trainer.precision", "16-true"], "trainer.precision is 16-true: choose from 32-true"),
        (["--trainer.precision", "transformer-engine"], "trainer.precision is transformer-engine"),
    ],
)
def test_bad_trainings(folder: Path, arguments: list[str], message: str) -> None:
    assert message in refusal(folder, "fit", *FIT, *arguments)


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
        (["--trainer.logger.init_args.version", "0"], "version_0/config.yaml: of another run"),
        (["--trainer.logger", "false"], "config.yaml: of another run"),
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


def test_interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(VAE, "training_step", interrupt)
    done = train(folder, "fit", *FIT)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1].startswith("train.py: interrupted; fit --ckpt_path last")
