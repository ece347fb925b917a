"""A user's whole way: train on a folder's images, resume, export, compress with the result."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import recvae
from recvae.images import Images, sample_images, write_images
from recvae.training import main

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


def train(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run `train.py` in this process, which has torch and Lightning loaded; returns stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
        assert main() == 2
        return capsys.readouterr().err

    return run


def config(name: str) -> dict:
    """The shipped config of a model, made small, with the user's own images."""
    text = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    text["trainer"] |= {"max_epochs": 2, "enable_progress_bar": False, "log_every_n_steps": 1}
    text["model"]["architecture"] |= {
        "latent_dim": 4,
        "height": 28,
        "width": 28,
        **MODELS[text["model"]["architecture"]["name"]],
    }
    text["model"]["compile"] = False
    text["data"] = {
        "class_path": "recvae.data.datamodule.ImageFolderDataModule",
        "init_args": {"root": "images", "batch_size": 50, "validation_fraction": 0.2},
    }
    return text


@pytest.mark.parametrize("name", ["mnist", "mnist-mlp", "mnist-scans", "folder-causal"])
def test_train_resume_export_compress(tmp_path: Path, name: str) -> None:
    images = sample_images("train")[:250]
    write_images(tmp_path / "images", Images(images))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config(name)))

    first = train(tmp_path, "fit", "--config", "config.yaml")
    assert first.returncode == 0, first.stderr
    run = next((tmp_path / "runs" / name).iterdir())
    assert any(path.name.startswith("events.") for path in run.iterdir())
    last = run / "checkpoints" / "last.ckpt"
    before = torch.load(last, weights_only=True)
    assert before["global_step"] == 8

    resume = ["--ckpt_path", str(last), "--trainer.max_epochs", "3"]
    second = train(tmp_path, "fit", "--config", "config.yaml", *resume)
    assert second.returncode == 0, second.stderr
    newest = max((tmp_path / "runs" / name).iterdir(), key=lambda path: path.stat().st_mtime)
    assert torch.load(newest / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 12
    events = EventAccumulator(str(newest)).Reload()
    steps = [event.step for event in events.Scalars("train/negative_elbo_bpp")]
    assert steps == [8, 9, 10, 11]  # it went on, and did not begin again
    curves = {f"{what}/{d:03d}" for what in ("kl_bits", "beta") for d in range(4)}
    validated = config(name)["trainer"].get("check_val_every_n_epoch", 1) <= 3
    assert (curves <= set(events.Tags()["scalars"])) == validated

    export = ["export", "--ckpt_path", str(last), "--out", "model", "--data.root", "images"]
    third = train(tmp_path, *export)
    assert third.returncode == 0, third.stderr
    assert "mutual information over 250 images" in third.stdout
    again = train(tmp_path, *export)
    assert again.returncode == 2
    assert "--force" in again.stderr

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
    assert codec.model.metadata["training_images"] == 250
    bound = codec.model.metadata["negative_elbo_bits_an_image"]
    # After twelve steps; of trained networks less is lost, see test_rate_in_integers.py.
    assert bound["in_integers"] == pytest.approx(bound["in_floats"], rel=0.005)
    data = codec.compress(images[:20])
    assert np.array_equal(recvae.open(data, tmp_path / "model")[:], images[:20])


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
def test_bad_exports(tmp_path: Path, refused, arguments: list[str], message: str) -> None:
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    stderr = refused("export", *arguments)
    assert message in stderr
    assert stderr.count("\n") == 1
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.architecture.name", "gan"], "choose from"),
        (["--model.architecture.decoder", "{depth: 3}"], "architecture.decoder.depth is unknown"),
        (["--model.architecture.decoder", "{saturation: 1}"], "allowed: 3 to 255"),
        (["--model.beta.release", "[0.6,0.3]"], "beta.release"),
        (["--model.beta.target_bits", "0"], "beta.target_bits"),
        (["--model.architecture.height", "32"], "--model.architecture.height 28"),
        (
            ["--model.architecture.name", "causal", "--model.architecture.decoder", "{levels: 2}"],
            "pixels of 255: architecture.decoder.levels is 2",
        ),
        (["--ckpt_path", "absent.ckpt"], "absent.ckpt: no such checkpoint"),
        (["--data.root", "absent"], "absent"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # Lightning has advice to give
def test_bad_trainings(tmp_path: Path, refused, arguments: list[str], message: str) -> None:
    write_images(tmp_path / "images", Images(sample_images("train")[:100]))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config("mnist")))
    assert message in refused("fit", "--config", "config.yaml", *arguments).splitlines()[-1]
