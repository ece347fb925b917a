"""The MNIST experiment: its command, run quickly and interrupted, and the coders of its rows."""

import csv
import io
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.mnist.rows import make_row
from recvae.codec import CodecModel, load_model
from recvae.codec.vae.groups import code_pixels, decode_groups, encode_groups
from recvae.codec.vae.latents import BlockLatents
from recvae.codec.vae.min_cost import MinCostSender
from recvae.codec.vae.model import load_vae
from recvae.codec.vae.pixel_cost import make_pixel_cost
from recvae.errors import InputError
from recvae.experiments.cli import main
from recvae.experiments.mnist import command, rows
from recvae.experiments.mnist.coders import Coding, make_coding
from recvae.experiments.mnist.images import load_images
from recvae.experiments.mnist.layouts import Training
from recvae.experiments.mnist.measure import Job
from recvae.experiments.mnist.table import COLUMNS, to_markdown
from recvae.vae import posterior

IMAGES = 12

whole_run = pytest.mark.slow  # it takes half a minute

Cells = dict[str, str]


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a quick run that was interrupted after its first rows and continued."""
    out = tmp_path_factory.mktemp("mnist") / "made" / "here"
    line = [sys.executable, "-m", "recvae.experiments", "mnist", "--quick", "--out", str(out)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, **pipes) as first:
        while len(list(out.glob("rows/*.json"))) < 2:
            assert first.poll() is None, first.communicate()[1]
            time.sleep(0.05)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=30)
    assert first.returncode == 130
    *steps, last = said.splitlines()
    assert last.startswith("recvae.experiments: interrupted; ")
    assert all(step.startswith("rows ") for step in steps)
    before = {path: path.stat().st_mtime_ns for path in out.glob("rows/*.json")}
    with redirect_stdout(io.StringIO()) as printed:
        assert main(line[3:]) == 0
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
    for word in ("50 latents", "table.md"):
        assert word in printed.getvalue()
    return out


@pytest.fixture(scope="module")
def table(quick_run: Path) -> list[Cells]:
    with open(quick_run / "table.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def training(model: CodecModel) -> Training:
    return Training.of(model, load_images(None, "train", 20))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return load_images(None, "test", IMAGES).numpy()


@whole_run
def test_every_row_is_a_file_and_stands_in_the_table(quick_run: Path, table: list[Cells]) -> None:
    planned = rows.all_rows(quick=True)
    assert {path.stem for path in quick_run.glob("rows/*")} == {row.slug for row in planned}
    assert {row["name"] for row in table} == {row.name for row in planned}
    assert all(tuple(row) == COLUMNS for row in table)
    markdown = (quick_run / "table.md").read_text()
    for row in planned:
        assert f"| {row.name} |".replace("*", r"\*") in markdown


@whole_run
def test_figures_and_report_are_made_of_the_rows(quick_run: Path, table: list[Cells]) -> None:
    drawn = {path.stem for path in quick_run.glob("figures/*.svg")}
    assert drawn == {"information", "block_kl", "rates", "bits", "images"}
    page = (quick_run / "report.html").read_text()
    for row in table:
        assert f">{float(row['bits_per_pixel']):.4f}</td>" in page
    assert "mnist --data.root DIR --out OUT --quick --seed 0" in page
    assert str(quick_run) not in page


@whole_run
def test_the_parts_of_a_file_add_up(table: list[Cells]) -> None:
    for row in table:
        if row["family"] != "bound":
            bits_per_pixel = float(row["bits_per_pixel"])
            parts = [float(row[f"{part}_bpp"]) for part in ("bins", "ranks", "pixels", "container")]
            assert sum(parts) == pytest.approx(bits_per_pixel, rel=1e-4)
            assert bits_per_pixel * 784 * int(row["images"]) / 8 == pytest.approx(
                int(row["file_bytes"]), rel=1e-5
            )
            over = float(row["overhead_bits"])
            assert over == pytest.approx(784 * float(row["overhead_bpp"]), rel=1e-3)
            assert float(row["negative_elbo_bpp"]) + over / 784 == pytest.approx(
                bits_per_pixel, rel=1e-4
            )
            assert min(float(row["encode_seconds"]), float(row["decode_seconds"])) > 0
            assert 100 < float(row["peak_mb"]) < 2000


@whole_run
def test_the_rows_rank_as_they_should(table: list[Cells]) -> None:
    rate = {row["family"]: float(row["bits_per_pixel"]) for row in table}
    assert rate["min-cost selection"] < rate["partitioned ORC"] < rate["A*"]
    assert rate["bound"] < rate["partitioned ORC"] < rate["standard ORC"]


@whole_run
def test_rows_of_another_run_are_refused(
    quick_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mnist", "--quick", "--out", str(quick_run), "--seed", "1"]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"recvae\.experiments: [^\n]+seed 0, not 1: [^\n]+\n", said)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "{folder}"], "--data.root"),
        (["--out", "{folder}", "--quick", "--train"], "--train"),
        (["--out", "{folder}", "--quick", "--train", "--data.root", "."], "a quick run"),
        (["--out", "{folder}", "--data.root", "{folder}"], "MNIST/raw"),
        (["--out", "{file}", "--quick"], "is not a folder"),
        (["--out", "{folder}", "--quick", "--seed", "-1"], "--seed -1"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    places = {"file": str(tmp_path / "file"), "folder": str(tmp_path / "folder")}
    (tmp_path / "file").touch()
    assert main(["mnist", *(option.format(**places) for option in options)]) == 2
    said = capsys.readouterr()
    assert re.fullmatch(r"recvae\.experiments: [^\n]+\n", said.err)
    assert message in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@whole_run
def test_a_row_of_other_settings_is_measured_again(
    quick_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only that row; the others are kept."""
    shutil.copytree(quick_run / "rows", tmp_path / "rows")
    (stale,) = (row for row in rows.all_rows(quick=True) if row.family == "min-cost selection")
    path = tmp_path / "rows" / f"{stale.slug}.json"
    path.write_text(path.read_text().replace(f'"beam": {stale.beam}', '"beam": 1'))
    measured: list[rows.Row] = []

    def note(function: object, job: Job) -> None:
        measured.append(job.row)
        raise InputError("noted")

    monkeypatch.setattr(command, "in_child", note)
    assert main(["mnist", "--quick", "--out", str(tmp_path)]) == 2
    assert measured == [stale]


