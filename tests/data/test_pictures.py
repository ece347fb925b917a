"""Pictures to train on: every kind of input, crops by seed and epoch, what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from recvae.data.batches import CropBatches, crop_at
from recvae.data.pictures import PictureDataModule, read_pictures
from recvae.errors import InputError

NOISE = np.random.default_rng(0)
SIZES = [(20, 31), (24, 24), (40, 22), (21, 50)]
PICTURES = [torch.from_numpy(NOISE.integers(0, 256, (3, *size), dtype=np.uint8)) for size in SIZES]


def crops(seed: int = 0, epoch: int = 0, shift: int = 3) -> CropBatches:
    return CropBatches(PICTURES, 16, 5, 14, shift, seed, lambda: epoch)


def test_crops_are_cut_from_the_pictures_reflected_at_their_borders() -> None:
    picture, crop, shift = PICTURES[0], 16, 5
    padded = F.pad(picture, (shift,) * 4, "reflect")
    for place in torch.rand((50, 2)) * torch.tensor([0.9999, 0.9999]):
        top, left = (int(p * (s - crop + 1)) for p, s in zip(place, padded.shape[1:], strict=True))
        expected = padded[:, top : top + crop, left : left + crop]
        assert torch.equal(crop_at(picture, crop, shift, place), expected)


def test_an_epoch_takes_as_many_crops_of_each_picture_in_whole_batches() -> None:
    bright = [torch.full((3, 16, 16), number, dtype=torch.uint8) for number in range(4)]
    batches = list(CropBatches(bright, 16, 6, 12))
    assert [batch.shape for batch in batches] == [(6, 3, 16, 16)] * 2
    assert torch.cat(batches)[:, 0, 0, 0].bincount().tolist() == [3, 3, 3, 3]


def test_about_half_of_the_crops_are_mirrored() -> None:
    ramp = torch.arange(16, dtype=torch.uint8).expand(3, 16, 16)
    mirrored = sum(int(batch[:, 0, 0, 0].eq(15).sum()) for batch in CropBatches([ramp], 16, 8, 400))
    assert 150 < mirrored < 250


def test_crops_depend_on_seed_and_epoch_alone() -> None:
    epochs = {
        torch.cat(list(crops(seed, epoch))).numpy().tobytes()
        for seed in (0, 1)
        for epoch in (0, 1)
        for _ in range(2)
    }
    assert len(epochs) == 4


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_resumption_goes_on_with_the_next_batch(taken: int) -> None:
    interrupted, resumed = crops(3, 5), crops(3, 5)
    for _ in zip(range(taken), interrupted, strict=False):
        pass
    resumed.load_state_dict({"epoch": 5, "batch": taken})
    if taken:
        assert interrupted.state_dict() == {"epoch": 5, "batch": taken}
    assert len(expected := list(crops(3, 5))[taken:]) == 2 - taken
    assert all(map(torch.equal, list(resumed), expected))


def test_every_kind_of_input_is_read_in_colour(tmp_path: Path) -> None:
    colour, grey = (
        NOISE.integers(0, 256, (4, 9, 7, 3), np.uint8),
        NOISE.integers(0, 256, (4, 9, 7), np.uint8),
    )
    np.save(tmp_path / "colour.npy", colour)
    np.save(tmp_path / "grey.npy", grey)
    np.save(tmp_path / "one.npy", colour[0])
    (tmp_path / "mixed").mkdir()
    Image.fromarray(colour[0]).save(tmp_path / "mixed" / "a.png")
    Image.fromarray(grey[0, :5]).save(tmp_path / "mixed" / "b.webp", lossless=True)
    for name, expected in {
        "colour.npy": [colour[i] for i in range(4)],
        "grey.npy": [np.stack([grey[i]] * 3, -1) for i in range(4)],
        "one.npy": [colour[0]],
        "mixed/a.png": [colour[0]],
        "mixed": [colour[0], np.stack([grey[0, :5]] * 3, -1)],
    }.items():
        pictures = read_pictures(str(tmp_path / name))
        assert len(pictures) == len(expected)
        for picture, pixels in zip(pictures, expected, strict=True):
            assert torch.equal(picture, torch.from_numpy(pixels).permute(2, 0, 1))


def test_reduced_pictures_lose_their_blocks(tmp_path: Path) -> None:
    """The mean stays, and so do edges; a pattern of single pixels goes."""
    pixels = np.zeros((40, 61, 3), np.uint8)
    pixels[::2] = 100
    Image.fromarray(pixels).save(tmp_path / "x.png")
    (reduced,) = read_pictures(str(tmp_path / "x.png"), reduce=2.5)
    assert reduced.shape == (3, 16, 24)
    assert float(reduced[:, 2:-2].float().std()) < 3
    assert float(reduced.float().mean()) == pytest.approx(50, abs=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, picture in enumerate(PICTURES):
        pixels = picture.permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def test_pictures_are_split_alike_for_every_seed(folder: Path) -> None:
    data = [PictureDataModule(str(folder), 2, 16, validation_fraction=0.5, seed=s) for s in (0, 1)]
    for module in data:
        module.setup()
        assert (len(module.train_images), module.val_images.shape) == (2, (2, 3, 16, 16))
        assert module.examples is module.val_images
    assert data[0].fingerprint == data[1].fingerprint
    other = PictureDataModule(str(folder), 2, 16, validation_fraction=0.25)
    other.setup()
    assert other.fingerprint != data[0].fingerprint
    (middle,) = other.test_dataloader()
    held = next(p for p in PICTURES if not any(p.shape == t.shape for t in other.train_images))
    top, left = (held.shape[1] - 16) // 2, (held.shape[2] - 16) // 2
    assert torch.equal(middle[0], held[:, top : top + 16, left : left + 16])


def test_without_validation_all_pictures_train_and_measure(folder: Path) -> None:
    data = PictureDataModule(str(folder), 2, 16, validation_fraction=0)
    data.setup()
    assert len(data.train_images) == len(data.val_images) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": 0}, "crop is 0: it must be at least 1 pixel"),
        ({"crop": 22}, r"of 4 pictures 2 have a side below 22 pixels, the smallest 20: take"),
        ({"shift": 16}, "shift is 16: it must lie between 0 and 15 pixels"),
        ({"reduce": 0.5}, "reduce is 0.5: it must be at least 1"),
        ({"reduce": float("nan")}, "reduce is nan"),
        (
            {"reduce": 2},
            "of 4 pictures 4, reduced by 2, have a side below 16 pixels, the smallest 10",
        ),
        ({"crops_per_epoch": -1}, "crops_per_epoch is -1: it must not be negative"),
        ({"batch_size": 4}, "batch_size is 4: it must lie between 1 and the 3 crops of an epoch"),
        ({"batch_size": 0}, "batch_size is 0: it must lie between 1"),
        ({"seed": -1}, "seed is -1: it must not be negative"),
        ({"validation_fraction": 1}, "validation_fraction is 1: it must be"),
        (
            {"validation_fraction": 0.9},
            r"hold out 4 of 4 images: at least one must remain .*\(0 holds out none\)",
        ),
        ({"root": "absent"}, "absent: "),
    ],
)
def test_bad_options_are_named(folder: Path, arguments: dict, message: str) -> None:
    def begin() -> None:
        data = PictureDataModule(**{"root": str(folder), "batch_size": 2, "crop": 16} | arguments)
        data.setup()
        data.train_dataloader()

    with pytest.raises(InputError, match=message):
        begin()


def test_inputs_without_pictures_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.zeros((0, 9, 9, 3), np.uint8))
    np.save(tmp_path / "float.npy", np.zeros((2, 9, 9, 3)))
    (tmp_path / "short.npy").write_bytes((tmp_path / "float.npy").read_bytes()[:40])
    (tmp_path / "empty").mkdir()
    for name, message in {
        "none.npy": "none.npy: holds no pictures to train on",
        "float.npy": "float.npy: holds float64, but pixels must be uint8",
        "short.npy": "short.npy: not a readable .npy array",
        "empty": "empty: no PNGs",
    }.items():
        with pytest.raises(InputError, match=message):
            read_pictures(str(tmp_path / name))


def test_pictures_with_alpha_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    Image.new("LA", (20, 20)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match="holds pictures of grey with alpha; models are trained"):
        read_pictures(str(tmp_path))
