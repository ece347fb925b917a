"""Rows of implicit neural representations, measured on a tiny model, and what is said of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from experiments.pictures.conftest import smooth
from experiments.pictures.test_curves import row
from experiments.pictures.tiny_inr import BITS, INFORMED, QUICK, make_inr
from recvae.codec import Codec
from recvae.codec.inr.calibrate import CalibrationOptions, with_layout
from recvae.codec.inr.coder import to_network
from recvae.codec.inr.fit import guess
from recvae.codec.inr.ideal import ideal_point
from recvae.experiments.pictures import inr
from recvae.experiments.pictures.comparisons import (
    INR_BINS,
    INR_IDEAL,
    INR_NO_BINS,
    comparisons,
    curves,
)
from recvae.experiments.pictures.curves import psnr_at, rate_at
from recvae.experiments.pictures.figures import cifar10, inr_blocks, inr_partitions, partitions
from recvae.experiments.pictures.images import mean_psnr_db
from recvae.experiments.pictures.inr_findings import conditions, partitioning_gains
from recvae.experiments.pictures.inr_rows import (
    ABLATION,
    CODED,
    INR,
    INR_DATA,
    PARTITIONED_BLOCKS,
    UNPARTITIONED_BLOCKS,
    Blocks,
    InrRow,
    inr_rows,
)
from recvae.experiments.pictures.published import PARTITIONED
from recvae.experiments.pictures.table import COLUMNS, PARTITION_COLUMNS, to_markdown, to_table
from recvae.experiments.store import Store
from recvae.vae.objective import kl_nats

IMAGES = [smooth(32, 32, seed) for seed in range(3)]
MODELS = inr.Models(
    {"tiny": make_inr(epochs=3, steps=1200)}, IMAGES, np.stack([smooth(32, 32, 9)] * 2)
)
(MEASURABLE,) = MODELS.measurable
BOTH = PARTITIONED_BLOCKS, UNPARTITIONED_BLOCKS


def test_the_ideal_counts_the_latents_of_blocks_and_no_others() -> None:
    model = MODELS.models["tiny"].as_sender(replace(QUICK, first_steps=0, block_steps=0))
    pixels = to_network(np.stack(IMAGES))
    information = torch.from_numpy(model.shared.information_bits)
    mean, log_scale = guess(model.shared.encoder, information, pixels)
    sent = torch.from_numpy(model.shared.layout.dimensions)
    kl_bits = kl_nats(mean, log_scale)[:, sent].sum(1) / np.log(2)
    rate, db = ideal_point(model, np.stack(IMAGES))
    assert rate == pytest.approx(float(kl_bits.mean()) / 1024, rel=1e-5)
    assert rate > 0.02
    noise = torch.randn(mean.shape[1:], generator=torch.Generator().manual_seed(0))
    z = torch.zeros_like(mean)
    z[:, sent] = (mean + log_scale.exp() * noise)[:, sent]
    decoded = (model.shared.network(z).clamp(0, 1) * 255).round().byte().numpy()
    assert db == pytest.approx(mean_psnr_db(IMAGES, list(decoded.reshape(-1, 32, 32, 3))), rel=1e-5)


def test_the_ideal_fits_each_image() -> None:
    model = MODELS.models["tiny"]
    guessed, fitted = (
        ideal_point(
            model.as_sender(replace(QUICK, first_steps=steps, block_steps=0)), np.stack(IMAGES)
        )
        for steps in (0, 60)
    )
    assert fitted[1] > guessed[1] + 0.5


def test_a_row_of_files_is_what_the_codec_makes_with_these_blocks() -> None:
    planned = InrRow("coded", MEASURABLE, 3, QUICK, PARTITIONED_BLOCKS)
    found = inr.measure(planned, MODELS)
    model = with_layout(MODELS.models["tiny"], MODELS.calibration, CalibrationOptions(48.0), QUICK)
    file = Codec(model).compress(np.stack(IMAGES), channels=3)
    assert set(COLUMNS) <= set(found)
    assert (found["files"], found["file_bytes"], found["images"]) == (1, len(file), 3)
    assert found["bits_per_pixel"] == 8 * len(file) / 3072
    assert found["psnr_db"] == mean_psnr_db(IMAGES, list(Codec(model).decompress(file)))
    assert found["setting"] == round(INFORMED * BITS / 1024, 2)
    assert found["training"] == "3 epochs, 1,200 steps"
    assert found["codec"] == INR_BINS
    assert found["encode_seconds"] > 0 < found["decode_seconds"]


@pytest.mark.parametrize("blocks", BOTH, ids=["bins", "no bins"])
def test_the_overhead_is_bits_of_blocks_over_their_kl(blocks: Blocks) -> None:
    found = inr.measure(InrRow("partition", MEASURABLE, 2, QUICK, blocks), MODELS)
    assert set(PARTITION_COLUMNS) <= set(found)
    assert (found["block_bits"], found["strategy"], found["codec"]) == (
        blocks.block_bits, blocks.strategy, INR,
    )  # fmt: skip
    options = CalibrationOptions(blocks.block_bits, strategy=blocks.strategy)
    variant = with_layout(MODELS.models["tiny"], MODELS.calibration, options, QUICK)
    num_blocks = INFORMED * BITS // blocks.block_bits
    _, bits = variant.encode(np.stack(IMAGES[:2]), 2)
    sent = found["bits_per_pixel"] * 1024
    assert sent == pytest.approx((bits["bins"] + bits["ranks"]).mean())
    assert found["overhead_bits_per_block"] * num_blocks == pytest.approx(sent - bits["kl"].mean())
    assert found["log2_candidates"] == QUICK.max_log2_candidates


def test_every_model_is_planned_and_the_ablation_is_of_the_highest_rate() -> None:
    models = [replace(MEASURABLE, name=name, bits_per_pixel=r) for name, r in (("a", 2), ("b", 1))]
    for quick in (True, False):
        planned = list(inr_rows(models, quick))
        assert len({row.slug for row in planned}) == len(planned)
        assert [row.measured.name for row in planned if row.kind == "ideal"] == ["a", "b"]
        assert sum(row.kind == "coded" for row in planned) == 2 * len(CODED)
        equal = [row for row in planned if row.kind == "partition"]
        assert {row.measured.name for row in equal} == {"a"}
        higher = replace(MEASURABLE, name="c", bits_per_pixel=3)
        more = list(inr_rows([*models, higher], quick))
        assert {row.slug for row in planned} < {row.slug for row in more}  # none is left over
        assert len({row.effort for row in equal}) == 1
        assert [row.blocks for row in equal] == list(ABLATION)
        for coded in (it for it in planned if it.kind == "coded"):
            assert (coded.effort.block_steps > 0) == coded.blocks.tuned
    assert list(inr_rows([], False)) == []


def test_a_row_is_kept_until_its_model_effort_or_pictures_change(tmp_path) -> None:
    planned = InrRow("coded", MEASURABLE, 3, QUICK, PARTITIONED_BLOCKS)
    store = Store(tmp_path, {"quick": True}, {INR: "1"})
    store.save(planned, {"psnr_db": 30.0})
    assert store.load(planned) == {"psnr_db": 30.0}
    for changed in (
        replace(planned, measured=replace(MEASURABLE, model_hash="other")),
        replace(planned, measured=replace(MEASURABLE, calibration_sha256="other")),
        replace(planned, effort=replace(QUICK, keep=1)),
    ):
        assert changed.slug == planned.slug
        assert store.load(changed) is None


def test_models_are_told_apart_by_all_that_they_hold() -> None:
    (other,) = replace(MODELS, models={"tiny": make_inr(bits=BITS / 2)}).measurable
    assert other.model_hash != MEASURABLE.model_hash
    assert other.bits_per_pixel < MEASURABLE.bits_per_pixel


def inr_row(kind: str, rate: float, db: float, codec: str, setting: float) -> dict[str, Any]:
    made = row(kind, rate, db, codec=codec, setting=setting, data=INR_DATA, images=32)
    return dict.fromkeys(COLUMNS) | made | {"training": f"{setting:g} epochs"}


def model_rows(setting: float) -> list[dict[str, Any]]:
    """Made-up rows of a model: 1 dB lost to coding, another without partition."""
    return [
        inr_row("ideal", setting, 26 + 4 * setting, INR, setting),
        inr_row("coded", setting + 0.1, 25 + 4 * (setting + 0.1), INR_BINS, setting),
        inr_row("coded", setting + 0.1, 24 + 4 * (setting + 0.1), INR_NO_BINS, setting),
    ]


def test_one_model_is_compared_with_published_curves_and_without_partition() -> None:
    found = {(c.what, c.against): c for c in comparisons(model_rows(1.2))}
    published = found[INR_BINS, f"{PARTITIONED.name}, {PARTITIONED.setting}"]
    assert published.rate_bpp == pytest.approx(1.3)
    assert published.gain_db == pytest.approx(30.2 - psnr_at(PARTITIONED.curve, 1.3))
    assert found[INR_BINS, INR_NO_BINS].gain_db == pytest.approx(1)
    assert (INR_BINS, INR_IDEAL) not in found  # known at 1.2 alone
    (words,) = partitioning_gains(model_rows(1.2))
    assert "1.300 bits per pixel at 30.20 dB" in words
    assert "without 1.300 bits per pixel at 29.20 dB." in words


def test_files_of_several_models_are_compared_with_their_ideal_and_at_equal_psnr() -> None:
    rows = [*model_rows(1.0), *model_rows(2.0)]
    found = {(c.what, c.against, round(c.rate_bpp, 3)): c for c in comparisons(rows)}
    assert found[INR_BINS, INR_IDEAL, 1.1].gain_db == pytest.approx(-1)
    assert found[INR_NO_BINS, INR_IDEAL, 1.1].gain_db == pytest.approx(-2)
    assert not any(against == INR_IDEAL and rate == 2.1 for _, against, rate in found)
    first, second = partitioning_gains(rows)
    assert "fewer bits" not in first  # 28.4 dB is below the partitioned curve
    assert "at 32.40 dB the former takes 11.9% fewer bits" in second  # 1.85 instead of 2.1
    assert partitioning_gains(rows[:2]) == []


def test_a_rate_is_known_between_the_ends_of_a_curve() -> None:
    curve = ((1.0, 20.0), (2.0, 30.0))
    assert [rate_at(curve, db) for db in (20, 25, 30)] == [1, 1.5, 2]
    assert rate_at(curve, 19.9) is None


def test_the_conditions_name_each_model_s_training() -> None:
    assert conditions([]) == ""
    words = conditions([*model_rows(2.0), *model_rows(1.0)])
    assert "1.00 bits per pixel (1 epochs), 2.00 bits per pixel (2 epochs)" in words
    assert "the first 32 images" in words
    assert "one model" in conditions(model_rows(2.0))


def test_a_model_s_point_is_drawn_and_named_without_a_curve() -> None:
    axes = cifar10(model_rows(1.9)).figure.axes[0]
    names = {text.get_text() for text in axes.texts}
    assert {"INR, ideal", "INR, 48-bit blocks", "INR, 16-bit, no partition"} <= names
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert len(points) == 3
    assert all(line.get_marker() for line in points)
    assert "2 epochs" in cifar10(model_rows(2.0)).caption
    assert "INR" not in cifar10([]).caption


def test_blocks_have_a_figure_beside_published_points() -> None:
    drawing = inr_blocks(model_rows(1.2))
    left, right = drawing.figure.axes
    assert len(left.lines) == len(right.lines) == 3 + 3
    apart = {line.get_label(): line.get_ydata()[0] for line in right.lines}
    assert apart[INR_BINS] - apart[INR_NO_BINS] == pytest.approx(1)
    assert partitioning_gains(model_rows(1.2))[0] in drawing.caption
    assert inr_blocks([]).figure is None


def test_the_ablation_has_a_figure_and_rows_of_its_own() -> None:
    rows = [
        dict.fromkeys(PARTITION_COLUMNS)
        | {"kind": "partition", "codec": INR, "data": INR_DATA, "images": 8, "setting": 1.9}
        | {"strategy": blocks.strategy, "block_bits": blocks.block_bits, "log2_candidates": 12}
        | {"overhead_bits_per_block": 2.5 + k, "bits_per_pixel": 2.0, "psnr_db": 30.0 - k}
        for k, blocks in enumerate(ABLATION)
    ]
    drawing = inr_partitions(rows)
    assert [text.get_text() for text in drawing.figure.axes[2].texts] == [
        f"{30 - k}.0" for k in range(5)
    ]
    assert "8 images" in drawing.caption
    assert inr_partitions([]).figure is None
    assert partitions(rows).figure is None  # that of the hierarchy
    text = to_markdown([*rows, *model_rows(1.2)], [], [], [])
    assert "| mutual information | 48 | 12 | 2.50 | 2.000 | 30.00 |" in text
    assert "- KL of 1.20 bits per pixel: 48-bit blocks" in text
    assert f"| {INR}, ideal | 1.2 |" in text
    assert len(to_table([*rows, *model_rows(1.2)]).rows) == 3


def test_curves_of_blocks_are_apart_from_those_of_the_hierarchy() -> None:
    assert set(curves(model_rows(1.0), INR_DATA)) == {INR_IDEAL, INR_BINS, INR_NO_BINS}
    assert curves(model_rows(1.0), "CIFAR-10") == {}