ROWS = [
    rows.partitioned(50, 4, 6, IMAGES),
    rows.fitted_bins(50, 4, 6, IMAGES),
    replace(rows.min_cost(50, 8, 6, IMAGES), tried=4),
    rows.standard(50, 8, 6.0, IMAGES, zeta=True),
    rows.pfr(50, 5.0, IMAGES),
    rows.pfr(50, 10.0, IMAGES, partitioned=True),
    rows.gprs(50, 8.0, IMAGES),
    rows.gprs(50, None, IMAGES),
    rows.a_star(50, IMAGES),
]


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=[row.slug for row in ROWS])
def test_what_any_sender_sends_decodes(
    model: CodecModel, training: Training, images: np.ndarray, row: rows.Row, tmp_path: Path
) -> None:
    """In as many bits as reported; the receiver has only the model's files."""
    coding = make_coding(row, model, 3, training)
    groups, bits = encode_groups(coding.model, images, 8)
    coding.model.save(tmp_path)
    decoded = decode_groups(load_model(tmp_path), groups, [8, IMAGES - 8])
    assert np.array_equal(decoded, images)
    told = float((bits.bins + bits.ranks + bits.pixels + bits.stored).sum())
    assert told - 1 < 8 * sum(map(len, groups)) < told + 16 * len(groups)


