"""The reference codecs: real sizes, and mosaics within limits."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recvae.evaluation import reference_sizes
from recvae.evaluation.reference_codecs import WEBP_MAX_SIDE, mosaic_grid, mosaics
from recvae.images import sample_images


def test_sizes_lie_where_they_are_known_to() -> None:
    pixels = sample_images()[:50]
    rows = {row.name: row for row in reference_sizes(pixels)}
    assert list(rows) == ["PNG", "WebP lossless", "zstd -19", "zstd -22", "bz2 -9", "xz -9e"]
    for row in rows.values():
        assert 1.2 < 8 * row.all_in_one / pixels.size < 8 * row.one_file_each / pixels.size < 3


def test_zstd_is_left_out_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    names = [row.name for row in reference_sizes(sample_images()[:1])]
    assert names == ["PNG", "WebP lossless", "bz2 -9", "xz -9e"]


def test_webp_is_left_out_beyond_its_limit() -> None:
    names = [row.name for row in reference_sizes(np.zeros((1, 1, WEBP_MAX_SIDE + 1), np.uint8))]
    assert "PNG" in names
    assert "WebP lossless" not in names


def test_a_mosaic_runs_row_by_row_and_ends_in_zeros() -> None:
    pixels = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1).repeat(2, 1).repeat(2, 2)
    (mosaic,) = mosaics(pixels)
    np.testing.assert_array_equal(mosaic[::2, ::2], [[1, 2, 3], [4, 5, 0]])


@given(count=st.integers(1, 10**6), sides=st.tuples(*[st.integers(1, WEBP_MAX_SIDE)] * 2))
def test_no_mosaic_exceeds_the_limit(count: int, sides: tuple[int, int]) -> None:
    most = (WEBP_MAX_SIDE // sides[0]) * (WEBP_MAX_SIDE // sides[1])
    rows, columns = mosaic_grid(min(count, most), *sides)
    assert rows * columns >= min(count, most)
    assert max(rows * sides[0], columns * sides[1]) <= WEBP_MAX_SIDE


def test_images_beyond_one_mosaic_go_into_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recvae.evaluation.reference_codecs.WEBP_MAX_SIDE", 5)
    shapes = [mosaic.shape for mosaic in mosaics(np.zeros((9, 2, 2), np.uint8))]
    assert shapes == [(4, 4), (4, 4), (2, 2)]
