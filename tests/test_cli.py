"""The command line by hand: good input, bad input, and what is left behind."""

import errno
import io
import json
import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recvae
from recvae import commands
from recvae.cli import main
from recvae.codec import DEFAULT_MODEL, Codec
from recvae.images import Images, read_images, write_images


@pytest.fixture(scope="module")
def packed_digits(codec: Codec, digits: np.ndarray) -> bytes:
    return codec.compress(digits)


@pytest.fixture
def files(digits: np.ndarray, packed_digits: bytes, tmp_path: Path) -> Path:
    """A folder with inputs of each kind and a compressed file."""
    write_images(tmp_path / "digits-idx3-ubyte", Images(digits))
    write_images(tmp_path / "digits.idx.gz", Images(digits))
    write_images(tmp_path / "digits.npy", Images(digits))
    names = tuple(f"digit {i}.png" for i in range(len(digits)))
    write_images(tmp_path / "folder", Images(digits, names))
    Image.fromarray(digits[0]).save(tmp_path / "one.png")
    (tmp_path / "digits.recvae").write_bytes(packed_digits)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("digits-idx3-ubyte", "back-idx3-ubyte"),
        ("digits.idx.gz", "back.idx.gz"),
        ("digits.npy", "back.npy"),
        ("folder", "back"),
        ("one.png", "back.png"),
    ],
)
def test_round_trip(capsys, files: Path, source: str, target: str) -> None:
    packed, back = files / "new.recvae", files / target
    status, out, err = run(capsys, "compress", files / source, packed)
    assert (status, err) == (0, "")
    assert "bits per pixel" in out
    assert run(capsys, "verify", packed, "--against", files / source)[0] == 0
    assert run(capsys, "decompress", packed, back)[0] == 0
    before, after = read_images(files / source), read_images(back)
    assert np.array_equal(before.pixels, after.pixels)
    assert before.names == after.names
    if back.is_file() and back.suffix != ".png":
        assert back.read_bytes() == (files / source).read_bytes()


def test_json_and_quiet(capsys, files: Path) -> None:
    packed = files / "new.recvae"
    _, out, _ = run(capsys, "compress", files / "digits.npy", packed, "--json", "--elbo")
    result = json.loads(out)
    assert result["bytes_out"] == packed.stat().st_size
    assert result["bits_per_pixel"] == pytest.approx(
        8 * packed.stat().st_size / result["bytes_in"], abs=1e-5
    )
    parts = sum(result[part] for part in ("bins_bpp", "ranks_bpp", "pixels_bpp", "container_bpp"))
    assert parts == pytest.approx(result["bits_per_pixel"], abs=1e-4)
    assert result["overhead_bpp"] == pytest.approx(
        result["bits_per_pixel"] - result["negative_elbo_bpp"], abs=1e-4
    )
    _, out, _ = run(capsys, "info", packed, "--json")
    assert json.loads(out)["model"] == "mnist-vae"
    _, out, _ = run(capsys, "verify", packed, "--json")
    assert json.loads(out)["images"] == 40
    for command in (
        ["compress", files / "digits.npy", packed, "--force"],
        ["decompress", packed, files / "new.npy"],
        ["info", packed],
        ["verify", packed],
    ):
        assert run(capsys, *command, "--quiet") == (0, "", "")


def forge_model_hash(data: bytes) -> bytes:
    """The file, as if made with an unknown model."""
    header = data[:18] + bytes(16)
    return header + zlib.crc32(header).to_bytes(4) + data[38:]


def test_info_needs_no_model(capsys, files: Path) -> None:
    data = forge_model_hash((files / "digits.recvae").read_bytes())
    (files / "other.recvae").write_bytes(data)
    status, out, _ = run(capsys, "info", files / "other.recvae", "--json")
    result = json.loads(out)
    assert status == 0
    assert (result["bytes"], result["images"], result["height"]) == (len(data), 40, 28)
    assert (result["model"], result["model_hash"]) == (None, bytes(16).hex())


def test_no_images(capsys, files: Path) -> None:
    np.save(files / "none.npy", np.zeros((0, 28, 28), np.uint8))
    for command in (
        ["compress", files / "none.npy", files / "none.recvae"],
        ["info", files / "none.recvae"],
        ["verify", files / "none.recvae", "--against", files / "none.npy"],
        ["decompress", files / "none.recvae", files / "back.npy"],
    ):
        assert run(capsys, *command)[0] == 0
    assert (files / "back.npy").read_bytes() == (files / "none.npy").read_bytes()


def test_verify_compares_names(capsys, files: Path) -> None:
    status, _, err = run(capsys, "verify", files / "digits.recvae", "--against", files / "folder")
    assert status == 2
    assert "other file names" in err


