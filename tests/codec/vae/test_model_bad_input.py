"""Model folders that are damaged or mean harm: each refused in one line, before it costs memory."""

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from codec.vae.folders import JSON, WEIGHTS, refused, rewrite, setting
from recvae.codec import Codec, load_model
from recvae.codec.vae import model
from recvae.errors import InputError


@pytest.fixture
def folder(codec: Codec, tmp_path: Path) -> Path:
    codec.model.save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [JSON, WEIGHTS])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_damaged_files(folder: Path, name: str, damage: str) -> None:
    data = bytearray((folder / name).read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 4
    (folder / name).write_bytes({"flip": data, "cut": data[:-9], "empty": b""}[damage])
    refused(folder, f"{name}: |do not match its hash")


def test_any_damaged_byte_of_the_description(folder: Path) -> None:
    good = (folder / JSON).read_bytes()
    for place in range(0, len(good), 41):
        for mask in (0x01, 0x80):
            damaged = bytearray(good)
            damaged[place] ^= mask
            (folder / JSON).write_bytes(damaged)
            refused(folder, "model.json: |do not match its hash")


def linked(path: Path, target: Path | str) -> None:
    path.unlink()
    path.symlink_to(target)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (lambda path: path.unlink(), f"{WEIGHTS} is missing"),
        (lambda path: (path.unlink(), path.mkdir()), f"{WEIGHTS} .* not a regular file"),
        (lambda path: linked(path, "/dev/zero"), f"{WEIGHTS} .* not a regular file"),
        (lambda path: linked(path, path), f"{WEIGHTS} .* not a regular file"),
        (piped, f"{WEIGHTS} .* not a regular file"),
        (
            lambda path: path.write_bytes(path.read_bytes() + bytes(2 << 20)),
            f"{WEIGHTS} is larger than .* can need",
        ),
    ],
    ids=["missing", "folder", "device", "loop", "pipe", "long"],
)
def test_what_is_no_file_of_weights(folder: Path, put: Callable, message: str) -> None:
    put(folder / WEIGHTS)
    refused(folder, message)


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing"])
def test_what_is_no_description(folder: Path, kind: str) -> None:
    piped(folder / JSON) if kind == "pipe" else (folder / JSON).unlink()
    if kind == "folder":
        (folder / JSON).mkdir()
    with pytest.raises(InputError, match=r"^no model '.*': pass one of cifar10, mnist"):
        load_model(folder)


def test_links_to_the_files_are_followed(folder: Path) -> None:
    expected = load_model(folder).hash
    for name in (JSON, WEIGHTS):
        (folder / name).rename(folder / f"blob-{name}")
        (folder / name).symlink_to(f"blob-{name}")
    assert load_model(folder).hash == expected


def change_tensor(suffix: str, change: Callable) -> Callable[[dict], dict]:
    def changed(good: dict) -> dict:
        name = next(name for name in good if name.endswith(suffix))
        return good | {name: change(good[name]).contiguous()}

    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda good: {k: v for k, v in good.items() if not k.endswith("seed.bias")},
         "tensor decoder.decoder.seed.bias is missing"),
        (lambda good: good | {"extra": torch.zeros(1)}, "tensor 'extra' is not part of the arch"),
        (lambda good: good | {"a\nb": torch.zeros(1)}, "tensor 'a.nb' is not part of the arch"),
        (lambda good: good | {"decoder.x": torch.zeros(0)}, "tensor 'decoder.x' is not part of"),
        (change_tensor("seed.weight", lambda t: t[:, 1:]), r"seed.weight is .* 23\); needed: "),
        (change_tensor("seed.weight", lambda t: t[None]), r"seed.weight is torch.int16 \(1, "),
        (change_tensor("seed.weight", lambda t: t.int()), "torch.int32 .*; needed: torch.int16"),
        (change_tensor("posterior.linear.bias", lambda t: t.float()), "needed: torch.float16"),
        (change_tensor("posterior.linear.bias", lambda t: t * torch.nan), "is not finite"),
        (change_tensor("posterior.linear.bias", lambda t: t + torch.inf), "is not finite"),
        (change_tensor("seed.shift", lambda t: t + 40), "shift is up to .*; allowed: 0 to 24"),
        (change_tensor("seed.weight", lambda t: t * 0 + 32767), "its weights are too large"),
    ],
)  # fmt: skip
def test_hostile_tensors(folder: Path, change: Callable, message: str) -> None:
    tensors = change(load_file(folder / WEIGHTS))
    if "too large" in message:
        rewrite(folder, setting("number.magnitude_bits", 16), tensors)
    else:
        rewrite(folder, lambda text: None, tensors)
    refused(folder, message)


NOT_SAFETENSORS = "weights.safetensors: Error while deserializing"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"shape": [1 << 40, 1 << 40]}, NOT_SAFETENSORS),
        ({"shape": [-1]}, NOT_SAFETENSORS),
        ({"shape": 1.0}, NOT_SAFETENSORS),
        ({"dtype": "I1"}, NOT_SAFETENSORS),
        ({"dtype": "F8_E8M0", "shape": [150528]}, "weight is F8_E8M0 .*; needed: torch.int16"),
        ({"data_offsets": [0, 1 << 60]}, NOT_SAFETENSORS),
        ({"data_offsets": [4, 0]}, NOT_SAFETENSORS),
        ({"shape": [0, 1 << 40], "data_offsets": [0, 0]}, NOT_SAFETENSORS),
        ({"x": "[" * 5000}, NOT_SAFETENSORS),
    ],
    ids=str,
)
def test_hostile_headers_of_weights(folder: Path, entry: dict, message: str) -> None:
    path = folder / WEIGHTS
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header["decoder.decoder.seed.weight"] |= entry
    text = json.dumps(header).replace('"[', "[").encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])
    refused(folder, message)


@pytest.mark.parametrize("size", [0, 7, (1 << 63) - 1, (1 << 64) - 1])
def test_hostile_lengths_of_the_header_of_weights(folder: Path, size: int) -> None:
    path = folder / WEIGHTS
    path.write_bytes(size.to_bytes(8, "little") + path.read_bytes()[8:])
    refused(folder, NOT_SAFETENSORS)


def test_what_is_claimed_costs_no_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's memory is not traced; nothing of torch's is made before all is checked."""
    monkeypatch.setattr(model, "build_model", lambda *arguments: pytest.fail("built"))
    file_bytes = sum((folder / name).stat().st_size for name in (JSON, WEIGHTS))
    good = (folder / JSON).read_text()
    for path, value in [
        ("hash", "00" * 32),
        ("architecture.decoder", {"channels": 1024, "blocks": 64, "hidden": 4096, "radius": 16,
                                  "saturation": 252}),
        ("architecture.latent_dim", 1024),
    ]:  # fmt: skip
        text = json.loads(good)
        setting(path, value)(text)
        (folder / JSON).write_text(json.dumps(text))
        tracemalloc.start()
        refused(folder, "needed: torch|is missing|do not match its hash")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * file_bytes
