"""Curves and their comparisons, with numbers that can be checked by hand."""

import math
from typing import Any

import pytest

from recvae.experiments.pictures.comparisons import EFFORT, IDEAL, comparisons, curves
from recvae.experiments.pictures.curves import curve_of, psnr_at
from recvae.experiments.pictures.published import PARTITIONED, RESULTS, THEORY


def row(kind: str, rate: float, db: float, **cells: Any) -> dict[str, Any]:
    made = {"data": "CIFAR-10", "kind": kind, "codec": "recvae", "effort": None}
    return made | {"bits_per_pixel": rate, "psnr_db": db, "payload_bpp": None} | cells


def test_a_curve_is_linear_between_its_points_and_unknown_beyond() -> None:
    curve = curve_of([(2, 30), (1, 20), (4, 40)])
    assert curve == ((1, 20), (2, 30), (4, 40))
    assert [psnr_at(curve, rate) for rate in (1, 1.5, 2, 3, 4)] == [20, 25, 30, 35, 40]
    assert psnr_at(curve, 0.99) is None
    assert psnr_at(curve, 4.01) is None
    assert psnr_at((), 1) is None


def test_a_curve_has_the_best_of_each_rate_and_nothing_infinite() -> None:
    assert curve_of([(1, 20), (1, 22), (1, 21), (2, math.inf)]) == ((1, 22),)


def test_curves_are_told_apart_by_codec_kind_and_effort() -> None:
    rows = [
        row("classical", 3, 30, codec="AVIF", payload_bpp=1.0),
        row("ideal", 1, 31),
        row("coded", 1.1, 31, effort=1),
        row("coded", 1.2, 33, effort=16),
        row("coded", 1.2, 33, effort=16, data="Kodak"),
        row("partition", 1, 1),
    ]
    assert curves(rows, "CIFAR-10") == {
        "AVIF": ((3, 30),),
        "AVIF payload": ((1.0, 30),),
        IDEAL: ((1, 31),),
        f"{EFFORT}1": ((1.1, 31),),
        f"{EFFORT}16": ((1.2, 33),),
    }
    assert curves(rows, "Kodak") == {f"{EFFORT}16": ((1.2, 33),)}


def test_files_are_compared_with_ideal_published_and_classical_at_equal_rate() -> None:
    rows = [
        *(row("ideal", rate, 30 + 2 * rate) for rate in (0.5, 2.0)),
        *(row("coded", rate, 29.5 + 2 * rate, effort=1) for rate in (0.6, 1.6)),
        *(
            row("classical", rate + 2, 28 + 2 * rate, codec="AVIF", payload_bpp=rate)
            for rate in (1.0, 3.0)
        ),
    ]
    found = {(c.what, c.against, c.rate_bpp): c for c in comparisons(rows)}
    ours = f"{EFFORT}1"
    for rate in (0.85, 1.10, 1.50):
        assert found[ours, IDEAL, rate].gain_db == pytest.approx(-0.5)
    for rate in (1.10, 1.50):
        assert found[ours, "AVIF payload", rate].gain_db == pytest.approx(1.5)
    assert (ours, "AVIF payload", 0.85) not in found  # below what AVIF reaches
    assert not any(against == "AVIF" for _, against, _ in found)  # 3 bits per pixel and more
    partitioned = f"{PARTITIONED.name}, {PARTITIONED.setting}"
    assert found[ours, partitioned, 0.95].gain_db == pytest.approx(29.5 + 1.9 - 27.34)
    assert (ours, partitioned, 1.90) not in found
    theory = f"{THEORY.name}, {THEORY.setting}"
    assert found[IDEAL, theory, 0.69].gain_db == pytest.approx(31.38 - 26.21)
    assert (ours, theory, 0.69) not in found  # files are not compared with ideal curves


def test_published_curves_rise_and_theory_is_above_what_is_coded() -> None:
    for result in RESULTS:
        assert result.curve == curve_of(result.curve)
        assert [db for _, db in result.curve] == sorted(db for _, db in result.curve)
    for rate in (0.75, 1.0, 1.85):
        coded = [psnr_at(result.curve, rate) for result in RESULTS]
        assert coded == sorted(coded)
