"""Standard streams as input and output: `-`."""

import gzip
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recvae.cli import main
from recvae.codec import Codec
from recvae.images import Images, write_images


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def pixels(digits: np.ndarray) -> np.ndarray:
    return digits[:5]


@pytest.fixture
def packed(codec: Codec, pixels: np.ndarray) -> bytes:
    return codec.compress(pixels)


@pytest.fixture
def idx(pixels: np.ndarray, tmp_path: Path) -> bytes:
    write_images(tmp_path / "x.idx", Images(pixels))
    return (tmp_path / "x.idx").read_bytes()


@pytest.fixture
def run(monkeypatch, capsysbinary) -> Iterator:
    """Run a command with bytes in a pipe as its standard input: status, stdout, stderr."""

    def call(data: bytes, *arguments: object) -> tuple[int, bytes, str]:
        receiver, sender = os.pipe()
        with open(sender, "wb") as stream:
            stream.write(data)
        raw = io.FileIO(receiver)
        raw.name = "<stdin>"  # as Python names the real one
        with io.TextIOWrapper(io.BufferedReader(raw)) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            status = main([str(argument) for argument in arguments])
        captured = capsysbinary.readouterr()
        return status, captured.out, captured.err.decode()

    return call


def test_every_kind_in_and_the_file_out(run, pixels, packed, idx, tmp_path: Path) -> None:
    npy = io.BytesIO()
    np.save(npy, pixels)
    for data in (idx, npy.getvalue(), gzip.compress(idx)):
        status, out, err = run(data, "compress", "-", "-", "--json", "--model=mnist")
        assert (status, out) == (0, packed)
        assert json.loads(err)["bytes_out"] == len(packed)
    status, out, err = run(idx, "compress", "-", tmp_path / "x.recvae", "--elbo", "--model=mnist")
    assert (status, err) == (0, "")
    assert b"-ELBO" in out
    assert (tmp_path / "x.recvae").read_bytes() == packed
    status, out, err = run(b"", "compress", tmp_path / "x.idx", "-", "--model=mnist")
    assert (status, out) == (0, packed)
    assert err.startswith("standard output: 5 images")


def test_a_picture_in_and_out(run, pixels, tmp_path: Path) -> None:
    write_images(tmp_path / "x.tif", Images(pixels[:1]))
    status, packed, _ = run(
        (tmp_path / "x.tif").read_bytes(), "compress", "-", "-", "--model=mnist"
    )
    assert status == 0
    assert run(packed, "decompress", "-", tmp_path / "x.pgm", "--quiet") == (0, b"", "")
    assert (tmp_path / "x.pgm").read_bytes() == b"P5\n28 28\n255\n" + pixels[0].tobytes()
    status, out, err = run(packed, "decompress", "-", tmp_path / "x.webp")
    assert (status, out, err.count("\n")) == (2, b"", 1)
    assert "x.webp: WebP has no grey pictures: choose another format" in err
    (tmp_path / "x.tif").write_bytes((tmp_path / "x.tif").read_bytes()[:300])
    status, _, err = run(b"", "compress", tmp_path / "x.tif", "-", "--model=mnist")
    assert (status, err) == (2, f"recvae: {tmp_path / 'x.tif'}: damaged TIFF file\n")


def test_effort_through_pipes_and_to_a_file(run, codec, pixels, idx, tmp_path: Path) -> None:
    with_effort = codec.compress(pixels, effort=3)
    options = ("--effort=3", "--model=mnist")
    assert run(idx, "compress", "-", "-", *options)[:2] == (0, with_effort)
    assert run(idx, "compress", "-", tmp_path / "x.recvae", *options)[0] == 0
    assert (tmp_path / "x.recvae").read_bytes() == with_effort


def test_a_file_in_and_its_images_out(run, packed, idx, tmp_path: Path) -> None:
    (tmp_path / "x.recvae").write_bytes(packed)
    assert run(packed, "decompress", "-", "-", "--quiet") == (0, idx, "")
    status, out, err = run(b"", "decompress", tmp_path / "x.recvae", "-")
    assert (status, out) == (0, idx)
    assert err.startswith("standard output: 5 images of 28 x 28 pixels")
    assert run(packed, "decompress", "-", tmp_path / "back.idx", "--quiet") == (0, b"", "")
    assert (tmp_path / "back.idx").read_bytes() == idx
    status, out, _ = run(packed, "info", "-", "--json")
    assert (status, json.loads(out)["images"]) == (0, 5)
    status, out, _ = run(packed, "verify", "-", "--against", tmp_path / "x.idx")
    assert (status, out.startswith(b"<stdin>: all checksums match")) == (0, True)
    assert run(idx, "verify", tmp_path / "x.recvae", "--against", "-")[0] == 0


