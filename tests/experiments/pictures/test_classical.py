"""Classical codecs on real bytes: what is counted, what is left out, what a budget buys."""

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from recvae.experiments.pictures.classical import (
    AVIF,
    JPEG,
    RGB,
    avif_mdat_bytes,
    classical_codecs,
    fit_to_bytes,
    jpeg_scan_bytes,
    missing_codecs,
    payload_bytes,
)
from recvae.experiments.pictures.images import psnr_db

CODECS = classical_codecs()
CHEAP = [codec for codec in CODECS if codec.name != "AVIF"]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_better_settings_make_larger_files_and_better_pictures(codec, picture: RGB) -> None:
    least, most = codec.settings[0], codec.settings[-1]
    small, large = (codec.encode(picture, setting) for setting in (least, most))
    assert len(small) < len(large)
    assert psnr_db(picture, codec.decode(small)) + 3 < psnr_db(picture, codec.decode(large))
    assert 0 < payload_bytes(codec, small) <= len(small)
    assert codec.version.startswith(codec.package)


def test_each_codec_is_run_or_missed() -> None:
    assert len(CODECS) + len(missing_codecs()) == 5
    assert {"JPEG", "WebP"} <= {codec.name for codec in CODECS}


def test_without_its_package_jpeg_xl_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)  # its import fails
    assert "JPEG XL" not in {codec.name for codec in classical_codecs()}
    (line,) = (line for line in missing_codecs() if "JPEG XL" in line)
    assert "pip install 'recvae[benchmarks]'" in line


def test_a_jpeg_s_scan_is_all_but_its_segments(picture: RGB) -> None:
    file = JPEG.encode(picture, 60)
    begin = len(file) - 2 - jpeg_scan_bytes(file)
    head = file[:begin]
    assert head[-10:-3] == bytes([3, 1, 0x00, 2, 0x11, 3, 0x11])  # the end of SOS
    assert {head.count(bytes([0xFF, marker])) for marker in (0xD8, 0xC0, 0xDA)} == {1}
    assert 200 < begin < 700


@pytest.mark.parametrize("damage", [lambda file: file[:-1], lambda file: file[:2] + file[3:]])
def test_what_is_no_jpeg_has_no_scan(picture: RGB, damage) -> None:
    with pytest.raises(ValueError, match="not a JPEG"):
        jpeg_scan_bytes(damage(JPEG.encode(picture, 60)))


def test_a_progressive_jpeg_has_more_than_one_scan(picture: RGB) -> None:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="JPEG", progressive=True)
    with pytest.raises(ValueError, match="one scan"):
        jpeg_scan_bytes(stream.getvalue())


def box(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    """A box; `size` 0 for one to the end of the file, 1 for a size of 64 bits."""
    plain = 8 + len(content) if size is None else size
    wide = (16 + len(content)).to_bytes(8, "big") if size == 1 else b""
    return plain.to_bytes(4, "big") + kind + wide + content


@pytest.mark.parametrize("size", [None, 0, 1])
def test_mdat_is_counted_without_its_head(size: int | None) -> None:
    assert avif_mdat_bytes(box(b"ftyp", b"mdat") + box(b"mdat", b"12345", size)) == 5


def test_a_box_beyond_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than the file"):
        avif_mdat_bytes(box(b"mdat", b"12345", 99))


def test_an_avif_s_payload_is_not_its_boxes(picture: RGB) -> None:
    if AVIF in CODECS:
        file = AVIF.encode(picture, 40)
        assert 200 < len(file) - avif_mdat_bytes(file) < 400


@pytest.mark.parametrize("codec", CHEAP, ids=lambda codec: codec.name)
def test_a_budget_buys_the_largest_file_within(codec, picture: RGB) -> None:
    sizes = [payload_bytes(codec, codec.encode(picture, setting)) for setting in codec.settings]
    assert sizes == sorted(sizes)
    budget = sizes[3] + 1
    file = fit_to_bytes(codec, picture, budget, codec.settings)
    assert payload_bytes(codec, file) == sizes[3]
    assert payload_bytes(codec, fit_to_bytes(codec, picture, 0, codec.settings)) == sizes[0]


def test_whole_files_are_counted_without_a_payload(picture: RGB) -> None:
    file = JPEG.encode(picture, 40)
    assert payload_bytes(replace(JPEG, payload=None), file) == len(file)
    assert np.array_equal(JPEG.decode(file).shape, picture.shape)
