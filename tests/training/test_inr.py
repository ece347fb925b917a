"""`train.py` for networks over coordinates: fit, resume, measure, export; refusals."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from recvae.codec import Codec, load_model
from recvae.inr.lightning import PictureINR
from recvae.inr.posteriors import PosteriorTable
from recvae.training.checkpoints import read_checkpoint
from training.running import (
    BETWEEN_BATCHES,
    FIT,
    ROOT,
    check_resumed_as_without_break,
    refusal,
    runs_of,
    steps_of,
    train,
)

LAST = "runs/inr-cifar10/version_0/checkpoints/last.ckpt"
CONTINUED = f"--ckpt_path={LAST}"
TABLE = ("--config", "table.yaml", "--trainer.check_val_every_n_epoch", "1")
TINY = {
    "side": 16, "frequencies": 2, "hidden": [6], "grid": 4, "grid_channels": 2, "upsampler": [4],
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a tiny network was trained for two epochs of three steps."""
    folder = tmp_path_factory.mktemp("inr")
    noise = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(14):
        pixels = noise.integers(0, 256, (16, 17, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number:02}.png")
    for name, config in (("config", "inr-cifar10"), ("table", "inr-cifar10-gpu")):
        text = yaml.safe_load((ROOT / f"configs/{config}.yaml").read_text())
        text["trainer"] |= {"max_epochs": 2, "enable_progress_bar": False, "log_every_n_steps": 1}
        text["trainer"].pop("max_steps", None)
        text["model"]["init_args"] |= {"architecture": TINY, "bits_per_pixel": 0.3}
        text["data"]["init_args"] |= {"root": "pictures", "batch_size": 4, "crop": 16}
        text["trainer"]["callbacks"][-1]["init_args"]["every_n_epochs"] = 1
        if name == "table":
            text["model"]["init_args"] |= {"pictures": 12, "round_steps": 4}
            text["data"]["init_args"] |= {"pictures": 12}
        else:
            text["model"]["init_args"] |= {"encoder_width": 8}
            text["data"]["init_args"] |= {"validation_fraction": 0.1}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(text))
    for options, run in ((FIT, "inr-cifar10"), (TABLE, "inr-cifar10-gpu")):
        done = train(folder, "fit", *options)
        assert done.returncode == 0, done.stderr
        assert f"runs/{run}/version_0/checkpoints/last.ckpt" in done.stdout
        assert steps_of(runs_of(folder, run)[0]) == 6
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "copy")


@pytest.mark.parametrize(("options", "run"), [(FIT, "inr-cifar10"), (TABLE, "inr-cifar10-gpu")])
def test_measure_a_checkpoint(folder: Path, options: tuple[str, ...], run: str) -> None:
    path = f"runs/{run}/version_0/checkpoints/last.ckpt"
    done = train(folder, "validate", *options, f"--ckpt_path={path}")
    assert done.returncode == 0, done.stderr
    rows = [row.split()[1] for row in done.stdout.splitlines() if "val/" in row]
    assert {"val/bpp", "val/psnr_db"} <= set(rows)


def test_resumed_as_without_break(folder: Path) -> None:
    shutil.rmtree(folder / "runs")
    check_resumed_as_without_break(folder, "inr-cifar10", 4, f"{BETWEEN_BATCHES}=2")


def test_rounds_resume_as_without_break(folder: Path) -> None:
    shutil.rmtree(folder / "runs")
    shutil.copy(folder / "table.yaml", folder / "config.yaml")
    check_resumed_as_without_break(folder, "inr-cifar10-gpu", 4, f"{BETWEEN_BATCHES}=2")


