"""`model.json` from anywhere: what does not keep to JSON or to the schema is told by its field."""

import json
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from codec.vae.folders import JSON, refused, rewrite, setting
from golden.steps import MODELS
from recvae.codec import Codec, load_model
from recvae.codec.models import MAX_JSON_BYTES
from recvae.codec.vae.model_schema import PATH, model_schema, to_text
from recvae.vae.networks import NETWORKS, Architecture
from recvae.vae.networks.architecture import SIZES


@pytest.fixture
def folder(codec: Codec, tmp_path: Path) -> Path:
    codec.model.save(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"key": 0', '"key": 0, "key": 0', "field 'key' occurs twice"),
        ('"epochs": 20', '"epochs": NaN', "NaN is not a JSON number"),
        ('"epochs": 20', '"epochs": -Infinity', "-Infinity is not a JSON number"),
        ('"epochs": 20', '"epochs": 1e999', "1e999 is too large"),
        ('"key": 0', f'"key": 1{"0" * 5000}', "model.json: .*4300 digits"),
        (
            '"epochs": 20',
            f'"epochs": {"[" * 90000}{"]" * 90000}',
            "model.json is nested too deeply",
        ),
        ('"epochs": 20', '"epochs": "\xff"', "model.json: 'utf-8' codec can't decode"),
        ('"facts"', f'{" " * MAX_JSON_BYTES}"facts"', "model.json is larger than 262144 bytes"),
        ("{", "[{", "model.json: Expecting ',' delimiter"),
        ("{", "", "model.json: Extra data"),
    ],
)
def test_hostile_json(folder: Path, old: str, new: str, message: str) -> None:
    text = json.dumps(json.loads((folder / JSON).read_text()))
    assert old in text
    (folder / JSON).write_bytes(text.replace(old, new, 1).encode("latin-1"))
    refused(folder, message)


@pytest.mark.parametrize("text", [b"[1]", b"1", b'"x"', b"null"])
def test_json_that_is_no_object(folder: Path, text: bytes) -> None:
    (folder / JSON).write_bytes(text)
    refused(folder, "model.json does not hold an object")


def test_any_depth_is_read_or_refused(folder: Path) -> None:
    text = json.loads((folder / JSON).read_text())
    for depth in range(100, 1500, 100):
        nested = "[" * depth + "]" * depth
        (folder / JSON).write_text(json.dumps(text).replace('"epochs": 20', f'"epochs": {nested}'))
        refused(folder, "nested too deeply|do not match its hash")


