"""One row of each kind, measured on a few pictures; examples; contents of figures."""

from typing import Any

import numpy as np
import pytest

from experiments.pictures import coarse
from experiments.pictures.conftest import smooth
from recvae.codec import Codec
from recvae.experiments.pictures import ours, rows
from recvae.experiments.pictures.classical import JPEG, JPEG_2000, WEBP, payload_bytes
from recvae.experiments.pictures.examples import crop, difference, make_examples
from recvae.experiments.pictures.figures import cifar10, kodak, layers, partitions, side_by_side
from recvae.experiments.pictures.images import fingerprint, mean_psnr_db, psnr_db
from recvae.experiments.pictures.measure import measure
from recvae.experiments.pictures.published import SPLITS
from recvae.experiments.pictures.rows import OURS, Partition, Row
from recvae.experiments.pictures.table import COLUMNS, to_markdown, to_table

CLASSICS = [JPEG, WEBP, JPEG_2000]
IMAGES = [smooth(32, 32, seed) for seed in range(3)]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(coarse.Coarse())


@pytest.fixture(scope="module")
def measured(codec: Codec) -> list[dict[str, Any]]:
    """Two rates of two classical codecs and of ours, and two partitions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "ideal", coarse.ideal)
        patch.setattr(ours, "partitioned", coarse.partitioned)
        planned = [
            *(
                Row("classical", name, "CIFAR-10", 3, s)
                for name in ("JPEG", "WebP")
                for s in (9, 60)
            ),
            *(Row("ideal", OURS, "CIFAR-10", 3, quality) for quality in (10, 40)),
            *(Row("coded", OURS, "CIFAR-10", 3, quality, 1) for quality in (10, 40)),
            Row("coded", OURS, "Kodak", 3, 10, 1),
            *(
                Row("partition", OURS, "CIFAR-10", 3, 40, partition=Partition("none", bits, 8))
                for bits in (16, 24)
            ),
        ]
        return [measure(row, IMAGES, codec, CLASSICS, 0) for row in planned]


def test_classical_rows_are_their_files(measured: list[dict[str, Any]]) -> None:
    jpeg = measured[0]
    files = [JPEG.encode(image, 9) for image in IMAGES]
    assert jpeg["file_bytes"] == jpeg["one_file_each_bytes"] == sum(map(len, files))
    assert jpeg["payload_bytes"] == sum(payload_bytes(JPEG, file) for file in files)
    assert jpeg["bits_per_pixel"] == 8 * sum(map(len, files)) / 3072
    assert jpeg["psnr_db"] == mean_psnr_db(IMAGES, [JPEG.decode(file) for file in files])
    assert measured[2]["payload_bytes"] is None
    assert tuple(jpeg) == COLUMNS


def test_ours_is_one_file_of_small_images_and_a_file_for_each_large_one(
    codec: Codec, measured: list[dict[str, Any]]
) -> None:
    one, each = (row for row in measured if row["kind"] == "coded" and row["setting"] == 10)
    file = ours.encode(codec, IMAGES, 10, 1)
    alone = [len(ours.encode(codec, [image], 10, 1)) for image in IMAGES]
    assert (one["files"], one["file_bytes"]) == (1, len(file))
    assert (each["files"], each["file_bytes"]) == (3, sum(alone))
    assert one["one_file_each_bytes"] == each["one_file_each_bytes"] == sum(alone)
    assert one["psnr_db"] == each["psnr_db"] == mean_psnr_db(IMAGES, ours.decode(codec, file))
    assert len(one["layer_bpp"]) == codec.model.layers
    assert sum(one["layer_bpp"]) == 8 * sum(ours.stream_bytes(file)) / 3072


def test_psnr_is_the_mean_over_images() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr_db(black, black + np.uint8(255)) == 0
    assert psnr_db(black, black) == float("inf")
    assert psnr_db(black, black + np.uint8(51)) == pytest.approx(20 * np.log10(5))
    pair = [black + np.uint8(255), black + np.uint8(51)]
    assert mean_psnr_db([black, black], pair) == pytest.approx(10 * np.log10(5))


def test_fingerprints_know_shapes_and_pixels() -> None:
    black = np.zeros((4, 6, 3), np.uint8)
    others = [black[:2], black.reshape(6, 4, 3), black + np.uint8(1)]
    assert len({fingerprint([image]) for image in [black, *others]}) == 4


def test_plans_name_each_row_once() -> None:
    for quick in (True, False):
        planned = rows.all_rows(quick, CLASSICS)
        assert len({row.slug for row in planned}) == len(planned)


@pytest.mark.parametrize("whole", [True, False])
def test_examples_have_at_most_the_bytes_of_ours(codec: Codec, whole: bool) -> None:
    made = make_examples(codec, IMAGES[:2], (40, 90), 1, CLASSICS, whole)
    assert [[column.name.split()[0] for column in rate] for rate in made.rates] == [
        ["ours", "JPEG", "WebP"]
    ] * 2
    for own, *others in made.rates:
        for other in others:
            assert other.bits_per_pixel <= own.bits_per_pixel
            assert other.psnr_db == mean_psnr_db(made.images, other.images)
    assert made.rates[0][0].bits_per_pixel < made.rates[1][0].bits_per_pixel
    assert made.rates[0][1].name == ("JPEG" if whole else "JPEG payload")


def test_differences_are_amplified_around_grey() -> None:
    image = np.full((1, 3, 3), 100, np.uint8)
    decoded = image + np.array([0, 5, 100], np.uint8)[None, :, None]
    assert difference(image, decoded, 4)[0, :, 0].tolist() == [128, 148, 255]
    assert difference(decoded, image, 4)[0, :, 0].tolist() == [128, 108, 0]


def test_a_crop_stays_in_the_image() -> None:
    image = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)
    assert np.array_equal(crop(image, 2, 3, 3), image[2:5, 3:6])
    assert np.array_equal(crop(image, 5, 8, 3), image[4:, 6:])
    assert np.array_equal(crop(image, 1, 0, 8), image[:, :8])
    assert np.array_equal(crop(image, 70, 190, 99), image)


def test_figures_name_their_curves_and_say_what_they_show(measured: list[dict[str, Any]]) -> None:
    steps = [row | {"bits_per_pixel": row["bits_per_pixel"] / 3} for row in measured]
    drawing = cifar10(steps)
    names = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert {"our ideal (KL)", "effort 1", "WebP", "RECOMBINER, ORC"} <= set(names)
    assert SPLITS in drawing.caption
    assert "3 images" in drawing.caption
    assert "3 photographs" in kodak(measured).caption
    assert "no partition at 2" in partitions(measured).caption
    shown = layers(measured)
    share = [row["layer_bpp"][-1] / sum(row["layer_bpp"]) for row in measured[6:8]]
    assert f"{share[0]:.0%} at quality 10 and {share[1]:.0%} at quality 40" in shown.caption
    bars = [patch.get_height() for patch in shown.figure.axes[0].patches]
    assert sum(bars) == pytest.approx(sum(row["bits_per_pixel"] for row in measured[6:8]))


def test_a_curve_that_leaves_the_frame_has_its_name_at_the_edge() -> None:
    cells = {"kind": "classical", "codec": "WebP", "data": "Kodak", "images": 1}
    points = ((0.3, 29.1), (1.7, 37.45), (2.3, 39.9))
    rows = [cells | {"bits_per_pixel": rate, "psnr_db": db} for rate, db in points]
    (name,) = kodak(rows).figure.axes[0].texts
    assert name.get_text() == "WebP"
    assert name.xy == pytest.approx((2.0, 37.45 + 0.5 * (39.9 - 37.45)))


def test_without_rows_figures_say_so() -> None:
    assert partitions([]).figure is None
    assert layers([]).figure is None
    assert len(cifar10([]).figure.axes[0].lines) == 3  # the published ones


def test_pictures_stand_beside_each_other_enlarged(codec: Codec) -> None:
    made = make_examples(codec, IMAGES[:1], (40,), 1, CLASSICS, whole=False)
    drawing = side_by_side("pictures", "Pictures", "Some.", made, 3)
    shown = [axes.images[0].get_array() for axes in drawing.figure.axes if axes.images]
    assert {picture.shape for picture in shown} == {(96, 96, 3)}
    assert len(shown) == 1 + 2 * 3
    assert np.array_equal(shown[0][::3, ::3], IMAGES[0])
    assert "3 × 3" in drawing.caption
    assert "amplified 4 times" in drawing.caption


def test_tables_hold_all_rows(measured: list[dict[str, Any]]) -> None:
    assert len(to_table(measured).rows) == len(measured) - 2
    text = to_markdown(measured, [], CLASSICS, ["A note."])
    assert text.count("| recvae, ideal |") == 2
    assert "| none | 16 | 8 |" in text
    assert text.endswith("A note.\n")
    assert "its one scan" in text