@pytest.mark.slow
@pytest.mark.parametrize("run", ["inr-cifar10", "inr-cifar10-gpu"])
def test_an_export_codes(folder: Path, run: str) -> None:
    path = f"runs/{run}/version_0/checkpoints/last.ckpt"
    module, _ = read_checkpoint(str(folder / path))
    assert isinstance(module, PictureINR)
    checkpoint = torch.load(folder / path, weights_only=True)
    _let_latents_carry(checkpoint["state_dict"])
    torch.save(checkpoint, folder / "more.ckpt")
    export = ["--ckpt_path=more.ckpt", "--data.root=pictures", "--out=model", "--block-bits=16"]
    done = train(folder, "export", *export)
    assert done.returncode == 0, done.stderr
    model = load_model(folder / "model")
    assert (model.shared.encoder is None) == run.endswith("gpu")
    pixels = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    codec = Codec(model)
    data = codec.compress(pixels, channels=3)
    decoded = codec.decompress(data)
    assert decoded.shape == pixels.shape
    assert np.array_equal(decoded, codec.decompress(data))


def _let_latents_carry(state: dict[str, torch.Tensor]) -> None:
    """Raise what latents change in pictures, and what posteriors know of them."""
    state["network.log_scale"] += 2
    if "table.mean" in state:
        state["table.mean"].normal_(generator=torch.Generator().manual_seed(0))


def test_the_prior_takes_on_the_moments_of_the_posteriors() -> None:
    table = PosteriorTable(50, 7)
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        table.mean.normal_(2, 3, generator=noise)
        table.log_scale.normal_(-1, 0.5, generator=noise)
    prior_mean, prior_log_scale = torch.arange(7.0), torch.linspace(-1, 1, 7)

    def latents() -> tuple[torch.Tensor, torch.Tensor]:
        scale = prior_log_scale.exp()
        return prior_mean + scale * table.mean, scale * table.log_scale.exp()

    before = latents()
    table.refit_prior(prior_mean, prior_log_scale)
    for old, new in zip(before, latents(), strict=True):
        torch.testing.assert_close(new, old)
    mean, scale = before
    torch.testing.assert_close(prior_mean, mean.mean(0))
    variance = scale.square().mean(0) + mean.var(0, correction=0)
    torch.testing.assert_close(prior_log_scale.exp().square(), variance)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*FIT, "--model.architecture.hidden", "[]"], "architecture.hidden is []: it needs 1 to 8"),
        ([*FIT, "--model.architecture.grid", "3"], "architecture.side is 16, grid 3: the side"),
        ([*FIT, "--model.architecture.side", "32"], "the crops are 16 x 16: pass --data.crop 32"),
        ([*FIT, "--model.bits_per_pixel", "0"], "bits_per_pixel is 0.0: it must be above 0"),
        ([*FIT, "--model.encoder_width", "0"], "encoder_width is 0: it must be at least 1"),
        ([*FIT, "--model.pictures", "-1"], "pictures is -1: it must not be negative"),
        ([*FIT, "--model.round_steps", "0"], "round_steps is 0: it must be at least 1"),
        ([*TABLE, "--data.pictures", "0"], "pictures is 0: it must be at least 1"),
        ([*TABLE, "--data.pictures", "99"], "pictures: holds 14 pictures, fewer than the 99"),
        ([*TABLE, "--data.crop", "17"], "of 12 pictures 12 have a side below 17 pixels"),
        ([*TABLE, "--data.batch_size", "13"], "batch_size is 13: it must lie between 1 and the 12"),
        (
            [*TABLE, "--model.pictures", "11"],
            "model.pictures is 11, but the data module numbers 12 pictures",
        ),
        (
            [*FIT, "--model.pictures", "12"],
            "model.pictures is 12, but the data module numbers 0 pictures",
        ),
    ],
)
def test_bad_trainings(trained: Path, arguments: list[str], message: str) -> None:
    before = sorted(trained.rglob("*"))
    assert message in refusal(trained, "fit", *arguments)
    assert sorted(trained.rglob("*")) == before


def test_options_of_other_models_at_export(folder: Path) -> None:
    export = ["export", CONTINUED, "--out=model", "--data.root=pictures"]
    message = f"{LAST}: holds a PictureINR: omit --num-blocks, for a VAE only"
    assert message in refusal(folder, *export, "--num-blocks=2")
    assert "block_bits is 0.0: it must lie between 1 and 1024" in refusal(
        folder, *export, "--block-bits=0"
    )
    assert not (folder / "model").exists()
