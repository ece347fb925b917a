import csv
import io
from pathlib import Path

import pytest

from recvae.experiments.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scans")
    assert main(["scans", "--out", str(out), "--quick"]) == 0
    return out


def test_the_table_counts_every_image_once(folder):
    rows = list(csv.DictReader(io.StringIO((folder / "scans.csv").read_text())))
    for split in ("train", "test"):
        split_rows = [row for row in rows if row["split"] == split]
        assert sum(int(row["images"]) for row in split_rows) == 100
        assert sum(int(row["recovered"]) for row in split_rows) >= 97
        assert all(row["recovered"] in ("0", row["images"]) for row in split_rows)


def test_the_figure_is_drawn(folder):
    text = (folder / "scans.svg").read_text()
    assert text.count("<image") == 16  # eight digits and their scans


def test_bad_input_is_one_line(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    for arguments, words in (
        (["--out", str(file)], "is not a folder"),
        (["--out", str(tmp_path / "out"), "--data.root", str(tmp_path)], "no such file"),
    ):
        assert main(["scans", *arguments]) == 2
        message = capsys.readouterr().err
        assert words in message
        assert message.count("\n") == 1
    assert not list((tmp_path / "out").iterdir())
