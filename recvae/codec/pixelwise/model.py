"""The model of a causal network: a description and integers, as JSON and safetensors."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recvae.codec.container import Group
from recvae.codec.image_coder import Bits, ImageCoder, Pixels
from recvae.codec.model_folder import (
    WEIGHTS_NAME,
    FolderModel,
    Spec,
    content_hash,
    read_tensors,
)
from recvae.codec.models import JSON_NAME, read_object
from recvae.codec.pixelwise.coder import decode_area, decode_groups, encode_groups, is_written
from recvae.codec.pixelwise.networks import LAYERS, IntegerNetwork
from recvae.errors import InputError
from recvae.images.spec import GREY, RGB
from recvae.pixelwise.arguments import PixelArguments
from recvae.threads import usable_cpus

FORMAT = "recvae-pixelwise-1"
KINDS = {"grey": GREY, "rgb": RGB}
MAX_NAME = 100


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelwiseModel(FolderModel, ImageCoder):
    """Networks for grey and colour that are ready to code.

    Fields:
        name: for display.
        networks: by number of channels of their pixels, 1 and 3.
        metadata: facts about the model; no coded bit depends on them.
    """

    name: str
    networks: Mapping[int, IntegerNetwork]
    metadata: dict[str, Any] = field(default_factory=dict)

    channels = (1, 2, 3, 4)
    summary = "lossless, pictures of any size"
    plain = False
    tiles_apart = True
    cpu_only = True

    @property
    def groups_at_once(self) -> int:
        """See `ImageCoder.groups_at_once`."""
        return usable_cpus()

    def encode(self, pixels: Pixels, group_size: int) -> tuple[list[Group], Bits]:
        """See `ImageCoder.encode`."""
        groups = encode_groups(self.networks, pixels, group_size)
        bits = [8 * group.num_bytes / group.num_images for group in groups]
        return groups, {"pixels": np.repeat(bits, [group.num_images for group in groups])}

    def decode(self, groups: Sequence[Group]) -> Pixels:
        """See `ImageCoder.decode`."""
        return decode_groups(self.networks, groups)

    def decode_area(self, group: Group, rows: slice, columns: slice) -> Pixels:
        """See `ImageCoder.decode_area`."""
        return decode_area(self.networks, group, rows, columns)

    def written(self, groups: Sequence[Group]) -> list[bool]:
        """See `ImageCoder.written`."""
        return [is_written(self.networks, group) for group in groups]

    def description(self) -> dict[str, Any]:
        """The contents of `model.json` without the hash."""
        networks = {}
        for name, channels in KINDS.items():
            own = self.networks[channels]
            plain = asdict(own.arguments) | {"shifts": own.shifts}
            networks[name] = {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}
            if not own.arguments.corrected:  # as in models that predate corrections
                del networks[name]["corrected"]
        return {"format": FORMAT, "name": self.name, "networks": networks, "facts": self.metadata}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The contents of `weights.safetensors`."""
        found: dict[str, NDArray[Any]] = {}
        for name, channels in KINDS.items():
            own = self.networks[channels]
            for layer in range(LAYERS):
                found[f"{name}.{layer}.weight"] = own.weights[layer]
                found[f"{name}.{layer}.bias"] = own.biases[layer]
            found[f"{name}.filters"] = own.filters
        return found


def load(folder: Path) -> PixelwiseModel:
    """Load the model in a folder; ValueError if it cannot be used."""
    text = read_object(folder / JSON_NAME)
    stated_hash = text.pop("hash", None)
    _check_object("", text, {"format": str, "name": str, "networks": dict, "facts": dict})
    if len(text["name"]) > MAX_NAME:
        raise ValueError(f"{JSON_NAME}: name: longer than {MAX_NAME} characters")
    _check_object("networks", text["networks"], dict.fromkeys(KINDS, dict))
    arguments, shifts = {}, {}
    for name, given in text["networks"].items():
        own = {"corrected": False} | given
        try:
            shifts[name] = tuple(own.pop("shifts", ()))
            arguments[name] = PixelArguments(**own)
        except (TypeError, InputError) as error:
            raise ValueError(f"{JSON_NAME}: networks.{name}: {error}") from error
        if len(shifts[name]) != LAYERS or not all(type(shift) is int for shift in shifts[name]):
            raise ValueError(f"{JSON_NAME}: networks.{name}.shifts: must be {LAYERS} integers")
    tensors = read_tensors(folder / WEIGHTS_NAME, _tensor_specs(arguments))
    if content_hash(text, tensors) != stated_hash:
        raise ValueError("its contents do not match its hash: the files are damaged or mixed up")
    networks = {}
    for name, channels in KINDS.items():
        weights, biases = (
            tuple(tensors[f"{name}.{layer}.{part}"] for layer in range(LAYERS))
            for part in ("weight", "bias")
        )
        try:
            networks[channels] = IntegerNetwork(
                arguments[name], weights, biases, shifts[name], tensors[f"{name}.filters"]
            )
        except ValueError as error:
            raise ValueError(f"{WEIGHTS_NAME}: {name}: {error}") from error
    model = PixelwiseModel(name=text["name"], networks=networks, metadata=text["facts"])
    if model.description() != text:
        raise ValueError(f"{JSON_NAME}: is not in canonical form")
    return model


def _check_object(where: str, given: dict[str, Any], fields: Mapping[str, type]) -> None:
    """Raise ValueError unless an object has these fields, of these types, and no others."""
    prefix = f"{JSON_NAME}: {where}{'.' * bool(where)}"
    for name, kind in fields.items():
        if not isinstance(given.get(name), kind):
            raise ValueError(f"{prefix}{name}: is missing or of the wrong type")
    if others := sorted(given.keys() - fields.keys()):
        raise ValueError(f"{prefix}{others[0]}: is not a field of a model")


def _tensor_specs(arguments: Mapping[str, PixelArguments]) -> dict[str, Spec]:
    """Specs of all tensors in `weights.safetensors`."""
    specs: dict[str, Spec] = {}
    for name, channels in KINDS.items():
        own = arguments[name]
        for layer, (inputs, outputs) in enumerate(own.layer_sizes(channels)):
            specs[f"{name}.{layer}.weight"] = (np.int16, (outputs, inputs))
            specs[f"{name}.{layer}.bias"] = (np.int32, (outputs,))
        specs[f"{name}.filters"] = (np.int32, (channels, own.num_filter_inputs(channels)))
    return specs
