"""Folders of the hierarchy: what is saved loads to the same bits; what is no model is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import recvae
from codec.hierarchy.tiny import QUICK, smooth
from codec.vae.folders import JSON, WEIGHTS, refused, rewrite, setting
from recvae.codec import Codec, load_model
from recvae.codec.container import ContainerReader
from recvae.codec.hierarchy.model import PictureModel
from recvae.codec.model_folder import save_model
from recvae.errors import InputError


@pytest.fixture
def folder(model: PictureModel, tmp_path: Path) -> Path:
    model.save(tmp_path)
    return tmp_path


def test_a_saved_model_is_the_same(model: PictureModel, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save_model(model, folder)
    assert sorted(path.name for path in folder.iterdir()) == [JSON, WEIGHTS]
    loaded = load_model(folder)
    assert isinstance(loaded, PictureModel)
    assert (loaded.hash, loaded.file_id) == (model.hash, model.file_id)
    assert (loaded.name, loaded.metadata, loaded.layers) == ("tiny", {"note": "random"}, 2)
    again = replace(loaded, search=QUICK, quality=model.quality)
    pictures = smooth(2, 32, 32)
    data = Codec(model).compress(pictures, channels=3)
    assert Codec(again).compress(pictures, channels=3) == data
    assert np.array_equal(Codec(again).decompress(data), Codec(model).decompress(data))
    with recvae.open(data, model=folder) as images:
        assert np.array_equal(images[:], Codec(model).decompress(data))
        assert images.reader.header.group_size == 1
    (folder / "again").mkdir()
    loaded.save(folder / "again")
    for name in (JSON, WEIGHTS):
        assert (folder / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_files_of_another_model(model: PictureModel, folder: Path) -> None:
    rewrite(folder, setting("key", 2))
    other = load_model(folder)
    data = Codec(model).compress(smooth(1, 8, 8), channels=3)
    with pytest.raises(InputError, match="made with another model"):
        Codec(other).decompress(data)
    with ContainerReader(data) as reader:
        assert reader.header.model_hash == model.file_id


@pytest.mark.parametrize("name", [JSON, WEIGHTS])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_damaged_files(folder: Path, name: str, damage: str) -> None:
    data = bytearray((folder / name).read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 4
    (folder / name).write_bytes({"flip": data, "cut": data[:-9], "empty": b""}[damage])
    refused(folder, f"{name}: |do not match its hash")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("name", 5, "model.json: name: "),
        ("name", "x" * 101, "model.json: name: "),
        ("key", -1, "model.json: key: "),
        ("key", 1 << 64, "model.json: key: "),
        ("key", 1.0, "model.json: key: "),
        ("key", True, "model.json: key: "),
        ("facts", [], "model.json: facts: "),
        ("classes", 0, "model.json: classes: "),
        ("classes", 65, "model.json: classes: "),
        ("classes", 4, "tensor .* needed: "),
        ("bands", 4, "tensor classes.frequencies .* needed: "),
        ("bands", 101, "model.json: bands: "),
        ("layers", [], "layers: 0 of them, the architecture has 2"),
        ("layers", {"positions": 1}, "model.json: layers: "),
        ("layers.0.positions", 0, r"model.json: layers\[0\].positions: "),
        ("layers.0.positions", 257, r"model.json: layers\[0\].positions: "),
        ("layers.0.positions", 9, "tensor layers.0.intervals .* needed: "),
        ("layers.0.more", 1, "model.json: .*'more' was unexpected"),
        ("more", 1, "model.json: .*'more' was unexpected"),
        ("architecture", [], "model.json: architecture: "),
        ("architecture.width", 9, "tensor .* needed: "),
        ("architecture.width", 1 << 40, "architecture.width is "),
        ("architecture.width", 8.0, "architecture.width is "),
        ("architecture.depth", 9, "model.json: architecture: .*unexpected"),
        ("architecture.layers", [1, 1], "architecture.channels has 3 entries"),
        ("architecture.layers", 3, "model.json: architecture: "),
        ("architecture.layers", [[1], 1, 0], "architecture.layers"),
        ("architecture.layers", None, "model.json: architecture: "),
        ("architecture.channels", "abc", "architecture.channels"),
        ("architecture.decoder_blocks", 9, "architecture.decoder_blocks"),
    ],
)
def test_hostile_fields(folder: Path, path: str, value: object, message: str) -> None:
    rewrite(folder, setting(path, value))
    refused(folder, message)


@pytest.mark.parametrize("field", ["name", "architecture", "key", "layers", "facts", "hash"])
def test_missing_fields(folder: Path, field: str) -> None:
    rewrite(folder, lambda text: text.pop(field))
    refused(folder, f"{field}' is a required property")


def test_an_architecture_states_all_of_itself(folder: Path) -> None:
    """Else two descriptions, and hashes, were of one model."""
    rewrite(folder, lambda text: text["architecture"].pop("decoder_blocks"))
    refused(folder, "in canonical form")


def with_row(values: list[int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The last dimension begins with these, in the first row."""

    def change(tensor: torch.Tensor) -> torch.Tensor:
        changed = tensor.clone()
        changed.view(-1)[: len(values)] = torch.tensor(values, dtype=tensor.dtype)
        return changed

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("network.start", lambda t: t * torch.nan, "weight of its networks is not finite"),
        ("network.out.bias", lambda t: t + torch.inf, "weight of its networks is not finite"),
        ("network.out.bias", lambda t: t.float(), "needed: torch.float16"),
        ("network.out.bias", lambda t: t[1:], "needed: torch.float16"),
        ("classes.edges", lambda t: t * torch.nan, "classes.edges: not in order"),
        ("classes.edges", lambda t: t.flip(0), "classes.edges: not in order"),
        ("classes.frequencies", lambda t: t + 1, "classes.frequencies: must be positive and sum"),
        ("classes.frequencies", lambda t: t * 0, "classes.frequencies: must be positive and sum"),
        ("classes.frequencies", with_row([-5, 1 << 24]), "classes.frequencies: must be positive"),
        ("classes.frequencies", lambda t: t.long(), "needed: torch.int32"),
        ("layers.0.cuts", lambda t: t * 0, "layers.0.cuts: must be positive"),
        ("layers.1.ranks", lambda t: t - 1, "layers.1.ranks: must be positive"),
        ("layers.0.ranks", lambda t: t[:, 1:], "needed: torch.int32"),
        ("layers.0.block_positions", with_row([1]), "must be 0 for class 0"),
        ("layers.0.block_positions", with_row([0, -1]), "block_positions"),
        ("layers.0.block_positions", lambda t: t * 100, "a block has more positions than"),
        ("layers.0.intervals", lambda t: t * 0, "a cut sends nothing"),
        ("layers.0.intervals", lambda t: t * 0 - 1, "between 0 and 2.20"),
        ("layers.0.intervals", lambda t: t * 0 + (1 << 20) + 1, "between 0 and 2.20"),
        ("layers.0.intervals", lambda t: t * 0 + (1 << 20), "every cut has more than 2.62 bins"),
    ],
)
def test_hostile_tensors(
    folder: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors[name] = change(tensors[name]).contiguous()
    rewrite(folder, lambda text: None, tensors)
    refused(folder, message)


def test_tensors_that_are_missing_or_too_many(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    rewrite(folder, lambda text: None, tensors | {"network.more": torch.zeros(1)})
    refused(folder, "tensor 'network.more' is not part of the architecture")
    del tensors["layers.1.cuts"]
    rewrite(folder, lambda text: None, tensors)
    refused(folder, "tensor layers.1.cuts is missing")


def test_weights_so_large_that_they_overflow_code_nothing(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    for name in tensors:
        if name.startswith("network."):
            signs = torch.arange(tensors[name].numel()).reshape(tensors[name].shape) % 2 * 2 - 1
            tensors[name] = 60000 * signs.half()
    rewrite(folder, lambda text: None, tensors)
    model = load_model(folder)
    assert isinstance(model, PictureModel)
    codec = Codec(replace(model, search=QUICK))
    with pytest.raises(InputError, match="not finite"):
        codec.compress(smooth(1, 32, 32), channels=3)


def test_the_description_is_plain_json(folder: Path) -> None:
    text = json.loads((folder / JSON).read_text())
    assert text["format"] == "recvae-hierarchy-1"
    assert text["layers"][0]["positions"] >= 1
