"""Golden pictures of networks over coordinates: latents for ever, pictures all but a few values."""

import json
from pathlib import Path

import pytest
import torch

import recvae
from golden.inr import (
    FILES,
    MODELS,
    MOST_THAT_DIFFER,
    digest,
    folder_of,
    latents_of,
    part_that_differs,
    pictures_of,
)
from golden.test_pictures import WAYS, threads
from recvae.codec.container import ContainerReader

__all__ = ["threads"]


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.mark.parametrize("name", MODELS)
def test_each_model_has_files(name: str) -> None:
    found = {file.stem for file in FILES if folder_of(file) == MODELS[name]}
    assert found == {f"inr-{name}-{which}" for which in ("one", "groups", "stored")}


def test_same_latents(file: Path) -> None:
    expected = json.loads(file.with_suffix(".json").read_text())["z"]
    model = recvae.load(folder_of(file)).model
    with ContainerReader(file) as reader:
        assert digest(latents_of(model, reader.groups())) == expected


def test_same_bytes(file: Path) -> None:
    model = recvae.load(folder_of(file)).model
    with ContainerReader(file) as reader:
        assert all(model.written(list(reader.groups())))


@pytest.mark.parametrize(("device", "count", "batch_size"), WAYS)
@pytest.mark.usefixtures("threads")
def test_same_pictures(file: Path, device: str, count: int, batch_size: int) -> None:
    torch.set_num_threads(count)
    codec = recvae.load(folder_of(file), device, batch_size)
    with codec.open(file) as pictures:
        assert part_that_differs(list(pictures), pictures_of(file)) <= MOST_THAT_DIFFER
