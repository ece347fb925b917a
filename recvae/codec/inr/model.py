"""The model of networks over coordinates: networks and layout as safetensors and JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recvae.codec.container import Group
from recvae.codec.image_coder import Bits, ImageCoder, Pixels
from recvae.codec.inr.coder import decode_groups, encode_groups, is_written
from recvae.codec.inr.layout import MAX_LOG2_CANDIDATES, Layout
from recvae.codec.inr.sender import Effort, Shared
from recvae.codec.model_folder import (
    WEIGHTS_NAME,
    FolderModel,
    Spec,
    Tensors,
    check_schema,
    content_hash,
    read_tensors,
)
from recvae.codec.models import JSON_NAME, read_object
from recvae.errors import InputError
from recvae.images.spec import ImageSpec
from recvae.inr.encoder import Encoder
from recvae.inr.network import COLOURS, Inr, InrArguments, fourier_features
from recvae.rec import IndexCode

FORMAT = "recvae-inr-1"
GROUP_SIZE = 32
MAX_BLOCKS, MAX_LATENTS = 1 << 12, 1 << 16
BUCKETS = MAX_LOG2_CANDIDATES + 1


def _integer(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "format", "name", "architecture", "encoder", "key", "blocks", "latents", "log_beta",
        "facts", "hash",
    ],
    "properties": {
        "format": {"const": FORMAT},
        "name": {"type": "string", "maxLength": 100},
        "architecture": {"type": "object"},
        "encoder": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "required": ["width", "blocks"],
            "properties": {"width": _integer(1, 1024), "blocks": _integer(1, 64)},
        },
        "key": _integer(0, (1 << 64) - 1),
        "blocks": _integer(1, MAX_BLOCKS),
        "latents": _integer(1, MAX_LATENTS),
        "log_beta": {"type": "number", "minimum": -100, "maximum": 100},
        "facts": {"type": "object"},
        "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
}  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class InrModel(FolderModel, ImageCoder):
    """A trained network over coordinates that is ready to code.

    Fields:
        name: for display.
        shared: networks, layout and key.
        encoder_sizes: width and blocks of the encoder, if there is one.
        effort: of the sender.
        metadata: facts about the model; no coded bit depends on them.
    """

    name: str
    shared: Shared
    encoder_sizes: tuple[int, int] | None
    effort: Effort = Effort()  # noqa: RUF009 (frozen)
    metadata: dict[str, Any] = field(default_factory=dict)

    summary = "lossy, small pictures, one rate"
    parts = ("bins", "ranks", "kl")
    plain = False
    lossy = True
    group_size = GROUP_SIZE

    @property
    def spec(self) -> ImageSpec:  # type: ignore[override]
        """The spec of its pictures."""
        side = self.shared.network.arguments.side
        return ImageSpec(side, side, COLOURS)

    @property
    def bits_per_pixel(self) -> float:
        """The rate of the KL that it keeps."""
        return float(self.shared.budget_bits.sum()) / self.spec.num_pixels

    def encode(self, pixels: Pixels, group_size: int) -> tuple[list[Group], Bits]:
        """See `ImageCoder.encode`."""
        return encode_groups(self.shared, pixels, group_size, self.effort)

    def decode(self, groups: Sequence[Group]) -> Pixels:
        """See `ImageCoder.decode`."""
        return decode_groups(self.shared, groups)

    def written(self, groups: Sequence[Group]) -> list[bool]:
        """See `ImageCoder.written`."""
        return [is_written(self.shared, group) for group in groups]

    def with_quality(self, quality: int) -> "InrModel":
        """Raise InputError: it has one rate."""
        raise InputError(
            f"model {self.name!r} codes at one rate, about {self.bits_per_pixel:.2f} bits per "
            "pixel: leave quality and target out, or train a model for another rate"
        )

    def with_effort(self, effort: int) -> "InrModel":
        """A copy whose sender fits pictures for longer and searches further."""
        if effort == 1:
            return self
        more = math.ceil(math.log2(effort))
        first = Effort()
        return self.as_sender(
            replace(
                first,
                first_steps=first.first_steps * effort,
                block_steps=first.block_steps * effort,
                margin_bits=first.margin_bits + more / 2,
                max_log2_candidates=min(first.max_log2_candidates + more, MAX_LOG2_CANDIDATES),
                keep=first.keep * (1 + more),
            )
        )

    def as_sender(self, effort: Effort) -> "InrModel":
        """A copy with another effort; reuses the hash, which does not depend on it."""
        sender = replace(self, effort=effort)
        sender.__dict__["hash"] = self.hash
        return sender

    def to(self, device: torch.device) -> "InrModel":
        """See `ImageCoder.to`."""
        for module in _modules(self.shared.network, self.shared.encoder).values():
            module.to(device)
        return self

    def description(self) -> dict[str, Any]:
        """The contents of `model.json` without the hash."""
        shared, sizes = self.shared, self.encoder_sizes
        return {
            "format": FORMAT,
            "name": self.name,
            "architecture": shared.network.arguments.plain(),
            "encoder": None if sizes is None else {"width": sizes[0], "blocks": sizes[1]},
            "key": shared.key,
            "blocks": len(shared.layout.lengths),
            "latents": len(shared.layout.dimensions),
            "log_beta": shared.log_beta,
            "facts": self.metadata,
        }

    def tensors(self) -> Tensors:
        """The contents of `weights.safetensors`: networks in float16, the layout in integers."""
        shared = self.shared
        found: dict[str, NDArray[Any]] = {}
        for part, module in _modules(shared.network, shared.encoder).items():
            for name, tensor in module.state_dict().items():
                found[f"{part}.{name}"] = tensor.half().cpu().numpy()
        found["information"] = shared.information_bits.astype(np.float16)
        found["layout.lengths"] = shared.layout.lengths.astype(np.int32)
        found["layout.dimensions"] = shared.layout.dimensions.astype(np.int32)
        found["layout.intervals"] = shared.layout.intervals.astype(np.int32)
        found["ranks"] = np.array(shared.rank_code.frequencies, np.int32)
        return found


def as_stored(module: nn.Module) -> None:
    """Round a network's weights to float16, as stored, and prepare it for coding."""
    stored = {name: tensor.half().float() for name, tensor in module.state_dict().items()}
    module.load_state_dict(stored)
    module.eval().requires_grad_(False)


