"""Golden pictures of the pixelwise coder: the same values and bytes for ever."""

from pathlib import Path

import numpy as np
import pytest

import recvae
from golden.pixelwise import FILES, KEPT, MODELS, folder_of, pictures_of
from recvae.codec import shipped_models
from recvae.codec.container import ContainerReader
from recvae.codec.pixelwise.coder import decode_into
from recvae.codec.pixelwise.tile import COPIES, NETWORK


@pytest.mark.parametrize("name", MODELS)
def test_each_model_has_files(name: str) -> None:
    if not MODELS[name].exists():
        pytest.skip(f"model {name} does not ship yet")
    assert name in KEPT or name in shipped_models()
    found = {file.stem for file in FILES if folder_of(file) == MODELS[name]}
    names = ("sizes", "modes", "together", "tiles")
    assert found == {f"pixelwise-{name}-{which}" for which in names}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_same_pictures(file: Path) -> None:
    codec, expected = recvae.load(folder_of(file)), pictures_of(file)
    with codec.open(file) as pictures:
        assert len(pictures) == len(expected)
        assert all(map(np.array_equal, pictures, expected))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_same_bytes(file: Path) -> None:
    model = recvae.load(folder_of(file)).model
    with ContainerReader(file) as reader:
        assert all(model.written(list(reader.groups())))


@pytest.mark.parametrize("name", MODELS)
def test_all_kinds_and_modes(name: str) -> None:
    """Parts of each kind of picture, in each mode."""
    found = set()
    for file in FILES:
        if folder_of(file) == MODELS[name] and file.stem.endswith("modes"):
            model = recvae.load(folder_of(file)).model
            with ContainerReader(file) as reader:
                for group in reader.groups():
                    pixels = np.zeros((group.num_images, *group.spec.shape), np.uint8)
                    modes = decode_into(model.networks, group, 0, pixels)
                    found |= {(group.spec.channels, mode) for mode in modes or ()}
    if not MODELS[name].exists():
        pytest.skip(f"model {name} does not ship yet")
    assert found == {(c, mode) for c in (1, 2, 3, 4) for mode in (NETWORK, COPIES)}
