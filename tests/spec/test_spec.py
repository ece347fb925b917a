"""The specification suffices: a decoder written from docs/format.md alone finds every step."""

import hashlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet

import recvae
from golden.make import images
from golden.make_bad import BAD
from golden.steps import FILES, decode_steps, digests, model_folder
from recvae.codec import Codec, CodecModel, load_model
from recvae.codec.vae.latents import (
    BlockLatents,
    BranchAndBoundLatents,
    FittedBins,
    LatentCodec,
    fit_bins,
)
from recvae.exact import FixedPoint
from recvae.images import sample_images
from recvae.rec import AStar, Block, DiagonalGaussian, fixed_length_code
from recvae.vae.networks import Architecture
from recvae.vae.quantise import quantise
from spec import coder as spec_coder
from spec import container, decoder
from spec.coder import philox, quantile
from spec.latents import candidate
from spec.network import frequencies, weights_of_differences

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"
TABLE_FILE = Path(recvae.__file__).parent / "exact" / "gaussian_table.npy"
TABLE = np.frombuffer(TABLE_FILE.read_bytes()[-32772:], "<i4").tolist()


def spec_decode(data: bytes, model: str) -> decoder.Steps:
    return decoder.decode(data, model_folder(model), TABLE)


def golden_files() -> Iterator[ParameterSet]:
    """Scans take this decoder hundreds of passes per image, pointers go pixel by pixel."""
    for file in FILES:
        slow = any(name in file.stem for name in ("scans", "mnist-vae"))
        marks = pytest.mark.slow if slow else ()
        yield pytest.param(file, id=file.stem, marks=marks)


@pytest.mark.parametrize("file", [*golden_files()])
def test_golden_file(file: Path) -> None:
    expected = json.loads(file.with_suffix(".json").read_text())
    steps = spec_decode(file.read_bytes(), expected.pop("model"))
    assert np.array_equal(steps.pixels, images())
    assert digests(*steps) == expected


def test_it_stands_alone() -> None:
    """It imports neither recvae nor torch."""
    code = "import sys, spec.decoder; print(*{name.split('.')[0] for name in sys.modules})"
    tests = Path(__file__).parents[1]
    names = subprocess.run([sys.executable, "-c", code], cwd=tests, capture_output=True, text=True)
    modules = set(names.stdout.split())
    assert "spec" in modules
    assert not modules & {"recvae", "torch", "safetensors", "constriction"}


def test_bad_golden_files() -> None:
    for file in BAD.glob("*.recvae"):
        with pytest.raises(ValueError, match=r"."):
            spec_decode(file.read_bytes(), "mnist")


def worked_example() -> bytes:
    """The file that docs/format.md shows."""
    dump = re.search(r"```hexdump\n(.*?)```", FORMAT.read_text(), re.DOTALL)[1]
    lines = (line[6:].split("  ")[0] for line in dump.splitlines())
    return b"".join(map(bytes.fromhex, lines))


def test_worked_example() -> None:
    file = container.read(worked_example())
    assert (file.model_hash, file.height, file.width) == (bytes(range(16)), 2, 3)
    assert file.counts == [2, 2, 1]
    assert file.payloads == [bytes([1, 2, 3, 4, 5]), bytes.fromhex("00ff" * 3 + "7f00" * 3), b""]


def test_numbers_of_the_specification() -> None:
    """The examples with which readers can test parts of their decoders."""
    text = " ".join(FORMAT.read_text().split())
    assert " ".join(f"{word:08x}" for word in philox(0, 0)) in text
    quantiles = [(0, "0"), (1234567890, "1234567890"), (1 << 31, "2^31")]
    for v, written in quantiles:
        assert f"`quantile({written}) = {quantile(v, TABLE)}`" in text
    z = spec_coder.latents((1 << 64) - 1, 3, [4, 1, 7, 2, 9], [3, 0, 6, 1, 8], 12345, TABLE)
    assert ", ".join(map(str, z)) in text
    first = frequencies(np.array([[100, 0, -300]]), 7)[0]
    assert ", ".join(map(str, first)) in text
    assert ", ".join(map(str, weights_of_differences(7)[:3])) in text
    assert hashlib.sha256(np.array(TABLE, "<i4").tobytes()).hexdigest() in text
    assert TABLE_FILE.read_bytes().endswith(np.array(TABLE, "<i4").tobytes())


