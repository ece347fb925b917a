"""Training that is ended early, by a signal, a full disk, another run: what was kept stays."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recvae.codec.vae import calibrate
from recvae.data.datamodule import ImageFolderDataModule
from recvae.errors import Terminated
from recvae.training.checkpoints import read_checkpoint
from recvae.vae.lightning import VAE
from training.running import FIT, LAST, ROOT, Done, prepare, refusal, runs_of, train

GOES_ON = "fit --ckpt_path last continues after the last epoch"


def last_line(done: Done) -> str:
    return done.stderr.splitlines()[-1]


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def hang_up(*_: object) -> None:
    raise Terminated(signal.SIGHUP)


def terminate(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("end", "status", "word"),
    [(interrupt, 130, "interrupted"), (hang_up, 129, "terminated"), (terminate, 143, "terminated")],
)
def test_signals(
    folder: Path, monkeypatch: pytest.MonkeyPatch, end: Callable, status: int, word: str
) -> None:
    step = VAE.training_step

    def ended(model: VAE, *arguments: object) -> object:
        if model.current_epoch == 1:
            end()
        return step(model, *arguments)

    monkeypatch.setattr(VAE, "training_step", ended)
    done = train(folder, "fit", *FIT)
    assert (done.returncode, last_line(done)) == (status, f"train.py: {word}; {GOES_ON}")
    read_checkpoint(str(runs_of(folder)[-1] / "checkpoints" / "last.ckpt"))


def test_before_the_first_epoch_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VAE, "training_step", interrupt)
    done = train(folder, "fit", *FIT)
    assert done.returncode == 130
    assert last_line(done) == "train.py: interrupted; no epoch was completed, nothing is kept"


def test_after_a_validation_within_the_first_epoch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a best.ckpt, but no last.ckpt: it is named."""
    step = VAE.training_step

    def ended(model: VAE, batch: object, number: int) -> object:
        if number == 2:
            interrupt()
        return step(model, batch, number)

    monkeypatch.setattr(VAE, "training_step", ended)
    done = train(folder, "fit", *FIT, "--trainer.val_check_interval=2")
    best = next((runs_of(folder)[-1] / "checkpoints").iterdir()).relative_to(folder)
    assert done.returncode == 130
    assert last_line(done).startswith("train.py: interrupted; fit --ckpt_path ")
    assert last_line(done).endswith(f"{best} continues from there")


def test_while_measuring(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VAE, "validation_step", hang_up)
    done = train(folder, "validate", *FIT, "--ckpt_path=last")
    assert done.returncode == 129
    assert last_line(done) == "train.py: terminated; nothing was measured"


def test_while_exporting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "calibrate", hang_up)
    before = sorted(folder.rglob("*"))
    export = ["export", f"--ckpt_path={LAST}", "--out=new/model", "--data.root=images"]
    done = train(folder, *export)
    assert done.returncode == 129
    assert last_line(done) == "train.py: terminated; no model was written"
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")]
)
def test_signals_to_a_process(tmp_path: Path, number: signal.Signals, word: str) -> None:
    prepare(tmp_path)
    command = [sys.executable, str(ROOT / "train.py"), "fit", *FIT, "--trainer.max_epochs=100000"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / LAST).exists():
            assert process.poll() is None
        process.send_signal(number)
        _, stderr = process.communicate()
    assert (process.returncode, stderr.splitlines()[-1]) == (
        128 + number,
        f"train.py: {word}; {GOES_ON}",
    )
    read_checkpoint(str(tmp_path / LAST))


def test_a_full_disk(folder: Path) -> None:
    whole = (folder / LAST).read_bytes()
    name = "--trainer.logger.init_args.version=0"
    (folder / LAST).parents[1].joinpath("config.yaml").unlink()  # to write into the same folder
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) // 2, limits[1]))
    try:
        refused = refusal(
            folder, "fit", *FIT, f"--ckpt_path={LAST}", "--trainer.max_epochs=3", name
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert refused.endswith(".ckpt: File too large")
    assert (folder / LAST).read_bytes() == whole
    assert {path.name for path in (folder / LAST).parent.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_another_run_is_faster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = folder / "runs/mnist-mlp/version_1/config.yaml"

    def other_begins(_: object) -> None:
        other.parent.mkdir(exist_ok=True)
        other.write_text("")

    monkeypatch.setattr(ImageFolderDataModule, "prepare_data", other_begins)
    assert "version_1: another run writes to it: start again" in refusal(folder, "fit", *FIT)