LONG = "x" * 300
FIELDS: list[tuple[str, Any, str]] = [
    ("format", "recvae-model-9", "model.json: its format is 'recvae-model-9', this program"),
    ("format", [LONG], r"model.json: its format is \['x{190}"),
    ("name", 7, "model.json: name: 7 is not of type 'string'"),
    ("name", "", "model.json: name: '' should be non-empty"),
    ("name", LONG, "model.json: name: maxLength must be 100"),
    ("name", "two\nlines", "model.json: name: 'two.*lines' should not be valid under"),
    ("name", "half \ud800", "model.json: name: 'half .ud800' should not be valid under"),
    ("more", 1, r"model.json: Additional properties .*'more' was unexpected"),
    ("architecture", None, "architecture: None is not of type 'object'"),
    ("architecture.name", "gan", "architecture.name: 'gan' is not one of .*causal"),
    ("architecture.latent_dim", 0, "architecture.latent_dim: 0 is less than the minimum of 1"),
    ("architecture.latent_dim", 1025, "latent_dim: 1025 is greater than the maximum of 1024"),
    ("architecture.height", 65535, "architecture.height: 65535 is greater than the maximum of 64"),
    ("architecture.height", 28.0, "architecture.height: 28.0 is not of type 'integer'"),
    ("architecture.width", True, "architecture.width: True is not of type 'integer'"),
    ("architecture.width", "28", "architecture.width: '28' is not of type 'integer'"),
    ("architecture.decoder.channels", 10**9, "decoder.channels: 1000000000 is greater than"),
    ("architecture.decoder.channels", 1024, r"tensor .* needed: torch.int16 \(50176, 24\)"),
    ("architecture.decoder.hidden", 4096, r"tensor .* needed: torch.*4096"),
    ("architecture.decoder.depth", 3, "architecture.decoder: Additional properties.*'depth'"),
    ("architecture.decoder", {}, "architecture.decoder: 'channels' is a required property"),
    ("architecture.encoder.saturation", 2, "architecture.encoder.saturation: 2 is less than"),
    ("number.magnitude_bits", 40, "number.magnitude_bits: 40 is greater than the maximum of 19"),
    ("number.magnitude_bits", 6, "magnitude_bits is 6; allowed: 7 to 20"),
    ("number.fraction_bits", 7.0, "number.fraction_bits: 7.0 is not of type 'integer'"),
    ("key", 1 << 64, "key: 18446744073709551616 is greater than"),
    ("key", -1, "key: -1 is less than the minimum of 0"),
    ("key", 0.0, "key: 0.0 is not of type 'integer'"),
    ("blocks", [], r"blocks: \[\] should be non-empty"),
    ("blocks", {}, "blocks: {} is not of type 'array'"),
    ("blocks[0]", 3, r"blocks\[0\]: 3 is not of type 'object'"),
    ("blocks[0].dimensions", [0], "every latent dimension must stand in exactly one block"),
    ("blocks[0].dimensions[0]", 1.0, r"blocks\[0\].dimensions\[0\]: 1.0 is not of type 'integer'"),
    ("blocks[0].dimensions", [1] * 2000, r"blocks\[0\].dimensions: maxItems must be 1024"),
    ("blocks[0].intervals", [4], "intervals and dimensions differ in number"),
    ("blocks[0].intervals", [1 << 20] * 12, "need a product of at most 2\\^62"),
    ("blocks[0].intervals[0]", 0, r"blocks\[0\].intervals\[0\]: 0 is less than the minimum of 1"),
    ("blocks[0].num_candidates", 1 << 21, r"num_candidates: 2097152 is greater than the maximum"),
    ("blocks[0].rank_code.raw_bits[0]", 21, r"raw_bits\[0\]: 21 is greater than the maximum of 20"),
    ("blocks[0].rank_code.raw_bits", [0], "raw_bits: got 1, need 15, one a bucket"),
    ("blocks[0].rank_code.raw_bits", [0] * 15, r"ranks: got one out of range, need \[0, 15\)"),
    ("blocks[0].rank_code.frequencies[0]", 1, "frequencies: .* need integers >= 1 with the sum"),
    ("blocks[0].rank_code.frequencies[0]", 0, r"frequencies\[0\]: 0 is less than the minimum"),
    ("blocks[0].rank_code.frequencies", [1] * 1025, "rank_code.frequencies: maxItems must be 1024"),
    ("facts", [], r"facts: \[\] is not of type 'object'"),
    ("facts.epochs", 21, ""),  # any fact is allowed
    ("hash", "2B" * 32, "hash: '2B2B.*' does not match"),
    ("hash", "00" * 32, "its contents do not match its hash"),
]


@pytest.mark.parametrize(
    ("path", "value", "message"), FIELDS, ids=lambda it: it if isinstance(it, str) else ""
)
def test_hostile_descriptions(folder: Path, path: str, value: Any, message: str) -> None:
    change = setting(path, value)
    if path == "hash":
        text = json.loads((folder / JSON).read_text())
        change(text)
        (folder / JSON).write_text(json.dumps(text))
    else:
        rewrite(folder, change)
    if message:
        refused(folder, message)
    else:
        assert load_model(folder).metadata["epochs"] == value


@pytest.mark.parametrize(
    "path",
    ["format", "name", "architecture", "number", "key", "blocks", "facts", "hash"]
    + [f"architecture.{name}" for name in ("name", *SIZES, "encoder", "decoder")],
)
def test_each_field_is_required(folder: Path, path: str) -> None:
    *parents, last = path.split(".")
    rewrite(folder, lambda text: (text[parents[0]] if parents else text).pop(last))
    refused(folder, f"'{last}' is a required property|its format is None")


def test_the_schema_and_the_networks_agree() -> None:
    """`recvae.codec.vae.model_schema.write` writes the file."""
    assert PATH.read_text() == to_text(model_schema(NETWORKS)) + "\n"
    branches = model_schema(NETWORKS)["properties"]["architecture"]["allOf"]
    by_name = {branch["if"]["properties"]["name"]["const"]: branch["then"] for branch in branches}
    for name, part in by_name.items():
        architecture = Architecture(name).description()
        for role in ("encoder", "decoder"):
            assert part["properties"][role]["required"] == list(architecture[role])
    assert by_name["scans"]["properties"]["height"] == {"const": 28}