def test_it_refuses_every_damaged_byte() -> None:
    data = worked_example()
    for place, byte in enumerate(data):
        for flip in (1, 0x80, 0xFF):
            damaged = data[:place] + bytes([byte ^ flip]) + data[place + 1 :]
            with pytest.raises(ValueError, match=r".") as caught:
                container.read(damaged)
            assert str(caught.value)


# Cases the shipped models lack: sizes that 4 does not divide, dimensions of one interval, rank
# codes of one bucket and ranks that are no candidates, layers of several products, large keys.
ODD_MODELS = {
    "staged": Architecture(
        "staged", 5, 13, 10, decoder={"channels": 8, "blocks": 1, "radius": 2, "saturation": 200}
    ),
    "causal": Architecture(
        "causal", 5, 6, 9, decoder={"channels": 8, "blocks": 1, "hidden": 16, "radius": 2}
    ),
    "causal, 2 levels": Architecture(
        "causal", 5, 9, 6, decoder={"channels": 9, "blocks": 2, "radius": 3, "levels": 2}
    ),
    "scans": Architecture(
        "scans",
        5,
        decoder={"about": 8, "channels": 9, "blocks": 1, "radius": 4, "grey_channels": 5},
    ),
    "mlp": Architecture("mlp", 5, 6, 7, decoder={"hidden": 70}),
}


KEY = (1 << 64) - 3
BLOCKS = BlockLatents(
    KEY, (Block((3, 0, 4, 1, 2), (7, 1, 1000, 2, 1), 5),), (fixed_length_code(5),)
)


def odd_model(architecture: Architecture, latents: LatentCodec = BLOCKS) -> CodecModel:
    torch.manual_seed(0)
    encoder, decoder = (part.eval().requires_grad_(False) for part in architecture.build())
    for parameter in decoder.parameters():
        parameter += 0.05 * torch.randn_like(parameter)
    if architecture.name == "mlp":
        decoder.parameters_layer.bias += 3  # pixels are near the middle
    number = FixedPoint(9, 13)
    return CodecModel(
        name="odd",
        architecture=architecture,
        number=number,
        latents=latents,
        encoder=encoder.half().float(),
        decoder=quantise(decoder, number, chunk_inputs=24),
        metadata={"ü": [0.1, 1e-7, None]},
    )


def odd_images(model: CodecModel) -> np.ndarray:
    """Images that the model was made for, and noise, which is stored."""
    rng = np.random.default_rng(0)
    if model.architecture.name == "scans":
        digits, noise = sample_images()[:4], rng.integers(0, 256, (2, 28, 28))
        sparse = rng.integers(0, 256, (1, 28, 28)) * (rng.random((1, 28, 28)) < 0.1)
        return np.concatenate([digits[:2], noise, sparse, digits[2:]]).astype(np.uint8)
    levels = model.architecture.levels
    pixels = rng.integers(0, levels, (70, *model.spec.shape)).astype(np.uint8)
    if model.architecture.name == "mlp":
        pixels[:40] = rng.binomial(255, 0.5, pixels[:40].shape)
    else:
        pixels[:40] *= rng.random(pixels[:40].shape) < 0.2
    return pixels


ODD_GROUPS = [
    pytest.param(size, name, marks=pytest.mark.slow if size == 1 or name == "scans" else ())
    for size in (1, 3, 1024)
    for name in ODD_MODELS
]


