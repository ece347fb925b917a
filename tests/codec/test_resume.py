"""An interrupted compression goes on from the last complete group, to the same bytes."""

import gzip
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recvae.cli import main
from recvae.codec import Codec, CompressionReport, compress_file, load
from recvae.errors import InputError
from recvae.images import Images, write_images

GROUP_SIZE = 4
BATCHES = 5
PART, JOURNAL = ".x.recvae.part", ".x.recvae.journal"


@pytest.fixture(scope="module")
def images(digits: np.ndarray) -> np.ndarray:
    return digits[: BATCHES * GROUP_SIZE - 1]


@pytest.fixture(scope="module")
def small(codec: Codec) -> Codec:
    """A codec whose batches are groups."""
    return Codec(codec.model, batch_size=GROUP_SIZE)


@pytest.fixture(scope="module")
def whole(small: Codec, images: np.ndarray) -> bytes:
    """What an uninterrupted run writes."""
    return small.compress(images, GROUP_SIZE)


def compress(codec: Codec, path: Path, images: np.ndarray, **options) -> CompressionReport:
    """Images come in chunks that fit no group."""
    chunks = (images[start : start + 3] for start in range(0, len(images), 3))
    return compress_file(codec, path, chunks, **{"group_size": GROUP_SIZE, **options})


def interrupt(codec: Codec, path: Path, images: np.ndarray, batches: int, **options) -> None:
    """Run until so many batches are done."""

    def stop(done: int, num_bytes: int) -> None:
        if done >= min(batches * GROUP_SIZE, len(images)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="--resume continues"):
        compress(codec, path, images, progress=stop, **options)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_interrupted_anywhere_and_resumed(small, images, whole, tmp_path: Path) -> None:
    expected = compress(small, tmp_path / "x.recvae", images)
    assert (tmp_path / "x.recvae").read_bytes() == whole
    assert names(tmp_path) == ["x.recvae"]
    (tmp_path / "x.recvae").unlink()
    for batches in range(1, BATCHES + 1):  # each goes on from the one before
        interrupt(small, tmp_path / "x.recvae", images, batches, resume=True)
        assert names(tmp_path) == [JOURNAL, PART]
    report = compress(small, tmp_path / "x.recvae", images, resume=True)
    assert (tmp_path / "x.recvae").read_bytes() == whole
    assert names(tmp_path) == ["x.recvae"]
    assert report == replace(expected, resumed_images=(BATCHES - 1) * GROUP_SIZE)


def test_batches_of_another_size_go_on_too(small, images, whole, tmp_path: Path) -> None:
    interrupt(small, tmp_path / "x.recvae", images, 3)
    larger = Codec(small.model, batch_size=2 * GROUP_SIZE)
    report = compress(larger, tmp_path / "x.recvae", images, resume=True)
    assert report.resumed_images == 3 * GROUP_SIZE
    assert (tmp_path / "x.recvae").read_bytes() == whole


def test_whatever_a_crash_has_left(small, images, whole, tmp_path: Path) -> None:
    """Cut and damaged files: what does not fit is done again."""
    path, part, journal = (tmp_path / name for name in ("x.recvae", PART, JOURNAL))
    interrupt(small, path, images, 3)
    parts, lines = part.read_bytes(), journal.read_bytes()
    ends = [json.loads(line)["num_bytes"] for line in lines.splitlines()]
    one, two = lines.index(b"\n") + 1, lines.rindex(b"\n", 0, -1) + 1
    flipped = parts[: ends[1]] + bytes([parts[ends[1]] ^ 1]) + parts[ends[1] + 1 :]
    cases = {
        "part cut": (parts[:-1], lines, 2),
        "part cut to its header": (parts[:38], lines, 0),
        "part cut in its header": (parts[:30], lines, 0),
        "part gone": (b"", lines, 0),
        "part with more": (parts + b"half a group", lines, 3),
        "part damaged": (flipped, lines, 2),
        "journal cut": (parts, lines[:-1], 2),
        "journal cut in a number": (parts, lines[: two + 20], 2),
        "journal of one line": (parts, lines[:one], 1),
        "journal damaged": (parts, lines[:one] + b"\0" * 100 + lines[one + 100 :], 1),
        "journal of other things": (parts, b'[]\n{"num_images": 4}\n', 0),
        "journal gone": (parts, b"", 0),
    }
    for case, (part_bytes, journal_bytes, batches) in cases.items():
        part.write_bytes(part_bytes)
        journal.write_bytes(journal_bytes)
        report = compress(small, path, images, resume=True, force=True)
        assert report.resumed_images == batches * GROUP_SIZE, case
        assert path.read_bytes() == whole, case
        assert names(tmp_path) == ["x.recvae"], case


def test_an_old_part_is_neither_lost_nor_taken_unasked(
    small, images, whole, tmp_path: Path
) -> None:
    path = tmp_path / "x.recvae"
    interrupt(small, path, images, 2)
    with pytest.raises(
        InputError, match=r"x.recvae: an interrupted run left its progress: --resume"
    ):
        compress(small, path, images)
    assert names(tmp_path) == [JOURNAL, PART]
    assert compress(small, path, images, force=True).resumed_images == 0
    assert path.read_bytes() == whole
    with pytest.raises(InputError, match="exists: pass --force"):
        compress(small, path, images, resume=True)
    assert compress(small, path, images, resume=True, force=True).resumed_images == 0
    assert names(tmp_path) == ["x.recvae"]