def test_bad_input_from_a_pipe_is_one_line(run, monkeypatch, packed, idx, tmp_path: Path) -> None:
    cases = [
        (b"", ["compress", "-", "x.recvae"], "<stdin>: empty file"),
        (idx[:-1], ["compress", "-", "x.recvae"], "<stdin>: truncated"),
        (idx + b"x", ["compress", "-", "x.recvae"], "<stdin>: extra bytes follow"),
        (
            gzip.compress(idx)[:-2],
            ["compress", "-", "x.recvae"],
            "<stdin>: incomplete or damaged gzip file",
        ),
        (packed[:-1], ["decompress", "-", "x.npy"], "<stdin>: truncated file"),
        (packed, ["info", "absent"], "absent: No such file"),
        (idx[:-1], ["verify", tmp_path / "x.recvae", "--against", "-"], "<stdin>: truncated"),
        (idx, ["verify", "-", "--against", "-"], "only one of the two files can be standard"),
    ]
    (tmp_path / "x.recvae").write_bytes(packed)
    before = set(tmp_path.iterdir())
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    for data, arguments, message in cases:
        status, out, err = run(data, *arguments)
        assert (status, out, err.count("\n")) == (2, b"", 1), arguments
        assert err.startswith(f"recvae: {message}"), err
    assert list((tmp_path / "new").iterdir()) == []
    assert set(tmp_path.iterdir()) == {*before, tmp_path / "new"}


def test_terminals_are_no_pipes(capsys, monkeypatch, packed, tmp_path: Path) -> None:
    (tmp_path / "x.recvae").write_bytes(packed)
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert main(["info", "-"]) == 2
    assert "standard input is a terminal: pipe" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert main(["decompress", str(tmp_path / "x.recvae"), "-"]) == 2
    assert "standard output is a terminal: send" in capsys.readouterr().err
    assert sys.stdout.getvalue() == ""


def test_standard_streams_without_bytes(capsys, monkeypatch, packed, tmp_path: Path) -> None:
    """As in a notebook, or closed."""
    (tmp_path / "x.recvae").write_bytes(packed)
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stdin", stream)
        assert main(["salvage", "-", str(tmp_path / "y.recvae")]) == 2
        assert capsys.readouterr().err.startswith("recvae: standard input is closed or text-only")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            assert main(["decompress", str(tmp_path / "x.recvae"), "-"]) == 2
            assert main(["verify", str(tmp_path / "x.recvae")]) == 0
        assert capsys.readouterr().err.startswith("recvae: standard output is closed or text-only")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.recvae"]


def test_a_full_disk_behind_standard_output(capsys, monkeypatch, packed, tmp_path: Path) -> None:
    (tmp_path / "x.recvae").write_bytes(packed)
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["decompress", str(tmp_path / "x.recvae"), "-"]) == 2
        monkeypatch.undo()
    expected = "recvae: standard output: No space left on device\n"
    assert capsys.readouterr().err == expected


def test_salvage_from_a_pipe(run, codec, packed, pixels, tmp_path: Path) -> None:
    damaged = packed[:-9] + b"\xee" * 9  # the footer
    status, out, err = run(damaged, "salvage", "-", tmp_path / "saved.recvae")
    assert err == ""
    assert out.startswith(f"{tmp_path / 'saved.recvae'}: ".encode())
    assert b" images saved from <stdin> (" in out.splitlines()[0]
    (tmp_path / "damaged.recvae").write_bytes(damaged)
    assert run(b"", "salvage", tmp_path / "damaged.recvae", tmp_path / "again.recvae")[0] == status
    saved = (tmp_path / "saved.recvae").read_bytes()
    assert saved == (tmp_path / "again.recvae").read_bytes()
    assert np.array_equal(codec.decompress(saved), pixels)