@pytest.mark.parametrize(("group_size", "name"), ODD_GROUPS)
def test_odd_models(name: str, group_size: int, tmp_path: Path) -> None:
    model = odd_model(ODD_MODELS[name])
    model.save(tmp_path)
    levels = model.architecture.levels
    pixels = odd_images(model)
    names = [f"{number}:ü.png" for number in range(len(pixels))]
    stream = io.BytesIO()
    Codec(model).compress_to(stream, pixels, group_size, names)
    data = stream.getvalue()
    steps = decoder.decode(data, tmp_path, TABLE)
    assert np.array_equal(steps.pixels, pixels)
    assert len(steps.z) > 0
    assert (len(steps.z) < len(pixels)) == (levels == 256)  # two levels are never worth storing
    assert container.read(data).names == names
    assert digests(*steps) == digests(*decode_steps(Codec(model), data))


def odd_latents() -> dict[str, LatentCodec]:
    """Latent codecs that no shipped model has, for five latents."""
    block = BLOCKS.blocks[0]
    target = DiagonalGaussian(torch.randn(200, 5), torch.full((200, 5), 0.4))
    fitted = FittedBins(
        KEY, BLOCKS.blocks, BLOCKS.rank_codes, tables=fit_bins(BLOCKS.blocks, target)
    )
    plain = replace(block, intervals=(1,) * 5, num_candidates=90)
    algorithms = {
        name: BlockLatents.unfitted(KEY, [replace(plain, algorithm=name)])
        for name in ("ORC", "MRC", "PFR", "GPRS")
    }
    cut = replace(block, intervals=(7, 1, 3, 2, 1), num_candidates=20)
    for name in ("partitioned PFR, sup", "partitioned PFR, mass"):
        algorithms[name] = BlockLatents.unfitted(KEY, [replace(cut, algorithm=name)])
    return algorithms | {
        "fitted bins": fitted,
        "A*": BranchAndBoundLatents.fit(KEY, "A*", target),
        "1-D GPRS": BranchAndBoundLatents.fit(KEY, "branch-and-bound GPRS", target),
    }


@pytest.mark.parametrize("name", odd_latents())
@pytest.mark.parametrize("group_size", [pytest.param(1, marks=pytest.mark.slow), 64])
def test_odd_latents(name: str, group_size: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = odd_model(ODD_MODELS["causal"], odd_latents()[name])
    for parameter in model.encoder.parameters():
        parameter *= 3.3  # informative posteriors
    model.encoder.half().float()
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.latents == model.latents
    assert loaded.hash == model.hash
    pixels = odd_images(model)
    data = Codec(loaded).compress(pixels, group_size)
    steps = decoder.decode(data, tmp_path, TABLE)
    assert np.array_equal(steps.pixels, pixels)
    assert len(np.unique(steps.z, axis=0)) > 3
    assert digests(*steps) == digests(*decode_steps(Codec(loaded), data))
    assert np.array_equal(Codec(loaded).decompress(data), pixels)


def test_the_way_of_branch_and_bound() -> None:
    """The example of docs/format.md, by the coder of the package and by the second one."""
    shown = re.search(r"`v_0` .. `v_3` are ([0-9, ]+)\.", FORMAT.read_text())
    turns = (True, False, False)

    def turn(lines: torch.Tensor, low: torch.Tensor, high: torch.Tensor, position: torch.Tensor):
        if len(lines):
            positions.append(int(position[3]))
        return torch.full_like(lines, turns[len(positions) - 1]).bool()

    positions: list[int] = []
    ranks = torch.full((1, 4), 3)
    _, _, last = AStar(4).walk(ranks, (1 << 64) - 1, turn)
    positions.append(int(last[0, 3]))
    assert ", ".join(map(str, positions)) == shown[1]
    low, high = 0, 1 << 32
    for k, above in enumerate([*turns, None]):
        v = candidate((1 << 64) - 1, 3, k, low, high)
        assert v == positions[k]
        low, high = (v + 1, high) if above else (low, v)