def load(folder: Path) -> InrModel:
    """Load the model in a folder; ValueError if it cannot be used."""
    text = read_object(folder / JSON_NAME)
    check_schema(text, SCHEMA)
    try:
        arguments = InrArguments(**text["architecture"])
    except TypeError as error:
        raise ValueError(f"{JSON_NAME}: architecture: {error}") from error
    sizes = text["encoder"] and (text["encoder"]["width"], text["encoder"]["blocks"])
    with torch.device("meta"):
        network, encoder = Inr(arguments), Encoder(arguments, *sizes) if sizes else None
    modules = _modules(network, encoder)
    tensors = read_tensors(folder / WEIGHTS_NAME, _tensor_specs(modules, arguments, text))
    stated_hash = text.pop("hash")
    if content_hash(text, tensors) != stated_hash:
        raise ValueError("its contents do not match its hash: the files are damaged or mixed up")
    for part, module in modules.items():
        weights = {
            name: torch.from_numpy(tensors[f"{part}.{name}"]).float()
            for name in module.state_dict()
        }
        if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
            raise ValueError(f"a weight of {part} is not finite")
        module.load_state_dict(weights, assign=True)
        module.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    network.features = fourier_features(arguments)  # constant, so not among the weights
    shared = Shared(
        network, _layout(tensors, arguments), _rank_code(tensors["ranks"]), text["key"],
        encoder, _information(tensors["information"]), text["log_beta"],
    )  # fmt: skip
    model = InrModel(name=text["name"], shared=shared, encoder_sizes=sizes, metadata=text["facts"])
    if model.description() != text:
        raise ValueError(f"{JSON_NAME}: is not in canonical form")
    return model


def _modules(network: Inr, encoder: Encoder | None) -> dict[str, nn.Module]:
    """The networks by their prefix in `weights.safetensors`."""
    return {"network": network} | ({"encoder": encoder} if encoder is not None else {})


def _tensor_specs(
    modules: dict[str, nn.Module], arguments: InrArguments, text: dict[str, Any]
) -> dict[str, Spec]:
    """Specs of all tensors in `weights.safetensors`."""
    specs: dict[str, Spec] = {
        f"{part}.{name}": (np.float16, tuple(tensor.shape))
        for part, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    latents = (text["latents"],)
    return specs | {
        "information": (np.float16, (arguments.dim,)),
        "layout.lengths": (np.int32, (text["blocks"],)),
        "layout.dimensions": (np.int32, latents),
        "layout.intervals": (np.int32, latents),
        "ranks": (np.int32, (BUCKETS,)),
    }


def _layout(tensors: Tensors, arguments: InrArguments) -> Layout:
    """The layout; ValueError for one that does not fit."""
    lengths, dimensions, intervals = (
        tensors[f"layout.{part}"].astype(np.int64)
        for part in ("lengths", "dimensions", "intervals")
    )
    if lengths.min() < 1 or lengths.sum() != len(dimensions):
        raise ValueError("layout.lengths: must be positive and sum to the number of latents")
    if dimensions.min() < 0 or dimensions.max() >= arguments.dim:
        raise ValueError(f"layout.dimensions: must lie between 0 and {arguments.dim - 1}")
    if len(np.unique(dimensions)) != len(dimensions):
        raise ValueError("layout.dimensions: a latent is in two blocks")
    layout = Layout(lengths, dimensions, intervals)
    try:
        _ = layout.partitions
    except ValueError as error:
        raise ValueError(f"layout.{error}") from error
    return layout


def _rank_code(frequencies: NDArray[Any]) -> IndexCode:
    try:
        return IndexCode(tuple(frequencies.tolist()), tuple(range(BUCKETS)))
    except ValueError as error:
        raise ValueError(f"ranks: {error}") from error


def _information(bits: NDArray[Any]) -> NDArray[np.floating]:
    information: NDArray[np.floating] = bits.astype(np.float32)
    if not bool(np.isfinite(information).all()) or information.min() < 0:
        raise ValueError("information: must be finite and at least 0")
    return information
