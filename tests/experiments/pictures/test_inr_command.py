"""The experiment with `--inr`: all rows of a tiny model, kept and measured anew; bad input."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.pictures.conftest import smooth
from experiments.pictures.tiny_inr import BITS, make_inr, save_inr
from recvae.experiments.cli import main
from recvae.experiments.pictures import command, inr
from recvae.experiments.pictures.figures import inr_blocks, inr_partitions
from recvae.experiments.pictures.inr_rows import INR, INR_DATA, InrRow, inr_rows
from recvae.experiments.pictures.table import COLUMNS, PARTITION_COLUMNS

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path, data: Path) -> Path:
    """A folder for --data.root that has training pictures."""
    shutil.copytree(data, tmp_path / "data")
    pictures = [smooth(32, 32, seed) for seed in range(20, 25)]
    np.save(tmp_path / "data" / "CIFAR10" / "train.npy", pictures)
    return tmp_path / "data"


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows but those of INR are made up, and no pictures are drawn."""

    def made_up(row: Any, *rest: object) -> dict[str, Any]:
        columns = PARTITION_COLUMNS if row.kind == "partition" else COLUMNS
        cells = {"kind": row.kind, "codec": row.codec, "data": row.data, "images": row.images}
        rate = row.setting / 50
        return dict.fromkeys(columns) | cells | {
            "setting": row.setting, "bits_per_pixel": rate, "psnr_db": 20 + 5 * rate,
        }  # fmt: skip

    monkeypatch.setattr(command, "measure", made_up)
    monkeypatch.setattr(command, "drawings", lambda rows, *rest: [])


def line(root: Path, model: Path, out: Path, *folders: str) -> list[str]:
    options = ["pictures", "--quick", "--data", str(root), "--model", str(model), "--out", str(out)]
    return [*options, *["--inr"] * bool(folders), *folders]


@pytest.mark.usefixtures("others")
def test_rows_of_a_model_are_measured_once_and_anew_for_another(
    tmp_path: Path,
    root: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, folder = tmp_path / "out", save_inr(tmp_path, make_inr(epochs=7))
    assert main(line(root, model, out)) == 0
    before = {path.name: path.read_bytes() for path in out.glob("rows/*")}
    table = (out / "table.md").read_text()
    assert INR not in table
    assert main(line(root, model, out, folder)) == 0
    after = {path.name: path.read_bytes() for path in out.glob("rows/*")}
    assert before.items() <= after.items()
    planned = list(inr_rows(inr.load([folder], str(root), quick=True).measurable, quick=True))
    assert after.keys() - before.keys() == {f"{row.slug}.json" for row in planned}
    for row in planned:
        cells = json.loads(after[f"{row.slug}.json"])
        rate, db = f"{cells['bits_per_pixel']:.3f}", f"{cells['psnr_db']:.2f}"
        assert cells["data"] == INR_DATA
        assert f"| {rate} | {db} |" in (out / "table.md").read_text()
    assert "7 epochs" in (out / "table.md").read_text()
    assert "--inr INR_MODEL" in (out / "report.html").read_text()
    assert "blocks with partition" in re.sub(r"\s+", " ", capsys.readouterr().out)

    measured: list[InrRow] = []

    def note(row: InrRow, models: inr.Models) -> dict[str, Any]:
        measured.append(row)
        return json.loads(after[f"{row.slug}.json"])

    monkeypatch.setattr(inr, "measure", note)
    assert main(line(root, model, out, folder)) == 0
    assert measured == []
    save_inr(tmp_path, make_inr(epochs=8))
    assert main(line(root, model, out, folder)) == 0
    assert [row.name for row in measured] == [row.name for row in planned]


def spoil(root: Path, tmp_path: Path, what: str) -> list[str]:
    """Spoil something; return the folders to pass."""
    folder = save_inr(tmp_path, make_inr())
    train = root / "CIFAR10" / "train.npy"
    if what == "no training pictures":
        train.unlink()
    elif what == "training pictures of another size":
        np.save(train, np.zeros((3, 16, 16, 3), np.uint8))
    elif what == "test pictures of another size":
        np.save(root / "CIFAR10" / "test.npy", np.zeros((3, 32, 40, 3), np.uint8))
    elif what == "names alike":
        return [folder, save_inr(tmp_path, make_inr("Tiny", BITS / 2))]
    return {"no folder": ["nowhere"], "lossless": ["mnist"], "a hierarchy": ["cifar10"]}.get(
        what, [folder]
    )


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no folder", "nowhere"),
        ("lossless", "--inr mnist: 'mnist' is no model of a PictureINR"),
        ("a hierarchy", "--inr cifar10: 'cifar10' is no model of a PictureINR"),
        ("names alike", "two models are named 'Tiny'"),
        ("no training pictures", "whose first pictures calibrate the models of --inr"),
        ("training pictures of another size", "32 x 32 x 3, CIFAR-10's here have 16 x 16 x 3"),
        ("test pictures of another size", "32 x 32 x 3, CIFAR-10's here have 32 x 40 x 3"),
    ],
)
def test_bad_models_and_pictures_are_told_in_one_line(
    tmp_path: Path,
    root: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    what: str,
    message: str,
) -> None:
    folders = spoil(root, tmp_path, what)
    assert main(line(root, model, tmp_path / "out", *folders)) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"recvae\.experiments: [^\n]+\n", said)
    assert message in said
    assert not (tmp_path / "out").exists()


def test_figures_of_models_are_drawn_where_there_are_rows_of_them() -> None:
    def drawn(rows: list[dict[str, Any]]) -> set[Any]:
        made = command.drawings(rows, Any, {"CIFAR-10": [], "Kodak": []}, [], command.SHOWN)
        return {draw.func for draw in made}

    other, own = {"data": "CIFAR-10"}, {"data": INR_DATA}
    assert drawn([other, own]) - drawn([other]) == {inr_blocks, inr_partitions}
