"""`train.py` for pixelwise models: fit, resume, measure, export; refusals."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from codec.pixelwise.tiny import smooth
from recvae.codec import Codec, load_model
from recvae.pixelwise.arguments import PixelArguments
from recvae.pixelwise.lightning import PixelPredictor, to_grey
from recvae.training.checkpoints import read_checkpoint
from training.running import (
    BETWEEN_BATCHES,
    FIT,
    ROOT,
    check_resumed_as_without_break,
    config,
    refusal,
    runs_of,
    steps_of,
    train,
)

LAST = "runs/photos/version_0/checkpoints/last.ckpt"
CONTINUED = f"--ckpt_path={LAST}"
TINY = {"hidden": [16, 8], "components": 2, "reach": [2, 1], "filter_reach": [1, 1]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which tiny networks were trained for two epochs of two steps."""
    folder = tmp_path_factory.mktemp("pixels")
    (folder / "photos").mkdir()
    for number in range(6):
        channels = 3 if number % 2 else 1
        pixels = smooth(1, 24 + number, 33 - number, channels)[0]
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    text = yaml.safe_load((ROOT / "configs/photos.yaml").read_text())
    text["trainer"] |= {"max_epochs": 2, "enable_progress_bar": False, "log_every_n_steps": 1}
    text["model"]["init_args"] |= {"rgb": TINY, "grey": TINY, "pixels_per_crop": 200}
    text["data"]["init_args"] |= {"crop": 16, "crops_per_epoch": 8, "validation_fraction": 0.3}
    (folder / "config.yaml").write_text(yaml.safe_dump(text))
    done = train(folder, "fit", *FIT)
    assert done.returncode == 0, done.stderr
    assert LAST in done.stdout
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "copy")


def test_logs(trained: Path) -> None:
    (run,) = runs_of(trained, "photos")
    assert steps_of(run) == 4
    events = EventAccumulator(str(run)).Reload()
    for name in ("train/rgb_bits", "train/grey_bits", "val/rgb_bits", "val/grey_bits", "val/loss"):
        assert all(0 < event.value < 30 for event in events.Scalars(name))
    rgb, grey, loss = (
        events.Scalars(f"val/{name}")[-1].value for name in ("rgb_bits", "grey_bits", "loss")
    )
    assert loss == pytest.approx(rgb + grey)


@pytest.mark.parametrize(("command", "split"), [("validate", "val"), ("test", "test")])
def test_measure_a_checkpoint(folder: Path, command: str, split: str) -> None:
    done = train(folder, command, *FIT, CONTINUED)
    assert done.returncode == 0, done.stderr
    rows = {row.split()[1] for row in done.stdout.splitlines() if f"{split}/" in row}
    assert rows == {f"{split}/rgb_bits", f"{split}/grey_bits", f"{split}/loss"}


def test_resumed_as_without_break(folder: Path) -> None:
    shutil.rmtree(folder / "runs")
    check_resumed_as_without_break(folder, "photos", 3, f"{BETWEEN_BATCHES}=3")


@pytest.mark.slow
def test_export(folder: Path) -> None:
    """It needs no pictures; the model codes its training pictures and others."""
    shutil.rmtree(folder / "photos")
    done = train(folder, "export", CONTINUED, "--out=model", "--name=own")
    assert done.returncode == 0, done.stderr
    model = load_model(folder / "model")
    assert model.name == "own"
    assert done.stdout == f"model: model 'own', hash {model.hash}\n"
    module, checkpoint = read_checkpoint(str(folder / LAST))
    assert type(module) is PixelPredictor
    assert model.metadata == {
        "epochs": 2,
        "steps": 4,
        "training": checkpoint["hyper_parameters"],
    }
    for channels in (1, 3):
        pixels = smooth(1, 20, 21, channels)
        data = Codec(model).compress(pixels, channels=channels)
        np.testing.assert_array_equal(Codec(model).decompress(data), pixels)
    assert f"{folder}" not in refusal(folder, "export", CONTINUED, "--out=model")
    assert "model exists: pass --force" in refusal(folder, "export", CONTINUED, "--out=model")


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("--num-blocks=2", "VAE"),
        ("--latents=blocks", "VAE"),
        ("--data.reduce=2", "PictureVAE or a PictureINR"),
    ],
)
def test_exports_of_other_kinds_alone(folder: Path, option: str, kind: str) -> None:
    name = option.partition("=")[0]
    message = f"{LAST}: holds a PixelPredictor: omit {name}, for a {kind} only"
    assert message in refusal(folder, "export", CONTINUED, "--out=model", option)


OTHER_KIND = ("--config", "vae.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*FIT, "--model.rgb.hidden", "[4,8]"], "hidden is [4, 8]; need 2 to 2 integers of 8 to"),
        ([*FIT, "--model.grey.reach", "[0,1]"], "reach and filter_reach must begin with at least"),
        ([*FIT, "--model.rgb.components", "17"], "components is 17; need an integer of 1 to 16"),
        ([*FIT, "--model.pixels_per_crop", "0"], "pixels_per_crop is 0: it must be at least 1"),
        ([*FIT, "--model.learning_rate", "0"], "learning_rate is 0"),
        ([*FIT, "--data.crop", "40"], "photos: of 6 pictures 6 have a side below 40 pixels"),
        ([*FIT, "--data.root", "absent"], "absent: "),
        (OTHER_KIND, "the images are in colour: a VAE takes grey ones"),
        ([*FIT, CONTINUED, "--model.rgb.hidden", "[16,16]"], "rgb.hidden.1 8, not 16: pass"),
        ([*FIT, CONTINUED, "--model.grey.components", "3"], "grey.components 2, not 3: pass"),
        ([*FIT, CONTINUED, "--data.validation_fraction", "0.5"], "trained on other images"),
        ([*FIT, CONTINUED, "--trainer.max_epochs", "1"], f"{LAST}: has 2 epochs: pass"),
        ([CONTINUED, *OTHER_KIND], f"{LAST}: holds a PixelPredictor, not a VAE: pass the conf"),
    ],
)
def test_bad_trainings(trained: Path, arguments: list[str], message: str) -> None:
    text = yaml.safe_load((trained / "config.yaml").read_text())
    (trained / "vae.yaml").write_text(yaml.safe_dump(text | {"model": config("folder")["model"]}))
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
    assert "a PixelPredictor needs those of" in refusal(folder, "fit", "--config", "grey.yaml")


def test_training_is_worth_it() -> None:
    """The loss falls, also on pixels that were not trained on."""
    torch.manual_seed(0)
    tiny = PixelArguments(**TINY)
    module = PixelPredictor(tiny, tiny, pixels_per_crop=300)
    module.log = lambda *_, **__: None  # Lightning's needs a trainer
    crops = torch.from_numpy(smooth(4, 32, 32)).permute(0, 3, 1, 2)

    def held_out_bits() -> list[float]:
        others = smooth(2, 30, 32)
        images = {3: others, 1: to_grey(torch.from_numpy(others)).numpy()}
        return [module._bits(c, own, learning=False).mean().item() for c, own in images.items()]

    before = held_out_bits()
    optimiser = torch.optim.AdamW(module.parameters(), 4e-3)
    for step in range(60):
        loss = module.training_step(crops, step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for first, last in zip(before, held_out_bits(), strict=True):
        assert last < 0.9 * first
    assert all(getattr(module, f"filters_{channels}").any() for channels in (1, 3))


def test_luma() -> None:
    colours = torch.tensor([[[[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]]])
    assert to_grey(colours.to(torch.uint8)).flatten().tolist() == [255, 76, 150, 29]
