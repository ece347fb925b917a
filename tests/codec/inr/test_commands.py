"""The command line with networks over coordinates: one size, one rate, damage, resuming."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codec.inr.tiny import PLAIN, QUICK, pictures_of, tiny_model
from recvae.cli import main
from recvae.codec import image_coder
from recvae.codec.container import ContainerReader
from recvae.codec.inr.model import FORMAT, InrModel, load
from recvae.codec.model_folder import save_model

NAMES = [f"{number}.png" for number in range(5)]
ONE_EACH = "--group-size=1"


@pytest.fixture(scope="module", autouse=True)
def quick_sender() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        quick = lambda folder: load(folder).as_sender(QUICK)  # noqa: E731
        patch.setitem(image_coder.IMAGE_CODERS, FORMAT, quick)
        yield


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, pictures, and their file; not to be changed."""
    folder, model = tmp_path_factory.mktemp("inr"), tiny_model(PLAIN)
    save_model(model, folder / "model")
    (folder / "album").mkdir()
    for name, pixels in zip(NAMES, pictures_of(model, len(NAMES)), strict=True):
        Image.fromarray(pixels).save(folder / "album" / name)
    arguments = [str(folder / "album"), str(folder / "x.recvae"), ONE_EACH]
    assert main(["compress", *arguments, "--model", str(folder / "model")]) == 0
    return folder


def run(
    capsys: pytest.CaptureFixture[str], folder: Path, *arguments: object
) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main([*map(str, arguments), "--model", str(folder / "model")])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_compress_and_decompress(capsys, packed: Path, tmp_path: Path) -> None:
    small, back = tmp_path / "x.recvae", tmp_path / "back"
    status, out, err = run(capsys, packed, "compress", packed / "album", small, "--json")
    assert (status, err) == (0, "")
    result = json.loads(out)
    assert result["bytes_out"] == small.stat().st_size < 300
    parts = sum(result[f"{part}_bpp"] for part in ("bins", "ranks", "container"))
    assert parts <= result["bits_per_pixel"] + 1e-3
    assert run(capsys, packed, "decompress", small, back)[0] == 0
    assert sorted(path.name for path in back.iterdir()) == NAMES
    with Image.open(back / NAMES[0]) as image:
        assert (image.size, image.mode) == ((8, 8), "RGB")


def test_info(capsys, packed: Path) -> None:
    status, out, _ = run(capsys, packed, "info", packed / "x.recvae", "--json")
    result = json.loads(out)
    assert (status, result["images"], result["groups"], result["lossy"]) == (0, 5, 5, True)
    assert (result["channels"], result["layers"], result["tiles"]) == (3, 1, 1)
    assert "qualities" not in result


def test_verify(capsys, packed: Path, tmp_path: Path) -> None:
    against = ("--against", packed / "album", "--json")
    status, out, _ = run(capsys, packed, "verify", packed / "x.recvae", *against)
    assert status == 0
    assert 0 < json.loads(out)["psnr_db"] < 40
    data = bytearray((packed / "x.recvae").read_bytes())
    data[60] ^= 1
    (tmp_path / "x.recvae").write_bytes(data)
    status, _, err = run(capsys, packed, "verify", tmp_path / "x.recvae")
    assert (status, err.count("\n")) == (2, 1)


def test_salvage(capsys, packed: Path, tmp_path: Path) -> None:
    data = bytearray((packed / "x.recvae").read_bytes())
    with ContainerReader(bytes(data)) as reader:
        span = list(reader.spans(0))[2]
    data[(span.begin + span.end) // 2] ^= 1
    (tmp_path / "x.recvae").write_bytes(data)
    saved = tmp_path / "saved.recvae"
    status, out, _ = run(capsys, packed, "salvage", tmp_path / "x.recvae", saved, "--json")
    assert (status, json.loads(out)["bytes_out"]) == (1, saved.stat().st_size)
    assert run(capsys, packed, "verify", saved)[0] == 0
    with ContainerReader(saved) as reader:
        assert reader.num_images == 4


def test_resume(capsys, monkeypatch, packed: Path, tmp_path: Path) -> None:
    command = ["compress", packed / "album", tmp_path / "x.recvae", ONE_EACH, "--batch-size=1"]
    encode, encoded = InrModel.encode, []

    def stop(self: InrModel, *arguments) -> object:
        encoded.append(arguments)
        if len(encoded) == 3:
            raise KeyboardInterrupt
        return encode(self, *arguments)

    monkeypatch.setattr(InrModel, "encode", stop)
    status, _, err = run(capsys, packed, *command)
    assert status != 0
    assert "--resume continues" in err
    monkeypatch.undo()
    assert run(capsys, packed, *command, "--resume")[0] == 0
    assert (tmp_path / "x.recvae").read_bytes() == (packed / "x.recvae").read_bytes()


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((8, 8, 3), ["--quality=50"], "model 'tiny' codes at one rate, about "),
        ((8, 8, 3), ["--target-psnr=30"], "model 'tiny' codes at one rate, about "),
        ((8, 8, 3), ["--elbo"], "model 'tiny' has no ELBO"),
        ((9, 8, 3), [], "images have shape (1, 9, 8, 3): model 'tiny' codes (n, 8, 8, 3)"),
        ((8, 8), [], "x.png: images are grey: model 'tiny' codes RGB ones of 8 x 8; convert"),
        ((8, 8, 4), [], "x.png: images are RGB with alpha: model 'tiny' codes RGB ones of 8 x 8"),
    ],
)
def test_what_it_does_not_code(capsys, packed: Path, tmp_path: Path, shape, options, message):
    source = tmp_path / "x.png"
    Image.fromarray(np.zeros(shape, np.uint8)).save(source)
    command = ["compress", source, tmp_path / "x.recvae", *options]
    status, out, err = run(capsys, packed, *command)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [source]