def test_min_cost_selection_never_costs_more_than_the_plain_choice(
    model: CodecModel, training: Training, images: np.ndarray
) -> None:
    coding = make_coding(rows.partitioned(50, 4, 6, IMAGES), model, 0, training)
    sender = MinCostSender(make_pixel_cost(model), candidates=6, beam=2)

    def total(latents: BlockLatents) -> np.ndarray:
        _, bits = encode_groups(replace(coding.model, latents=latents), images, 8)
        return bits.bins + bits.ranks + bits.pixels

    latents = coding.model.latents
    assert isinstance(latents, BlockLatents)
    saved = total(latents) - total(replace(latents, sender=sender))
    assert saved.min() > -1e-2  # bits; the look-up is in float32
    assert saved.mean() > 5


def test_looked_up_pixel_bits_are_those_that_are_spent(
    model: CodecModel, images: np.ndarray
) -> None:
    tensor = torch.from_numpy(images)
    z = model.latents.receive(model.latents.send(posterior(model.encoder, tensor)).codes)
    table = model.decoder.decoder.pixel_cost_table(model.number.fraction_bits)
    assert table is not None
    looked_up = make_pixel_cost(model)(z, tensor).numpy()
    assert looked_up == pytest.approx(table(model.decoder.latents(z), tensor).numpy(), abs=0)
    spent = code_pixels(model, z, tensor).bits
    assert looked_up == pytest.approx(spent, abs=5e-3)
    other = load_vae("mnist")
    assert other.decoder.decoder.pixel_cost_table(other.number.fraction_bits) is None


def test_searches_that_meet_their_cap_are_counted(
    model: CodecModel, training: Training, images: np.ndarray
) -> None:
    coding = make_coding(rows.pfr(50, 5.0, IMAGES), model, 0, training)
    latents = coding.model.latents
    assert isinstance(latents, BlockLatents)
    capped = BlockLatents.unfitted(0, [replace(b, num_candidates=2) for b in latents.blocks])
    _, bits = encode_groups(replace(coding.model, latents=capped), images, 8)
    assert bits.capped.all()
    _, bits = encode_groups(coding.model, images, 8)
    assert not bits.capped.any()


def test_a_model_of_its_own_key_and_blocks_is_another_model(
    model: CodecModel, training: Training
) -> None:
    codings: list[Coding] = [
        make_coding(rows.standard(50, 6, 6.0, IMAGES), model, key, training) for key in (0, 1)
    ]
    assert len({coding.model.hash for coding in codings} | {model.hash}) == 3


def test_missing_models_are_told(tmp_path: Path) -> None:
    planned = rows.all_rows(quick=False)
    assert len({row.slug for row in planned}) == len(planned)
    notes = command.notes_on_missing({"mnist-mlp": tmp_path}, planned)
    assert [re.findall("mnist-mlp-[0-9a-z]+", note) for note in notes] == [
        ["mnist-mlp-20"],
        ["mnist-mlp-100"],
        ["mnist-mlp-beta1"],
        ["mnist-mlp-controlled"],
    ]
    assert all(note in to_markdown([make_row("GPRS", "GPRS")], notes) for note in notes)


@pytest.mark.slow
def test_a_failing_row_is_not_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The parent reports a damaged model that the child process found."""
    folder = tmp_path / "models" / "mnist-mlp"
    folder.mkdir(parents=True)
    for text, message in [
        ("{", "cannot be read"),
        ('{"format": 1}', "has no hash"),
        ('{"hash": "cafe"}', "model"),
    ]:
        (folder / "model.json").write_text(text)
        assert main(["mnist", "--quick", "--out", str(tmp_path)]) == 2
        *steps, last = capsys.readouterr().err.splitlines()
        assert last.startswith("recvae.experiments: ")
        assert message in last
        assert all(step.startswith("rows ") for step in steps)
    assert not list(tmp_path.glob("rows/*"))
