"""`train.py` on pictures: fit, resume, measure; refusals."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from recvae.hierarchy.lightning import PictureVAE
from recvae.hierarchy.network import HierarchyArguments
from recvae.training.checkpoints import read_checkpoint
from training.running import (
    BETWEEN_BATCHES,
    BETWEEN_EPOCHS,
    FIT,
    ROOT,
    check_resumed_as_without_break,
    config,
    refusal,
    runs_of,
    steps_of,
    train,
)

LAST = "runs/pictures/version_0/checkpoints/last.ckpt"
TINY = {
    "width": 8,
    "layers": [1, 2],
    "channels": [2, 3],
    "encoder_blocks": [1, 1],
    "decoder_blocks": 1,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a tiny model was trained for two epochs of three steps."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(10):
        shape = (16 + number, 25 - number, 3) if number % 2 else (16 + number, 17)
        pixels = noise.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    text = yaml.safe_load((ROOT / "configs/pictures.yaml").read_text())
    text["trainer"] |= {"max_epochs": 2, "enable_progress_bar": False, "log_every_n_steps": 1}
    text["model"]["init_args"] |= {"architecture": TINY, "warmup_steps": 2}
    text["data"]["init_args"] |= {
        "batch_size": 4,
        "crop": 16,
        "crops_per_epoch": 12,
        "validation_fraction": 0.2,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(text))
    done = train(folder, "fit", *FIT)
    assert done.returncode == 0, done.stderr
    assert LAST in done.stdout
    return folder


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_config_written_anew_is_the_same(path: Path, tmp_path: Path) -> None:
    written = train(tmp_path, "fit", "--config", str(path), "--print_config")
    assert written.returncode == 0, written.stderr
    (tmp_path / "again.yaml").write_text(written.stdout)
    again = train(tmp_path, "fit", "--config", "again.yaml", "--print_config")
    assert again.stdout == written.stdout
    shipped = yaml.safe_load(path.read_text())["model"]
    for name, value in shipped.get("init_args", shipped).items():
        read = yaml.safe_load(written.stdout)["model"]["init_args"][name]
        assert read == value or value.items() <= read.items()


def test_logs(trained: Path) -> None:
    (run,) = runs_of(trained, "pictures")
    assert steps_of(run) == 6
    events = EventAccumulator(str(run)).Reload()
    for quality in (25, 50, 75):
        for unit in ("bpp", "psnr_db"):
            values = events.Scalars(f"val/quality_{quality}_{unit}")
            assert [event.step for event in values] == [2, 5]
            assert all(np.isfinite(event.value) for event in values)
    image = events.Images("val/originals_and_reconstructions")[-1]
    assert (image.width, image.height) == (2 * 16, 4 * 16)  # two pictures; originals, 3 qualities


def test_a_compiled_model_has_the_same_weights() -> None:
    plain, compiled = (PictureVAE(HierarchyArguments(**TINY), compile=c) for c in (False, True))
    assert plain.state_dict().keys() == compiled.state_dict().keys()
    assert len(plain.state_dict()) == len(list(plain.parameters()))


@pytest.mark.parametrize(("command", "split"), [("validate", "val"), ("test", "test")])
def test_measure_a_checkpoint(folder: Path, command: str, split: str) -> None:
    done = train(folder, command, *FIT, "--ckpt_path=best")
    assert done.returncode == 0, done.stderr
    rows = [row.split()[1] for row in done.stdout.splitlines() if f"{split}/" in row]
    assert f"{split}/quality_50_bpp" in rows
    assert f"{split}/quality_50_psnr_db" in rows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "kept"),
    [(4, f"{BETWEEN_BATCHES}=2"), (3, BETWEEN_EPOCHS)],
)
def test_resumed_as_without_break(folder: Path, steps: int, kept: str) -> None:
    shutil.rmtree(folder / "runs")
    check_resumed_as_without_break(folder, "pictures", steps, kept)


def test_checkpoints_of_earlier_versions(folder: Path) -> None:
    """They hold the network twice, but neither random state nor fingerprint."""
    checkpoint = torch.load(folder / LAST, weights_only=True)
    for weights in (checkpoint["state_dict"], checkpoint["current_model_state"]):
        weights |= {name.replace("network.", "_forward."): w for name, w in weights.items()}
    del checkpoint["random_state"], checkpoint["training_images"]
    assert set(checkpoint["hyper_parameters"]) == {
        "architecture",
        "learning_rate",
        "weight_decay",
        "gradient_clip",
        "warmup_steps",
        "compile",
    }
    torch.save(checkpoint, folder / "old.ckpt")
    module, _ = read_checkpoint(str(folder / "old.ckpt"))
    assert type(module) is PictureVAE
    shutil.rmtree(folder / "runs")
    done = train(folder, "fit", *FIT, "--ckpt_path=old.ckpt", "--trainer.max_epochs=3")
    assert done.returncode == 0, done.stderr
    assert "old.ckpt: continues with trainer.max_epochs 3 (was 2)" in done.stdout
    assert steps_of(runs_of(folder, "pictures")[0]) == 9


OTHER_KIND = ("--config", "vae.yaml")
CONTINUED = f"--ckpt_path={LAST}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*FIT, "--model.architecture.width", "4"], "architecture.width is 4; allowed: 8 to 512"),
        (
            [*FIT, "--model.architecture.layers", "[1]"],
            "architecture.channels has 2 entries, layers ha",
        ),
        ([*FIT, "--model.warmup_steps", "-1"], "warmup_steps is -1: it must not be negative"),
        (
            [*FIT, "--data.crop", "14"],
            "the crops are 14 x 14: pass a --data.crop that is a multiple of 4",
        ),
        (
            [*FIT, "--data.crop", "20"],
            "pictures: of 10 pictures 9 have a side below 20 pixels, the small",
        ),
        (
            [*FIT, "--data.reduce", "2"],
            "10 pictures 10, reduced by 2, have a side below 16 pixels, the",
        ),
        ([*FIT, "--data.root", "absent"], "absent: "),
        (
            [*FIT, "--data.batch_size", "13"],
            "batch_size is 13: it must lie between 1 and the 12 crops",
        ),
        ([*FIT, "--data.validation_fraction", "0.95"], "validation would hold out 10 of 10 images"),
        (
            ["--config", "unknown.yaml"],
            "model.class_path is torch.nn.Linear: choose from recvae.vae",
        ),
        (OTHER_KIND, "the images are in colour: a VAE takes grey ones"),
        (
            [*FIT, CONTINUED, "--model.architecture.width", "16"],
            "architecture.width 8, not 16: pass",
        ),
        (
            [*FIT, CONTINUED, "--model.architecture.layers", "[2,1]"],
            "architecture.layers.0 1, not 2",
        ),
        (
            [*FIT, CONTINUED, "--data.validation_fraction", "0.3"],
            "trained on other images than these 7",
        ),
        ([*FIT, CONTINUED, "--trainer.max_epochs", "1"], f"{LAST}: has 2 epochs: pass"),
        ([CONTINUED, *OTHER_KIND], f"{LAST}: holds a PictureVAE, not a VAE: pass the conf"),
    ],
)
def test_bad_trainings(trained: Path, arguments: list[str], message: str) -> None:
    text = yaml.safe_load((trained / "config.yaml").read_text())
    (trained / "vae.yaml").write_text(yaml.safe_dump(text | {"model": config("folder")["model"]}))
    (trained / "unknown.yaml").write_text("model: {class_path: torch.nn.Linear}")
    before = sorted(trained.rglob("*"))
    assert message in refusal(trained, "fit", *arguments)
    assert sorted(trained.rglob("*")) == before


def test_grey_images_of_one_channel_are_no_pictures(folder: Path) -> None:
    text = yaml.safe_load((folder / "config.yaml").read_text())
    text["data"] = config("folder")["data"] | {"init_args": {"root": "grey", "batch_size": 2}}
    (folder / "grey").mkdir()
    for name in "abcd":
        Image.new("L", (16, 16)).save(folder / "grey" / f"{name}.png")
    (folder / "grey.yaml").write_text(yaml.safe_dump(text))
    assert "a PictureVAE needs those of" in refusal(folder, "fit", "--config", "grey.yaml")


def test_options_may_change_that_leave_the_pictures_alone(folder: Path) -> None:
    options = ["--data.shift=3", "--model.learning_rate=0.002", "--trainer.max_epochs=3"]
    done = train(folder, "fit", *FIT, CONTINUED, *options)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "continues with" in line]
    for words in ("model.learning_rate 0.002 (was 0.001)", "data.init_args.shift 3 (was 0)"):
        assert words in line


@pytest.mark.parametrize("option", ["--num-blocks=2", "--latents=blocks", "--algorithm=GPRS"])
def test_exports_of_a_vae_alone(folder: Path, option: str) -> None:
    export = ["export", CONTINUED, "--out=model", "--data.root=pictures"]
    name = option.partition("=")[0]
    message = f"{LAST}: holds a PictureVAE: omit {name}, for a VAE only"
    assert message in refusal(folder, *export, option)


def test_an_export_needs_pictures(folder: Path) -> None:
    message = f"{LAST}: holds a PictureVAE: pass --data.root to calibrate it"
    assert message in refusal(folder, "export", CONTINUED, "--out=model")
    assert not (folder / "model").exists()
