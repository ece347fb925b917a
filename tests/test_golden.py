"""Golden files: what was written once decodes to the same pixels for ever, however it is run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden.make import images

import recvae
from recvae.codec import shipped_models

FILES = sorted((Path(__file__).parent / "golden").glob("*.recvae"))


def test_every_model_has_one() -> None:
    assert {path.stem.removeprefix("v1-") for path in FILES} >= set(shipped_models())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize(("threads", "batch_size"), [(1, 1), (2, 7), (2, 4096)])
def test_golden_file(path: Path, threads: int, batch_size: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with recvae.open(path, batch_size=batch_size) as stored:
            assert np.array_equal(stored[:], images())
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_file_without_onednn(path: Path) -> None:
    """Another library of matrix products, the same integers."""
    off = torch.backends.mkldnn.flags(enabled=False, deterministic=None, allow_tf32=None)
    with off, recvae.open(path) as stored:
        assert np.array_equal(stored[:], images())