def test_all_objects_but_the_facts_are_closed() -> None:
    schema = json.loads((files("recvae.codec.vae") / "model.schema.json").read_text())
    open_objects = []

    def visit(node: Any, path: str) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object" and node.get("additionalProperties") is not False:
                open_objects.append(path)
            for key, child in node.items():
                visit(child, f"{path}/{key}")

    visit(schema, "")
    architecture = "/properties/architecture/properties"  # told more closely behind `if`
    # Latent codecs from elsewhere check their own fields; those of the package are told likewise.
    assert open_objects == [
        f"{architecture}/encoder", f"{architecture}/decoder", "/properties/latents",
        "/properties/facts",
    ]  # fmt: skip


def set_latents(path: str, value: Any) -> Callable[[dict], None]:
    return setting(f"latents.{path}" if path else "latents", value)


@pytest.mark.parametrize(
    ("model", "path", "value", "message"),
    [
        (
            "a-star",
            "codec",
            "gzip",
            "latents: codec is 'gzip'; allowed: blocks, branch",
        ),
        ("a-star", "codec", 3, "latents.codec: 3 is not of type 'string'"),
        ("a-star", "codec", "blocks", "latents.codec: 'blocks' should not be valid under"),
        ("a-star", "more", 1, r"latents: Additional properties .*'more' was unexpected"),
        ("a-star", "algorithm", "A**", r"algorithm: got 'A\*\*', need one of PFR, "),
        ("a-star", "algorithm", "ORC", "algorithm: got 'ORC', need one that codes by branch"),
        ("a-star", "algorithm", "dithered quantisation", "scale: got"),
        ("a-star", "max_candidates", 1 << 21, "max_candidates: 2097152 is greater"),
        ("a-star", "max_candidates", 1 << 20, "ranks: got one out of range"),
        ("a-star", "rank_codes", [], r"latents.rank_codes: \[\] should be non-empty"),
        ("fitted-bins", "bin_frequencies[0]", [], "bin_frequencies: need one for each interval"),
        ("fitted-bins", "bin_frequencies[0][0]", [1, 2], "bin_frequencies: need one for each"),
        ("fitted-bins", "bin_frequencies[0][0][0]", 0, "0 is less than the minimum of 1"),
        ("fitted-bins", "bin_frequencies[0][0][0]", 1, "bin_frequencies: need integers >= 1 with"),
        ("fitted-bins", "blocks[0].dimensions[0]", 9, "must stand in exactly one block"),
        ("fitted-bins", "blocks[0].algorithm", "A*", "which codes each dimension separately"),
        ("fitted-bins", "blocks[0].algorithm", "PFR", "need one: PFR has no partition"),
        ("fitted-bins", "", {}, "'codec' is a required property"),
        ("fitted-bins", "", [], r"latents: \[\] is not of type 'object'"),
    ],
)
def test_hostile_latents(tmp_path: Path, model: str, path: str, value: Any, message: str) -> None:
    shutil.copytree(MODELS / model, tmp_path / "model")
    rewrite(tmp_path / "model", set_latents(path, value))
    refused(tmp_path / "model", message)


def test_what_goes_without_saying_is_not_stated(folder: Path, tmp_path: Path) -> None:
    """A model has one description: its hash, which files name, is of that."""
    message = "model.json: states a field that a model with these parts leaves out"
    rewrite(folder, setting("blocks[0].algorithm", "partitioned ORC"))
    refused(folder, message)
    shutil.copytree(MODELS / "fitted-bins", tmp_path / "fitted")
    rewrite(tmp_path / "fitted", set_latents("blocks[0].algorithm", "partitioned ORC"))
    refused(tmp_path / "fitted", message)


def test_blocks_and_latents_exclude_each_other(folder: Path, tmp_path: Path) -> None:
    text = json.loads((MODELS / "a-star" / JSON).read_text())
    rewrite(folder, setting("latents", text["latents"]))
    refused(folder, "blocks: given as well as latents")


def test_one_latent_too_few(tmp_path: Path) -> None:
    for name in ("a-star", "fitted-bins"):
        shutil.copytree(MODELS / name, tmp_path / name)

    def drop(text: dict) -> None:
        text["latents"]["rank_codes"].pop()

    rewrite(tmp_path / "a-star", drop)
    refused(tmp_path / "a-star", "latents: every latent dimension must be coded once")

    def drop_block(text: dict) -> None:
        text["latents"]["blocks"] = [{**text["latents"]["blocks"][0], "dimensions": [0, 1, 2]}]
        text["latents"]["bin_frequencies"].pop()

    rewrite(tmp_path / "fitted-bins", drop_block)
    refused(tmp_path / "fitted-bins", "blocks: every latent dimension must stand in exactly one")
