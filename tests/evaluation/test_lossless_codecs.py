"""Other lossless codecs: grey and colour round trips, and a note on missing ones."""

import sys

import numpy as np
import pytest

from recvae.evaluation.lossless_codecs import lossless_codecs, missing_lossless_codecs
from recvae.evaluation.reference_codecs import mosaics

CODECS = lossless_codecs()


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("shape", [(9, 14), (9, 14, 3), (1, 1), (1, 1, 3)])
@pytest.mark.parametrize("levels", [2, 5, 256])
def test_pictures_come_back(codec, shape: tuple[int, ...], levels: int) -> None:
    picture = np.random.default_rng(0).integers(0, levels, shape).astype(np.uint8)
    decoded = codec.decode(codec.encode(picture), 3 if len(shape) == 3 else 1)
    np.testing.assert_array_equal(decoded, picture)


def test_without_imagecodecs_its_codecs_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)  # its import fails
    assert [codec.name for codec in lossless_codecs()] == ["PNG", "PNG, palette", "WebP"]
    lines = missing_lossless_codecs()
    assert [line.split(" is left out")[0] for line in lines] == [
        "JPEG XL 3", "JPEG XL 7", "JPEG XL 9", "JPEG 2000", "JPEG-LS", "QOI",
    ]  # fmt: skip
    assert "pip install 'recvae[benchmarks]'" in lines[0]


def test_a_mosaic_of_colours_is_one_of_each_channel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 3)).astype(np.uint8)
    (mosaic,) = mosaics(pixels)
    for channel in range(3):
        (grey,) = mosaics(pixels[..., channel])
        np.testing.assert_array_equal(mosaic[..., channel], grey)
