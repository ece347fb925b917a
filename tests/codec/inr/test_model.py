"""Folders of models: saved ones load to the same bits; others are refused in one line."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import recvae
from codec.inr.tiny import PLAIN, QUICK, WITH_GRID, pictures_of, tiny_model
from codec.vae.folders import JSON, WEIGHTS, refused, rewrite, setting
from recvae.codec import Codec, load_model
from recvae.codec.inr.model import InrModel
from recvae.codec.inr.sender import Effort
from recvae.codec.model_folder import save_model
from recvae.errors import InputError
from recvae.inr.network import InrArguments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model().save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("arguments", [WITH_GRID, PLAIN], ids=["grid", "plain"])
def test_a_saved_model_is_the_same(arguments: InrArguments, tmp_path: Path) -> None:
    model, folder = tiny_model(arguments), tmp_path / "model"
    save_model(model, folder)
    assert sorted(path.name for path in folder.iterdir()) == [JSON, WEIGHTS]
    loaded = load_model(folder)
    assert isinstance(loaded, InrModel)
    assert (loaded.hash, loaded.file_id) == (model.hash, model.file_id)
    assert (loaded.name, loaded.metadata) == ("tiny", {"note": "random"})
    assert loaded.bits_per_pixel == model.bits_per_pixel
    again, pictures = loaded.as_sender(QUICK), pictures_of(model, 2)
    data = Codec(model).compress(pictures, channels=3)
    assert Codec(again).compress(pictures, channels=3) == data
    with recvae.open(data, model=folder) as images:
        assert np.array_equal(images[:], Codec(model).decompress(data))
    (folder / "again").mkdir()
    loaded.save(folder / "again")
    for name in (JSON, WEIGHTS):
        assert (folder / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_loading_draws_no_random_numbers(folder: Path) -> None:
    before = torch.get_rng_state()
    load_model(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_files_of_another_model(folder: Path) -> None:
    rewrite(folder, setting("key", 2))
    data = Codec(tiny_model()).compress(pictures_of(tiny_model(), 1), channels=3)
    with pytest.raises(InputError, match="made with another model"):
        Codec(load_model(folder)).decompress(data)


def test_it_has_one_quality() -> None:
    model = tiny_model()
    message = r"model 'tiny' codes at one rate, about 0.\d\d bits per pixel: leave quality and"
    with pytest.raises(InputError, match=message):
        model.with_quality(50)
    with pytest.raises(InputError, match=message):
        Codec(model).compress(pictures_of(model, 1), channels=3, quality=50)


def test_efforts() -> None:
    model, first = tiny_model(), Effort()
    assert model.with_effort(1) is model
    more = model.with_effort(4)
    assert more.hash == model.hash
    assert more.effort.first_steps == 4 * first.first_steps
    for field, value in asdict(first).items():
        assert getattr(more.effort, field) > value
    assert model.with_effort(256).effort.max_log2_candidates == 20


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
        ("log_beta", "0", "model.json: log_beta: "),
        ("log_beta", 101.0, "model.json: log_beta: "),
        ("log_beta", True, "model.json: log_beta: "),
        ("blocks", 0, "model.json: blocks: "),
        ("blocks", 4097, "model.json: blocks: "),
        ("blocks", 2, "tensor layout.lengths .* needed: "),
        ("latents", 0, "model.json: latents: "),
        ("latents", 65537, "model.json: latents: "),
        ("latents", 7, "tensor layout.dimensions .* needed: "),
        ("more", 1, "model.json: .*'more' was unexpected"),
        ("encoder", [], "model.json: encoder: "),
        ("encoder.width", 0, "model.json: encoder.width: "),
        ("encoder.width", 1025, "model.json: encoder.width: "),
        ("encoder.width", 3, "tensor encoder.* needed: "),
        ("encoder.width", 1024, "tensor encoder.* needed: "),
        ("encoder.blocks", 65, "model.json: encoder.blocks: "),
        ("encoder.blocks", 2, "tensor encoder.* is missing"),
        ("encoder.more", 2, "model.json: encoder: .*'more' was unexpected"),
        ("architecture", [], "model.json: architecture: "),
        ("architecture.side", 24, "architecture.side is 24, grid 4"),
        ("architecture.side", 1 << 40, "architecture.side is "),
        ("architecture.side", 16.0, "architecture.side is 16.0: allowed"),
        ("architecture.side", 32, "tensor encoder.* is missing"),
        ("architecture.depth", 9, "model.json: architecture: .*unexpected"),
        ("architecture.frequencies", 2, "tensor .* needed: "),
        ("architecture.grid", 16, "architecture.side is 16, grid 16"),
        ("architecture.grid_channels", 3, "tensor .* needed: "),
        ("architecture.grid_channels", 0, "is not part of the architecture"),
        ("architecture.reparametrised", False, "is not part of the architecture"),
        ("architecture.reparametrised", 1, "architecture.reparametrised is 1"),
        ("architecture.hidden", 3, "model.json: architecture: "),
        ("architecture.hidden", None, "model.json: architecture: "),
        ("architecture.hidden", [[4], 3], "architecture.hidden is .* it needs 1 to 8 widths"),
        (
            "architecture.hidden",
            [1024] * 8,
            "a layer has .* weights, a learned map takes at most 8192",
        ),
        ("architecture.upsampler", "abc", "architecture.upsampler is .* it needs 1 to 8 widths"),
    ],
)
def test_hostile_fields(folder: Path, path: str, value: object, message: str) -> None:
    rewrite(folder, setting(path, value))
    refused(folder, message)


FIELDS = ["name", "architecture", "encoder", "key", "blocks", "latents", "log_beta", "facts"]


@pytest.mark.parametrize("field", [*FIELDS, "hash"])
def test_missing_fields(folder: Path, field: str) -> None:
    rewrite(folder, lambda text: text.pop(field))
    refused(folder, f"{field}' is a required property")


def test_an_architecture_states_all_of_itself(tmp_path: Path) -> None:
    """Else one model would have two descriptions and hashes."""
    tiny_model(PLAIN).save(tmp_path)
    rewrite(tmp_path, lambda text: text["architecture"].pop("frequencies"))  # 4, as without
    refused(tmp_path, "in canonical form")


def test_descriptions_nested_too_deeply(folder: Path) -> None:
    text = (folder / JSON).read_text()
    deep = "[" * 100_000 + "]" * 100_000
    (folder / JSON).write_text(text.replace('"facts": {', f'"facts": {{"a": {deep}, ', 1))
    refused(folder, "is nested too deeply")


def with_values(values: list[float]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The tensor begins with these."""

    def change(tensor: torch.Tensor) -> torch.Tensor:
        changed = tensor.clone()
        changed.view(-1)[: len(values)] = torch.tensor(values, dtype=tensor.dtype)
        return changed

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("network.mean", lambda t: t * torch.nan, "a weight of network is not finite"),
        ("network.matrices.0", lambda t: t + torch.inf, "a weight of network is not finite"),
        ("network.convolutions.0.bias", lambda t: -torch.inf + t, "weight of network is not fin"),
        ("network.log_scale", lambda t: t.float(), "needed: torch.float16"),
        ("network.log_scale", lambda t: t[1:], "needed: torch.float16"),
        ("network.matrices.1", lambda t: t[:, 1:], "needed: torch.float16"),
        ("encoder.grid_head.bias", lambda t: t * torch.nan, "a weight of encoder is not finite"),
        ("encoder.grid_head.bias", lambda t: t[1:], "needed: torch.float16"),
        ("information", lambda t: t - 100, "information: must be finite and at least 0"),
        ("information", lambda t: t * torch.inf, "information: must be finite and at least 0"),
        ("information", lambda t: t[1:], "needed: torch.float16"),
        ("layout.lengths", lambda t: t + 1, "layout.lengths: must be positive and sum to the"),
        ("layout.lengths", with_values([0]), "layout.lengths: must be positive and sum to the"),
        ("layout.lengths", with_values([-5]), "layout.lengths: must be positive and sum to the"),
        ("layout.lengths", with_values([2**31 - 1]), "layout.lengths: must be positive and sum"),
        ("layout.lengths", lambda t: t.long(), "needed: torch.int32"),
        ("layout.dimensions", with_values([-1]), "layout.dimensions: must lie between 0 and "),
        ("layout.dimensions", with_values([9999]), "layout.dimensions: must lie between 0 and "),
        (
            "layout.dimensions",
            lambda t: torch.cat([t[1:2], t[1:]]),
            "a latent is in two blocks",
        ),
        ("layout.intervals", with_values([0]), "layout.intervals: got 0, need integers in"),
        ("layout.intervals", with_values([-3]), "layout.intervals: got -3, need integers in"),
        ("layout.intervals", lambda t: t * 0 + (1 << 20) + 1, "layout.intervals: got 1048577"),
        ("layout.intervals", lambda t: t * 0 + (1 << 20), "need a product of at most 2.62"),
        ("ranks", lambda t: t * 0, "ranks: frequencies: got others, need integers >= 1"),
        ("ranks", lambda t: t + 1, "ranks: frequencies: got others, need integers >= 1"),
        ("ranks", with_values([-5]), "ranks: frequencies: got others, need integers >= 1"),
        ("ranks", lambda t: t[1:], "needed: torch.int32"),
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
    del tensors["ranks"]
    rewrite(folder, lambda text: None, tensors)
    refused(folder, "tensor ranks is missing")