BAD_INPUT = {
    "missing": (["compress", "absent.npy", "out.recvae"], "absent.npy"),
    "not images": (["compress", "text.png", "out.recvae"], "unknown kind of file"),
    "swapped": (["compress", "digits.recvae", "new"], "is a .recvae file: decompress it"),
    "swapped back": (["decompress", "digits.npy", "new"], "not a .recvae file: make one of"),
    "a folder": (["decompress", "folder", "new"], "folder: is not a .recvae file: make one of"),
    "info of images": (["info", "digits.idx.gz"], "is not a .recvae file: make one of"),
    "images' name": (["compress", "digits.npy", "new.npy"], "but this is a name for a .npy array"),
    "packed name": (["compress", "digits.npy", "new.idx.gz"], "is a name for an idx file: choose"),
    "a picture": (["compress", "one.png", "one.PNG", "--force"], "is a name for a PNG: choose"),
    "saved images": (["salvage", "cut.recvae", "new.npy"], "salvage writes a .recvae file, but"),
    "wrong dtype": (["compress", "float.npy", "out.recvae"], "uint8"),
    "wrong shape": (["compress", "wide.npy", "out.recvae", "--model=mnist"], r"(3, 28, 30)"),
    "truncated idx": (["compress", "cut-ubyte", "out.recvae"], "truncated"),
    "not a png": (["compress", "text.png", "out.recvae"], "text.png"),
    "empty folder": (["compress", "empty", "out.recvae"], "no PNGs"),
    "mixed sizes": (["compress", "mixed", "out.recvae", "--model=mnist"], "small.png"),
    "no output folder": (["compress", "digits.npy", "no/out.recvae"], "does not exist"),
    "output exists": (["compress", "digits.npy", "digits.recvae"], "--force"),
    "unknown model": (["compress", "digits.npy", "out.recvae", "--model", "x"], "no model 'x'"),
    "group size": (["compress", "digits.npy", "out.recvae", "--group-size", "0"], "group_size"),
    "effort": (["compress", "digits.npy", "out.recvae", "--effort", "0"], "effort is 0: it must"),
    "much effort": (["compress", "digits.npy", "out.recvae", "--effort=257"], "from 1 to 256"),
    "batch size": (["compress", "digits.npy", "out.recvae", "--batch-size", "0"], "batch size"),
    "damaged model": (["compress", "digits.npy", "out.recvae", "--model", "model"], "model model"),
    "long name": (["compress", "digits.npy", "out.recvae", "--model", "x" * 300], "no model 'xxx"),
    "wrong model": (["decompress", "digits.recvae", "o.npy", "--model", "mnist-mlp"], "another"),
    "not recvae": (["decompress", "digits.npy", "out.npy"], "digits.npy"),
    "truncated": (["decompress", "cut.recvae", "out.npy"], "cut.recvae"),
    "damaged": (["decompress", "damaged.recvae", "out.npy"], "damaged"),
    "many in one png": (["decompress", "digits.recvae", "out.png"], "one PNG cannot hold 40"),
    "unknown output": (["decompress", "digits.recvae", "out.jpg"], "cannot write this kind"),
    "recvae output": (["decompress", "digits.recvae", "out.recvae"], "cannot write this kind"),
    "other model": (["decompress", "other.recvae", "out.npy"], "does not ship"),
    "differs": (["verify", "digits.recvae", "--against", "changed.npy"], "image 7 differs"),
    "fewer": (["verify", "digits.recvae", "--against", "one.png"], "holds 40 images"),
    "info": (["info", "cut.recvae"], "cut.recvae"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input(capsys, monkeypatch, files: Path, digits: np.ndarray, case: str) -> None:
    monkeypatch.chdir(files)
    data = (files / "digits.recvae").read_bytes()
    np.save("float.npy", digits / 255)
    np.save("wide.npy", np.zeros((3, 28, 30), np.uint8))
    changed = digits.copy()
    changed[7, 14, 14] ^= 1
    np.save("changed.npy", changed)
    Path("cut-ubyte").write_bytes((files / "digits-idx3-ubyte").read_bytes()[:-5])
    Path("text.png").write_text("not an image")
    Path("cut.recvae").write_bytes(data[:-30])
    Path("damaged.recvae").write_bytes(data[:300] + bytes([data[300] ^ 1]) + data[301:])
    Path("other.recvae").write_bytes(forge_model_hash(data))
    Path("model").mkdir()
    Path("model/model.json").write_text("{}")
    Path("empty").mkdir()
    Path("mixed").mkdir()
    Image.fromarray(digits[0]).save("mixed/big.png")
    Image.fromarray(digits[0][:20]).save("mixed/small.png")
    before = {path: path.stat().st_mtime_ns for path in files.rglob("*")}

    arguments, message = BAD_INPUT[case]
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("recvae: ")
    assert err.count("\n") == 1
    assert message in err
    # Nothing written, nothing changed, no temporary left.
    assert {path: path.stat().st_mtime_ns for path in files.rglob("*")} == before


def test_existing_output_with_force(capsys, files: Path) -> None:
    target = files / "digits.recvae"
    target.write_text("old")
    assert run(capsys, "compress", files / "digits.npy", target, "--force")[0] == 0
    assert run(capsys, "verify", target, "--against", files / "digits.npy")[0] == 0


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_no_space_left(capsys, monkeypatch, files: Path, command: str) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    source = {"compress": "digits.npy", "decompress": "digits.recvae"}[command]
    target = files / {"compress": "out.recvae", "decompress": "out.npy"}[command]
    before = set(files.rglob("*"))
    status, _, err = run(capsys, command, files / source, target)
    assert status == 2
    assert err == f"recvae: {target}: No space left on device\n"
    assert set(files.rglob("*")) == before


def test_interrupted(capsys, monkeypatch, files: Path) -> None:
    from recvae.codec.vae import model as module

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "encode_groups", stop)
    before = set(files.rglob("*"))
    status, _, err = run(capsys, "compress", files / "digits.npy", files / "out.recvae")
    assert status == 130
    assert "interrupted" in err
    assert set(files.rglob("*")) == before


def test_names_that_cannot_be_shown(files: Path, monkeypatch) -> None:
    """They are escaped: an ASCII terminal shows the same."""
    name = os.fsdecode(bytes(files) + b"/\xff\xe2\x82\xac.recvae")
    shown = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    assert main(["compress", str(files / "digits.npy"), name]) == 0
    assert main(["info", name]) == 0
    assert main(["verify", name]) == 0
    lines = shown.buffer.getvalue().decode().splitlines()
    assert lines[0].startswith(rf"{files}/\udcff\u20ac.recvae: ")
    assert lines[-1].startswith(rf"{files}/\udcff\u20ac.recvae: all checksums match")


def test_wrong_arguments_exit_with_2(capsys) -> None:
    for arguments in ([], ["expand"], ["compress", "a"], ["info", "a", "--json", "--quiet"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert "usage: recvae" in capsys.readouterr().err


@pytest.mark.slow
def test_demo(capsys) -> None:
    status, out, _ = run(capsys, "demo", "--json")
    result = json.loads(out)
    assert status == 0
    assert result["images"] == 300
    rates = {name: row["bits_per_pixel"] for name, row in result["models"].items()}
    assert (
        rates["mnist-scans"]
        < 0.31
        < rates["mnist-vae"]
        < 0.85
        < rates["mnist"]
        < 1.07
        < rates["mnist-mlp"]
        < 1.31
    )
    assert result["models"][DEFAULT_MODEL]["bins_bpp"] > 0.015  # its latents carry something
    assert {"PNG", "WebP lossless", "bz2 -9", "xz -9e", "zstd -22"} <= set(result["others"])
    for row in result["models"].values():
        for one_file_each, all_in_one in result["others"].values():
            assert row["bytes_out"] < all_in_one < one_file_each


def test_demo_tells_models_and_other_codecs(capsys, monkeypatch, digits: np.ndarray) -> None:
    monkeypatch.setattr(commands, "sample_images", lambda _: digits[:5])
    status, out, _ = run(capsys, "demo")
    first, last, _ = out.split("\n\n")
    assert status == 0
    shown = [line.split()[0] for line in first.splitlines()[3::2]]
    assert shown == ["mnist", "mnist-mlp", "mnist-scans", "mnist-vae"]
    assert all(f"recvae, {name} " in last for name in shown)
    status, out, _ = run(capsys, "demo", "--model", "mnist-mlp")
    first, last, _ = out.split("\n\n")
    assert [line.split()[0] for line in first.splitlines()[3:]] == ["mnist-mlp", "VAE,"]
    assert "recvae, mnist-mlp" in last
    assert "recvae, mnist " not in last


def test_force_never_replaces_the_input(capsys, files: Path) -> None:
    packed, folder = files / "digits.recvae", files / "folder"
    (files / "link.recvae").symlink_to(packed)
    (folder / "inside.recvae").write_bytes(packed.read_bytes())
    before = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    for command, source, target, what in [
        ("compress", files / "digits.npy", files / "digits.npy", "is the input"),
        ("decompress", packed, files / "link.recvae", "is the input"),
        ("decompress", folder / "inside.recvae", folder, "holds the input"),
        ("compress", folder / "digit 0.png", folder, "holds the input"),
    ]:
        status, out, err = run(capsys, command, source, target, "--force")
        assert (status, out) == (2, "")
        assert err == f"recvae: {target} {what}: choose another output name\n"
    assert {path: path.read_bytes() for path in files.rglob("*") if path.is_file()} == before


def test_version(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"recvae {recvae.__version__}\n"


@pytest.mark.parametrize("command", ["compress", "decompress", "verify", "demo"])
def test_a_model_without_a_name_is_refused(capsys, files: Path, command: str) -> None:
    names = {"compress": ["digits.npy", "new"], "verify": ["digits.recvae"], "demo": []}
    paths = [files / name for name in names.get(command, ["digits.recvae", "new"])]
    status, out, err = run(capsys, command, *paths, "--model", "")
    assert (status, out) == (2, "")
    assert err.startswith("recvae: no model '': pass one of ")
    assert not (files / "new").exists()
