"""What the MNIST experiment keeps, and for how long it holds: rows, bounds; and how it times."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recvae.codec import CodecModel
from recvae.errors import InputError
from recvae.experiments import running
from recvae.experiments.mnist import rows
from recvae.experiments.mnist.bounds import cached_bound
from recvae.experiments.store import Store
from recvae.images import sample_images


def test_a_store_keeps_rows_of_its_own_settings(tmp_path: Path) -> None:
    row = rows.partitioned(50, 2, 8, 10)
    hashes = {"mnist-mlp": "cafe"}
    store = Store(tmp_path, {"seed": 0}, hashes)
    assert store.load(row) is None
    store.save(row, {"bits_per_pixel": 1.5})
    assert store.load(row) == {"bits_per_pixel": 1.5}
    store.check([row])
    for other in (
        Store(tmp_path, {"seed": 1}, hashes),
        Store(tmp_path, {"seed": 0}, {"mnist-mlp": "beef"}),
    ):
        with pytest.raises(ValueError, match="was measured with"):
            other.load(row)
    with pytest.raises(ValueError, match="not a row of this run"):
        store.check([rows.bound(50, 10)])
    store.path(row).write_text("[]")
    with pytest.raises(ValueError, match="not a measured row"):
        store.load(row)


CHANGES = {
    "images": 11,
    "bins_per_information": 0.5,
    "training_images": 400,
    "rank_images": 400,
    "tried": 32,
    "beam": 2,
    "log2_cap": 18,
    "group_size": 32,
    "batch_size": 32,
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_row_of_other_settings_is_not_there(tmp_path: Path, field: str) -> None:
    row = rows.min_cost(50, 4, 6, 10)
    store = Store(tmp_path, {"seed": 0}, {"mnist-mlp": "cafe"})
    store.save(row, {"bits_per_pixel": 1.5})
    assert store.load(replace(row, **{field: CHANGES[field]})) is None
    assert store.load(row) is not None


def test_a_row_of_another_version_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = rows.bound(50, 10)
    store = Store(tmp_path, {"seed": 0}, {"mnist-mlp": "cafe"})
    store.save(row, {"bits_per_pixel": 1.5})
    monkeypatch.setattr("recvae.__version__", "0.0.1")
    assert store.load(row) is None


def test_times_are_the_fewest_of_two_passes_unless_one_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 5.0, 10.0, 13.0, 20.0, 81.0])
    monkeypatch.setattr(running, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert running.timed(lambda: "done") == ("done", 3.0)
    assert running.timed(lambda: "done") == ("done", 61.0)


def test_a_bound_is_kept_for_its_images_alone(tmp_path: Path, model: CodecModel) -> None:
    images = torch.from_numpy(sample_images("test")[:6].copy())
    few, others = images[:3], images[3:]
    kept = cached_bound(model, few, "a", 0, tmp_path).bits
    assert np.array_equal(
        cached_bound(model, others, "a", 0, tmp_path).bits, kept
    )  # as it was told
    assert not np.array_equal(cached_bound(model, others, "b", 0, tmp_path).bits, kept)
    for path in tmp_path.iterdir():
        path.write_bytes(b"junk")
    with pytest.raises(InputError, match="delete it"):
        cached_bound(model, few, "a", 0, tmp_path)