@pytest.mark.parametrize("name", ["network.log_scale", "network.mean", "network.matrices.1"])
def test_weights_so_large_that_they_overflow_code_nothing(folder: Path, name: str) -> None:
    pictures = pictures_of(tiny_model(), 2)
    groups, _ = tiny_model().encode(pictures, 2)
    tensors = load_file(folder / WEIGHTS)
    tensors[name] = torch.full_like(tensors[name], 65504)
    rewrite(folder, lambda text: None, tensors)
    model = load_model(folder)
    assert isinstance(model, InrModel)
    unusable = model.as_sender(QUICK)
    if name == "network.log_scale":  # others may be large, yet finite
        with pytest.raises(InputError, match="not finite"):
            unusable.encode(pictures, 2)
        with pytest.raises(InputError, match="not finite"):
            unusable.decode(groups)
    else:
        assert unusable.decode(unusable.encode(pictures, 2)[0]).shape == pictures.shape


@pytest.mark.parametrize("value", [0.0, 6e-8])
def test_blocks_without_a_budget(folder: Path, value: float) -> None:
    """No trained model has them: they are refused, or code something."""
    tensors = load_file(folder / WEIGHTS)
    tensors["information"] = torch.full_like(tensors["information"], value)
    rewrite(folder, lambda text: None, tensors)
    model = load_model(folder)
    assert isinstance(model, InrModel)
    sender, pictures = model.as_sender(replace(QUICK, block_steps=2)), pictures_of(model, 2)
    assert sender.decode(sender.encode(pictures, 2)[0]).shape == pictures.shape


def test_the_description_is_plain_json(folder: Path) -> None:
    text = json.loads((folder / JSON).read_text())
    assert text["format"] == "recvae-inr-1"
    assert text["architecture"]["hidden"] == list(WITH_GRID.hidden)
    assert text["latents"] < WITH_GRID.dim