def test_an_effort_goes_on_with_itself_alone(small, images, tmp_path: Path) -> None:
    path, journal = tmp_path / "x.recvae", tmp_path / JOURNAL
    interrupt(small, path, images, 2, effort=3)
    for effort in (1, 4):
        with pytest.raises(
            InputError, match="the interrupted run had another effort, 3: pass the same"
        ):
            compress(small, path, images, resume=True, effort=effort)
        assert names(tmp_path) == [JOURNAL, PART]
    report = compress(small, path, images, resume=True, effort=3)
    assert report.resumed_images == 2 * GROUP_SIZE
    assert path.read_bytes() == small.compress(images, GROUP_SIZE, effort=3)
    interrupt(small, path, images, 2, force=True)
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    for line in lines:
        del line["effort"]  # as versions that had no such option wrote it
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    report = compress(small, path, images, resume=True, force=True)
    assert report.resumed_images == 2 * GROUP_SIZE


def test_what_does_not_match_is_refused_and_kept(small, images, whole, tmp_path: Path) -> None:
    path = tmp_path / "x.recvae"
    interrupt(small, path, images, 2)
    changed = images.copy()
    changed[5, 14, 14] ^= 1
    mlp = Codec(load("mnist-mlp").model, batch_size=GROUP_SIZE)
    refused: list[tuple[Callable, str]] = [
        (lambda: compress(small, path, changed, resume=True), "had other images"),
        (lambda: compress(small, path, images[:7], resume=True), "had other images"),
        (lambda: compress(small, path, images, group_size=8, resume=True), "another group size, 4"),
        (lambda: compress(mlp, path, images, resume=True), "another model"),
    ]
    for run, message in refused:
        with pytest.raises(InputError, match=message) as error:
            run()
        assert "\n" not in str(error.value)
        assert names(tmp_path) == [JOURNAL, PART]
    changed = images.copy()
    changed[-1] = 7  # what was not done yet may differ: it is what is compressed
    compress(small, path, changed, resume=True)
    assert path.read_bytes() == small.compress(changed, GROUP_SIZE)


def test_one_process_at_a_time(small, images, whole, tmp_path: Path) -> None:
    path = tmp_path / "x.recvae"

    def meanwhile(done: int, num_bytes: int) -> None:
        for options in ({}, {"resume": True}, {"force": True}):
            with pytest.raises(InputError, match=r"x.recvae: another process is writing it"):
                compress(small, path, images, **options)

    compress(small, path, images, progress=meanwhile)
    assert path.read_bytes() == whole
    assert names(tmp_path) == ["x.recvae"]


def test_a_full_disk(capsys, images, tmp_path: Path) -> None:
    """A limit on the size of files stands for it: the system's refusal is as real."""
    np.save(tmp_path / "images.npy", images)
    path = tmp_path / "x.recvae"
    arguments = ["compress", tmp_path / "images.npy", path, "--group-size=4", "--batch-size=4"]
    arguments = [*map(str, arguments), "--json"]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1200, before[1]))
    try:
        assert main(arguments) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    error = capsys.readouterr().err
    assert error == f"recvae: {path}: File too large; progress is kept, --resume continues\n"
    assert names(tmp_path) == [JOURNAL, PART, "images.npy"]
    assert main([*arguments, "--resume"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["resumed_images"] > 0
    assert result["images"] == len(images)
    assert path.read_bytes() == Codec(load().model).compress(images, 4)
    assert names(tmp_path) == ["images.npy", "x.recvae"]


def test_bad_input_that_shows_late_leaves_nothing(capsys, images, tmp_path: Path) -> None:
    write_images(tmp_path / "x.idx.gz", Images(images))
    data = (tmp_path / "x.idx.gz").read_bytes()
    (tmp_path / "x.idx.gz").write_bytes(gzip.compress(gzip.decompress(data) + b"x"))
    path = str(tmp_path / "x.recvae")
    status = main(
        ["compress", str(tmp_path / "x.idx.gz"), path, *["--group-size=1", "--batch-size=4"]]
    )
    assert (status, capsys.readouterr().err.count("\n")) == (2, 1)
    assert names(tmp_path) == ["x.idx.gz"]


def test_what_appears_meanwhile_is_not_overwritten(small, images, whole, tmp_path: Path) -> None:
    path = tmp_path / "x.recvae"

    def appear(done: int, num_bytes: int) -> None:
        path.write_bytes(b"another program")

    with pytest.raises(InputError, match="exists: pass --force"):
        compress(small, path, images, progress=appear)
    assert path.read_bytes() == b"another program"
    report = compress(small, path, images, resume=True, force=True)
    assert report.resumed_images > 0
    assert path.read_bytes() == whole
    assert names(tmp_path) == ["x.recvae"]


def test_a_link_in_place_of_the_part_is_not_followed(small, images, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    for name in (PART, JOURNAL):
        (tmp_path / name).symlink_to("precious")
        with pytest.raises(InputError, match=r"x.recvae: "):
            compress(small, tmp_path / "x.recvae", images, force=True)
        assert names(tmp_path) == [name, "precious"]
        (tmp_path / name).unlink()
        assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.slow
def test_killed_and_interrupted_processes(tmp_path: Path) -> None:
    """Real processes and signals; see `processes.py`, which also lets two read one file."""
    script = Path(__file__).with_name("processes.py")
    run = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1] == "all as it should be"
