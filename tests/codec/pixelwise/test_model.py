"""Folders of pixelwise models: what is saved loads to the same; what is no model is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import recvae
from codec.pixelwise.tiny import smooth, tiny_model, tiny_module
from codec.vae.folders import JSON, WEIGHTS, refused, rewrite, setting
from recvae.codec import Codec, load_model
from recvae.codec.model_folder import save_model
from recvae.codec.pixelwise.model import PixelwiseModel
from recvae.codec.pixelwise.quantise import quantise
from recvae.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model().save(tmp_path)
    return tmp_path


def test_a_saved_model_is_the_same(tmp_path: Path) -> None:
    model, folder = tiny_model(), tmp_path / "model"
    save_model(model, folder)
    loaded = load_model(folder)
    assert isinstance(loaded, PixelwiseModel)
    assert (loaded.hash, loaded.file_id) == (model.hash, model.file_id)
    assert (loaded.name, loaded.metadata) == ("tiny", {"note": "random"})
    pictures = smooth(2, 9, 8)
    data = Codec(model).compress(pictures, channels=3)
    assert Codec(loaded).compress(pictures, channels=3) == data
    with recvae.open(data, model=folder) as images:
        np.testing.assert_array_equal(images[:], pictures)
    (folder / "again").mkdir()
    loaded.save(folder / "again")
    for name in (JSON, WEIGHTS):
        assert (folder / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_files_of_another_model() -> None:
    data = Codec(tiny_model()).compress(smooth(1, 9, 8), channels=3)
    with pytest.raises(InputError, match="made with another model"):
        Codec(tiny_model(seed=1)).decompress(data)


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
        ("name", 5, "model.json: name: is missing or of the wrong type"),
        ("name", "x" * 101, "model.json: name: longer than 100 characters"),
        ("facts", [], "model.json: facts: is missing or of the wrong type"),
        ("more", 1, "model.json: more: is not a field of a model"),
        ("networks", [], "model.json: networks: is missing"),
        ("networks.grey", None, "model.json: networks.grey: is missing"),
        ("networks.alpha", {}, "model.json: networks.alpha: is not a field of a model"),
        ("networks.rgb.more", 1, "model.json: networks.rgb: .*unexpected.*'more'"),
        ("networks.rgb.hidden", 8, "model.json: networks.rgb: .*not iterable"),
        ("networks.rgb.hidden", "ab", "model.json: networks.rgb: hidden is"),
        ("networks.rgb.hidden", [17, 9.0], "model.json: networks.rgb: hidden is"),
        ("networks.rgb.hidden", [17, 7], "model.json: networks.rgb: hidden is .* 2 to 2 integers"),
        ("networks.rgb.hidden", [17, 9, 9], "model.json: networks.rgb: hidden is"),
        ("networks.rgb.hidden", [17, 257], "model.json: networks.rgb: hidden is"),
        ("networks.rgb.hidden", [17, 10], "tensor rgb.1.weight .* needed: "),
        (
            "networks.rgb.corrected",
            1,
            "model.json: networks.rgb: corrected is 1; need true or false",
        ),
        ("networks.rgb.corrected", False, "not in canonical form"),
        ("networks.rgb.components", 0, "model.json: networks.rgb: components is 0"),
        ("networks.rgb.components", 17, "model.json: networks.rgb: components is 17"),
        ("networks.rgb.components", True, "model.json: networks.rgb: components is True"),
        ("networks.rgb.components", 2, "tensor rgb.2.weight .* needed: "),
        ("networks.rgb.reach", [0, 1, 0], "must begin with at least 1"),
        ("networks.rgb.reach", [5, 1, 0], "reach is "),
        ("networks.rgb.reach", [2], "reach is "),
        ("networks.rgb.reach", [2, -1], "reach is "),
        ("networks.rgb.reach", [2, 1, 1, 1, 1], "reach is "),
        ("networks.rgb.reach", [2, 2, 0], "tensor rgb.0.weight .* needed: "),
        ("networks.rgb.filter_reach", [2, 2], "tensor rgb.filters .* needed: "),
        ("networks.rgb.filter_reach", None, "model.json: networks.rgb: .*not iterable"),
        ("networks.rgb.filter_rate", 500_001, "filter_rate is 500001"),
        ("networks.rgb.filter_rate", 1.5, "filter_rate is 1.5"),
        ("networks.rgb.shifts", [1, 2], "networks.rgb.shifts: must be 3 integers"),
        ("networks.rgb.shifts", [1, 2, True], "networks.rgb.shifts: must be 3 integers"),
        ("networks.rgb.shifts", {}, "networks.rgb.shifts: must be 3 integers"),
        ("networks.rgb.shifts", 5, "model.json: networks.rgb: .*not iterable"),
        ("networks.rgb.shifts", [1, 2, 17], "rgb: shifts: must lie between 0 and 16"),
        ("networks.grey.shifts", [-1, 2, 3], "grey: shifts: must lie between 0 and 16"),
    ],
)
def test_hostile_fields(folder: Path, path: str, value: object, message: str) -> None:
    rewrite(folder, setting(path, value))
    refused(folder, message)


@pytest.mark.parametrize("field", ["name", "networks", "facts"])
def test_missing_fields(folder: Path, field: str) -> None:
    rewrite(folder, lambda text: text.pop(field))
    refused(folder, f"model.json: {field}: is missing or of the wrong type")


def test_a_missing_hash(folder: Path) -> None:
    rewrite(folder, lambda text: text.pop("hash"))
    refused(folder, "do not match its hash")


@pytest.mark.parametrize("field", ["hidden", "reach", "filter_rate"])
def test_networks_state_all_of_themselves(folder: Path, field: str) -> None:
    """Else two descriptions, and hashes, were of one model."""
    rewrite(folder, lambda text: text["networks"]["grey"].pop(field))
    refused(folder, "in canonical form|needed: ")


def full(value: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: torch.full_like(tensor, value)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("grey.0.weight", lambda t: t.int(), "needed: torch.int16"),
        ("grey.0.weight", lambda t: t[1:], "needed: torch.int16"),
        ("grey.0.bias", lambda t: t.short(), "needed: torch.int32"),
        ("grey.0.bias", lambda t: t[:, None], "needed: torch.int32"),
        ("grey.filters", lambda t: t[:, 1:], "needed: torch.int32"),
        ("grey.filters", full(1 + (1 << 18)), "grey: filters: must lie between"),
        ("rgb.filters", full(-1 << 31), "rgb: filters: must lie between"),
        ("rgb.0.bias", full((1 << 31) - 1), "rgb: layer 0: its sums could leave 32 bits"),
        ("rgb.0.bias", full(-1 << 31), "rgb: layer 0: its sums could leave 32 bits"),
        ("rgb.1.weight", full(-1 << 15), "rgb: layer 1: its sums could leave 32 bits"),
        ("grey.2.bias", full((1 << 31) - 1), "grey: layer 2: its sums could leave 32 bits"),
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
    rewrite(folder, lambda text: None, tensors | {"rgb.more": torch.zeros(1)})
    refused(folder, "'rgb.more'")
    del tensors["grey.filters"]
    rewrite(folder, lambda text: None, tensors)
    refused(folder, "grey.filters is missing")


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_sums_that_are_allowed(folder: Path, sign: int) -> None:
    """Such a network codes badly, and comes back."""
    tensors = load_file(folder / WEIGHTS)
    for kind in ("grey", "rgb"):
        for layer, most in enumerate((127, 4095, 4095)):
            weight = tensors[f"{kind}.{layer}.weight"]
            largest = min((1 << 15) - 1, ((1 << 31) - 1) // (most * weight.shape[1]))
            weight[:] = sign * largest * (1 - 2 * (torch.arange(len(weight)) % 2))[:, None]
            rest = (1 << 31) - 1 - most * weight.shape[1] * largest
            tensors[f"{kind}.{layer}.bias"][:] = sign * rest
        tensors[f"{kind}.filters"][:] = sign << 18
    rewrite(
        folder, lambda text: [n.update(shifts=[0] * 3) for n in text["networks"].values()], tensors
    )
    model = load_model(folder)
    for channels in (1, 3):
        pictures = np.concatenate(
            [smooth(1, 20, 30, channels), np.zeros_like(smooth(1, 20, 30, channels))]
        )
        groups, _ = model.encode(pictures, 1)
        np.testing.assert_array_equal(model.decode(groups), pictures)
        assert model.written(groups) == [True, True]


@pytest.mark.parametrize(
    ("value", "message"), [(torch.nan, "weights are not finite"), (1e9, "layer 1 are too large")]
)
def test_trainings_that_failed(value: float, message: str) -> None:
    module = tiny_module.__wrapped__(0)
    module.networks["1"][2].weight[0, 0] = value
    with pytest.raises(ValueError, match=message):
        quantise(module, "failed", {})


def test_quantised_weights_are_those_of_floats() -> None:
    module, model = tiny_module(), tiny_model()
    for channels, network in model.networks.items():
        units = (32, 128, 128, 256)
        for number, (weights, shift) in enumerate(
            zip(network.weights, network.shifts, strict=True)
        ):
            floats: Any = module.networks[str(channels)][2 * number].weight.numpy()
            back = weights * (units[number] / units[number + 1] / (1 << shift))
            np.testing.assert_allclose(back, floats, atol=2e-4)
        start = getattr(module, f"filters_{channels}").numpy()
        np.testing.assert_allclose(network.filters, start, atol=0.5)
