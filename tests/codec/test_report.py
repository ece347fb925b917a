"""The report on a file that was written."""

import math

import pytest

from recvae.codec.container.footer import ContainerSizes
from recvae.codec.report import CompressionReport

SIZES = ContainerSizes(header=30, payload=100, framing=10, index=8, names=0)  # 160 bytes in all


def test_stored_images_count_among_the_pixels() -> None:
    report = CompressionReport(2, 640, 640, SIZES, {"bins": 64.0, "stored": 640.0, "kl": 50.0})
    assert report.parts() == {"bins": 64.0, "pixels": 640.0}
    assert report.container_bits == 160 * 8 - 704
    both = CompressionReport(2, 640, 640, SIZES, {"pixels": 32.0, "stored": 640.0})
    assert both.parts() == {"pixels": 672.0}
    assert CompressionReport(2, 640, 640, SIZES, {"other": 1.0}).parts() == {"other": 1.0}


def test_rates_are_bits_per_pixel() -> None:
    rates = CompressionReport(2, 640, 640, SIZES, {"pixels": 320.0}).as_dict()
    assert rates == {
        "images": 2,
        "resumed_images": 0,
        "bytes_in": 640,
        "bytes_out": 160,
        "bits_per_pixel": 2.0,
        "pixels_bpp": 0.5,
        "container_bpp": 1.5,
    }


def test_no_images_have_no_rate() -> None:
    nothing = CompressionReport(0, 0, 0, SIZES, {"pixels": 0.0})
    assert math.isnan(nothing.bits_per_pixel)
    assert nothing.as_dict()["bits_per_pixel"] is None
    assert nothing.as_dict()["container_bpp"] == pytest.approx(160 * 8)
