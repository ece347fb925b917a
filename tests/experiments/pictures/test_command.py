"""The whole experiment, quick, with another coder in place of ours; bad input."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.pictures import coarse
from recvae.experiments.cli import main
from recvae.experiments.pictures import command, ours, rows
from recvae.experiments.pictures.classical import classical_codecs
from recvae.experiments.pictures.images import load_images, mean_psnr_db
from recvae.experiments.pictures.published import SPLITS
from recvae.experiments.pictures.table import COLUMNS

whole_run = pytest.mark.slow  # it takes some 20 seconds

FIGURES = ("cifar10", "kodak", "partitions", "layers", "cifar10_pictures", "kodak_pictures")


@pytest.fixture(scope="module", autouse=True)
def _hierarchy() -> Iterator[None]:
    """The coder is not a hierarchy: substitutes answer what is asked of one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "ideal", coarse.ideal)
        patch.setattr(ours, "partitioned", coarse.partitioned)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data: Path, model: Path) -> Path:
    out = tmp_path_factory.mktemp("pictures") / "out"
    line = ["pictures", "--quick", "--data", str(data), "--model", str(model), "--out", str(out)]
    assert main(line) == 0
    return out


@pytest.fixture(scope="module")
def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "table.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@whole_run
def test_every_row_is_kept_and_stands_in_a_table(folder: Path, table: list[dict[str, str]]) -> None:
    planned = rows.all_rows(True, classical_codecs())
    assert {path.stem for path in folder.glob("rows/*")} == {row.slug for row in planned}
    assert len({row.slug for row in planned}) == len(planned)
    assert [row["kind"] for row in table] == [
        row.kind for row in planned if row.kind != "partition"
    ]
    assert all(tuple(row) == COLUMNS for row in table)
    partitions = (folder / "partitions.csv").read_text().splitlines()
    assert len(partitions) == 1 + len(rows.STRATEGIES) * len(rows.QUICK_BLOCK_BITS)
    markdown = (folder / "table.md").read_text()
    for row in planned:
        cells = json.loads((folder / "rows" / f"{row.slug}.json").read_text())
        if row.kind != "partition":
            assert f"| {cells['bits_per_pixel']:.3f} | {cells['psnr_db']:.2f} |" in markdown


@whole_run
def test_rates_are_bytes_of_files(table: list[dict[str, str]]) -> None:
    for row in table:
        pixels = int(row["images"]) * (24 * 40 if row["data"] == "Kodak" else 1024)
        rate = float(row["bits_per_pixel"])
        if row["kind"] == "ideal":
            assert row["file_bytes"] == ""
            continue
        assert 8 * int(row["file_bytes"]) / pixels == pytest.approx(rate, rel=1e-5)
        each = float(row["one_file_each_bpp"])
        together = row["kind"] == "coded" and row["data"] != "Kodak"
        assert int(row["files"]) == (1 if together else int(row["images"]))
        assert each > rate if together else each == rate
        assert bool(row["payload_bpp"]) == (row["codec"] in ("JPEG", "AVIF"))
        if row["payload_bpp"]:
            assert 0 < float(row["payload_bpp"]) < rate
        if row["kind"] == "coded":
            assert 0 < sum(map(float, row["layer_bpp"].split())) < rate


@whole_run
def test_ours_is_what_the_codec_makes(data: Path, model: Path, table: list[dict[str, str]]) -> None:
    codec = ours.load(str(model))
    images = load_images(str(data), "CIFAR-10", 6)
    file = ours.encode(codec, images, 20, 1)
    (row,) = (
        row
        for row in table
        if (row["data"], row["kind"], row["setting"], row["effort"])
        == ("CIFAR-10", "coded", "20", "1")
    )
    assert int(row["file_bytes"]) == len(file)
    assert float(row["psnr_db"]) == pytest.approx(
        mean_psnr_db(images, ours.decode(codec, file)), rel=1e-5
    )
    each = [len(ours.encode(codec, [image], 20, 1)) for image in images]
    assert ours.one_file_each(file) == each
    assert sum(ours.layer_bytes(codec, file)) == sum(ours.stream_bytes(file))
    assert len(ours.layer_bytes(codec, file)) == 2


@whole_run
def test_every_figure_is_drawn_and_the_page_holds_it(folder: Path) -> None:
    drawn = {path.name for path in folder.glob("figures/*")}
    assert drawn == {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    page = (folder / "report.html").read_text()
    assert page.count("<figure ") == page.count("</svg>") == len(FIGURES)
    assert str(folder) not in page
    for text in (page, (folder / "table.md").read_text()):
        assert SPLITS.replace("'", "&#39;") in text or SPLITS in text
        assert "its one scan" in text


@whole_run
def test_a_second_run_measures_nothing(
    folder: Path, data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Except for the missing row."""
    shutil.copytree(folder / "rows", tmp_path / "rows")
    gone = rows.all_rows(True, classical_codecs())[0]
    (tmp_path / "rows" / f"{gone.slug}.json").unlink()
    measured = []

    def note(row: rows.Row, *rest: object) -> dict[str, object]:
        measured.append(row)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measure", note)
    line = ["pictures", "--quick", "--data", str(data), "--model", str(model)]
    assert main([*line, "--out", str(tmp_path)]) == 130
    assert measured == [gone]


@whole_run
def test_rows_of_other_images_are_refused(
    folder: Path, data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data, tmp_path / "data")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "data" / "kodak" / "a.png")
    line = ["pictures", "--quick", "--data", str(tmp_path / "data"), "--model", str(model)]
    assert main([*line, "--out", str(folder)]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"recvae\.experiments: [^\n]+images_sha256_Kodak[^\n]+\n", said)


def spoil(root: Path, what: str) -> None:
    cifar10, kodak = root / "CIFAR10" / "test.npy", root / "kodak"
    if what == "no array":
        cifar10.unlink()
    elif what == "grey array":
        np.save(cifar10, np.zeros((3, 32, 32), np.uint8))
    elif what == "floats":
        np.save(cifar10, np.zeros((3, 32, 32, 3)))
    elif what == "junk array":
        cifar10.write_bytes(b"junk")
    elif what == "no pictures":
        shutil.rmtree(kodak)
    elif what == "grey picture":
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(kodak / "a.png")
    elif what == "junk picture":
        (kodak / "a.png").write_bytes(b"junk")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no array", "cannot be read as .npy"),
        ("junk array", "cannot be read as .npy"),
        ("grey array", "(3, 32, 32), need uint8 (n, height, width, 3)"),
        ("floats", "float64"),
        ("no pictures", "no *.png"),
        ("grey picture", "mode L, need RGB"),
        ("junk picture", "cannot be read as a picture"),
    ],
)
def test_bad_images_are_told_in_one_line(
    tmp_path: Path,
    data: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    what: str,
    message: str,
) -> None:
    shutil.copytree(data, tmp_path / "data")
    spoil(tmp_path / "data", what)
    line = ["pictures", "--data", str(tmp_path / "data"), "--model", str(model)]
    assert main([*line, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"recvae\.experiments: [^\n]+\n", said)
    assert message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "mnist"], "--model mnist: it is lossless"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--seed", "-1"], "--seed -1"),
    ],
)
def test_bad_options_are_told_in_one_line(
    tmp_path: Path,
    data: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    given = options if "--model" in options else [*options, "--model", str(model)]
    line = ["pictures", "--data", str(data), "--out", str(tmp_path / "out"), *given]
    assert main(line) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"recvae\.experiments: [^\n]+\n", said)
    assert message in said
    assert not (tmp_path / "out").exists()
