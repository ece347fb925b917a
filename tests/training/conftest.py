"""A small trained model."""

import shutil
from pathlib import Path

import pytest

from training.running import FIT, prepare, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small model was trained for two epochs; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    prepare(folder)
    done = train(folder, "fit", *FIT)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "copy")
