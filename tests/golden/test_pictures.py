"""Golden files of the hierarchy: the same latents for ever, pictures within 1 in few values."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import recvae
from golden.pictures import (
    FILES,
    KEPT,
    MODELS,
    MOST_THAT_DIFFER,
    latents_of,
    layer_digests,
    part_that_differs,
    pictures_of,
)
from recvae.codec import shipped_models
from recvae.codec.container import ContainerReader

WAYS = [("cpu", 1, 64), ("cpu", 2, 1)]
WAYS += [
    pytest.param(
        "cuda", 1, 64, id="gpu", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason=why)
    )
    for why in ("torch finds no GPU here",)
]


def folder_of(file: Path) -> Path:
    return MODELS[json.loads(file.with_suffix(".json").read_text())["model"]]


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", MODELS)
def test_each_model_has_files(name: str) -> None:
    if not MODELS[name].exists():
        pytest.skip(f"model {name} does not ship yet")
    assert name in KEPT or name in shipped_models()
    found = {file.stem for file in FILES if folder_of(file) == MODELS[name]}
    names = ("q30", "q80", "together", "layers", "tiles")
    assert found == {f"pictures-{name}-{which}" for which in names}


def test_same_latents(file: Path) -> None:
    expected = json.loads(file.with_suffix(".json").read_text())["n"]
    model = recvae.load(folder_of(file)).model
    with ContainerReader(file) as reader:
        assert layer_digests(latents_of(model, reader.groups())) == expected


@pytest.mark.parametrize(("device", "count", "batch_size"), WAYS)
@pytest.mark.usefixtures("threads")
def test_same_pictures(file: Path, device: str, count: int, batch_size: int) -> None:
    torch.set_num_threads(count)
    codec = recvae.load(folder_of(file), device, batch_size)
    with codec.open(file) as pictures:
        assert part_that_differs(list(pictures), pictures_of(file)) <= MOST_THAT_DIFFER
